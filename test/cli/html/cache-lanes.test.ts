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

describe("the lifetime of a token", () => {
  test("runs from iat or nbf, whichever is later, to exp, with five minutes of tolerance on both sides", () => {
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
      "Issued 2025-12-31 23:59:00 (iat, 68 s ago). Not before 00:00:00 (nbf, 8 s ago). Expires 00:10:00 (exp, in 10 min). STS tolerates a difference of 5 min.",
    );
  });

  test.each([
    [
      "that expired within the tolerance",
      { iat: secondsAt(-900_000), exp: secondsAt(-100_000) },
      false,
    ],
    [
      "that expired before the tolerance",
      { iat: secondsAt(-900_000), exp: secondsAt(-300_000) },
      true,
    ],
    [
      "that begins within the tolerance",
      { iat: secondsAt(300_000), exp: secondsAt(900_000) },
      false,
    ],
    ["that begins after the tolerance", { iat: secondsAt(400_000), exp: secondsAt(900_000) }, true],
    ["without exp", { iat: secondsAt(0) }, false],
  ])("is marked as bad only if STS rejects the token: one %s", (_name, token, isBad) => {
    expect(living(token)?.isBad).toBe(isBad);
  });

  test("ends by the clock of STS", () => {
    const token = { source: "the token given", iat: secondsAt(-900_000), exp: secondsAt(0) };
    const isBad = (skewMs: number) => cacheLanes(diagnosisWith({ token }, skewMs), NOW)[0]?.isBad;
    expect([isBad(0), isBad(5 * MINUTE)]).toEqual([false, true]);
  });

  test("is not drawn without any time", () => {
    expect(living({})).toBeUndefined();
  });
});

describe("the cache lifetime of a document", () => {
  test("starts when the document was created, Age seconds before it arrived", () => {
    const lane = answered({ headers: { "cache-control": "max-age=600", age: "60" } });
    const arrivedMs = START_MS + 953 + 6400;
    expect(lane?.marks).toEqual([arrivedMs]);
    expect(lane?.spans).toEqual([
      { kind: "aged", fromMs: arrivedMs - MINUTE, toMs: arrivedMs },
      { kind: "valid", fromMs: arrivedMs, toMs: arrivedMs + 9 * MINUTE },
    ]);
    expect(lane?.words).toBe(
      "Fetched at 00:00:07, 60 s old at that time (Age); may be cached until 00:09:07 (max-age=600, in 9 min).",
    );
  });

  test.each([
    [{ headers: { "cache-control": "no-store" } }, /no-store: STS does not cache it/, true],
    [{ headers: {} }, /do not say how long/, false],
    [{ headers: { "cache-control": "max-age=0" } }, /stale at once \(max-age=0\)/, false],
    [{ headers: { expires: "-1" } }, /stale at once \(Expires\)/, false],
    [{ status: 304, headers: { "cache-control": "max-age=9" } }, /may be cached until/, false],
    [{ status: 429, headers: { "retry-after": "30" } }, /Answered 429 .*Retry-After: 30/, true],
    [{ status: undefined, error: "ECONNRESET", headers: {} }, /No answer .*ECONNRESET/, true],
  ])("is described in words for %j", (answer, words, isBad) => {
    const lane = answered(answer);
    expect(lane?.words).toMatch(words);
    expect(lane?.isBad).toBe(isBad);
    expect(lane?.marks).toHaveLength(1);
  });

  test("may be zero for the discovery document: AWS requires caching of the JWKS only", () => {
    const lane = answered({ document: "discovery", headers: { pragma: "no-cache" } });
    expect(lane?.words).toMatch(/no-cache: it may not be cached/);
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
])("the time %d is shown as %s", (ms, text) => {
  expect(clockTime(ms, NOON)).toBe(text);
});

test("a distance is shown with its direction", () => {
  expect([fromNow(NOON + 90_000, NOON), fromNow(NOON - 500, NOON)]).toEqual([
    "in 90 s",
    "500 ms ago",
  ]);
});
