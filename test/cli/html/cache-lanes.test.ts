import { describe, expect, test } from "vitest";
import { cacheLanes, clockTime, fromNow } from "../../../src/cli/html/cache-lanes.js";
import type { TokenReport } from "../../../src/doctor/diagnosis.js";
import type { RequestTiming } from "../../../src/model/issuer-report.js";
import { diagnosisWith, START_MS, secondsAt } from "./cache-facts.js";

/** When the run of the sample ended. */
const NOW = START_MS + 8000;
const MINUTE = 60_000;

const answered = (answer: Partial<RequestTiming>) => cacheLanes(diagnosisWith({ answer }), NOW)[0];
const living = (token: Partial<TokenReport>) =>
  cacheLanes(diagnosisWith({ token: { source: "the token given", ...token } }), NOW)[0];

describe("the life of a token", () => {
  test("is from iat or nbf, whichever is later, to exp, with five minutes more on each side", () => {
    const lane = living({
      iat: secondsAt(-60_000),
      notBefore: secondsAt(0),
      exp: secondsAt(600_000),
    });
    expect(lane?.spans).toEqual([
      { kind: "tolerated", fromMs: START_MS - 5 * MINUTE, toMs: START_MS },
      { kind: "valid", fromMs: START_MS, toMs: START_MS + 10 * MINUTE },
      { kind: "tolerated", fromMs: START_MS + 10 * MINUTE, toMs: START_MS + 15 * MINUTE },
    ]);
    expect(lane?.words).toBe(
      "Issued 2025-12-31 23:59:00 (iat, 68 s ago). Not before 00:00:00 (nbf, 8 s ago). Ends 00:10:00 (exp, in 10 min). STS tolerates 5 min on each.",
    );
  });

  test.each([
    ["tolerated after its end", { iat: secondsAt(-900_000), exp: secondsAt(-100_000) }, false],
    ["over", { iat: secondsAt(-900_000), exp: secondsAt(-300_000) }, true],
    ["tolerated before its begin", { iat: secondsAt(300_000), exp: secondsAt(900_000) }, false],
    ["yet to come", { iat: secondsAt(400_000), exp: secondsAt(900_000) }, true],
    ["without an end", { iat: secondsAt(0) }, false],
  ])("that is %s is told so", (_name, token, isBad) => {
    expect(living(token)?.isBad).toBe(isBad);
  });

  test("is over when it is so by the clock of STS", () => {
    const token = { source: "the token given", iat: secondsAt(-900_000), exp: secondsAt(0) };
    const isBad = (skewMs: number) => cacheLanes(diagnosisWith({ token }, skewMs), NOW)[0]?.isBad;
    expect([isBad(0), isBad(5 * MINUTE)]).toEqual([false, true]);
  });

  test("without any time is not drawn", () => {
    expect(living({})).toBeUndefined();
  });
});

describe("the copy of a document", () => {
  test("lives from when it was made, Age seconds before it came", () => {
    const lane = answered({ headers: { "cache-control": "max-age=600", age: "60" } });
    const cameMs = START_MS + 953 + 6400;
    expect(lane?.marks).toEqual([cameMs]);
    expect(lane?.spans).toEqual([
      { kind: "aged", fromMs: cameMs - MINUTE, toMs: cameMs },
      { kind: "valid", fromMs: cameMs, toMs: cameMs + 9 * MINUTE },
    ]);
    expect(lane?.words).toBe(
      "Fetched at 00:00:07, 60 s old by then (Age); may be kept until 00:09:07 (max-age=600, in 9 min).",
    );
  });

  test.each([
    [{ headers: { "cache-control": "no-store" } }, /no-store: STS keeps no copy/, true],
    [{ headers: {} }, /does not say how long/, false],
    [{ headers: { "cache-control": "max-age=0" } }, /no copy is fresh \(max-age=0\)/, false],
    [{ headers: { expires: "-1" } }, /no copy is fresh \(Expires\)/, false],
    [{ status: 304, headers: { "cache-control": "max-age=9" } }, /may be kept until/, false],
    [{ status: 429, headers: { "retry-after": "30" } }, /Answered 429 .*Retry-After: 30/, true],
    [{ status: undefined, error: "ECONNRESET", headers: {} }, /No answer .*ECONNRESET/, true],
  ])("%j", (answer, words, isBad) => {
    const lane = answered(answer);
    expect(lane?.words).toMatch(words);
    expect(lane?.isBad).toBe(isBad);
    expect(lane?.marks).toHaveLength(1);
  });

  test("of discovery that may not be kept is no fault: AWS asks it of the JWKS alone", () => {
    const lane = answered({ document: "discovery", headers: { pragma: "no-cache" } });
    expect(lane?.words).toMatch(/no-cache: no copy may be kept/);
    expect(lane?.isBad).toBe(false);
  });
});

const NOON = Date.UTC(2026, 0, 1, 12, 0, 0);

test.each([
  [NOON, "12:00:00"],
  [NOON + 86_400_000, "2026-01-02 12:00:00"],
  [NOON - 12 * 3_600_000 - 1000, "2025-12-31 23:59:59"],
  [0, "1970-01-01 00:00:00"],
  [-1, "before 1970"],
  [2 ** 63 * 1000, "after the year 9999"],
])("%d is told as %s", (ms, text) => {
  expect(clockTime(ms, NOON)).toBe(text);
});

test("a distance is told with its direction", () => {
  expect([fromNow(NOON + 90_000, NOON), fromNow(NOON - 500, NOON)]).toEqual([
    "in 90 s",
    "500 ms ago",
  ]);
});
