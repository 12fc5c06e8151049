import { describe, expect, test } from "vitest";
import { cacheLanes, cacheTimeline } from "../../../src/cli/html/cache-timeline.js";
import type { Diagnosis, TokenReport } from "../../../src/doctor/diagnosis.js";
import type { RequestTiming } from "../../../src/model/issuer-report.js";
import { sampleDiagnosis } from "../sample-diagnosis.js";

const START = Date.UTC(2026, 0, 1, 0, 0, 0);
/** Of the sample: when its run ended. */
const NOW = START + 8000;
const MINUTE = 60_000;

function withFacts(
  change: { token?: TokenReport | undefined; answer?: Partial<RequestTiming> },
  clockSkewMs?: number,
): Diagnosis {
  const { facts } = sampleDiagnosis();
  const jwks = facts.issuer?.requests.at(-1);
  return sampleDiagnosis({
    facts: {
      ...facts,
      clockSkewMs,
      token: change.token,
      issuer:
        facts.issuer && jwks && change.answer
          ? { ...facts.issuer, requests: [{ ...jwks, ...change.answer }] }
          : undefined,
    },
  });
}

const answered = (answer: Partial<RequestTiming>) => cacheLanes(withFacts({ answer }), NOW)[0];
const living = (token: Partial<TokenReport>) =>
  cacheLanes(withFacts({ token: { source: "the token given", ...token } }), NOW)[0];
const at = (ms: number) => Math.round((START + ms) / 1000);

describe("the life of a token", () => {
  test("is from iat or nbf, whichever is later, to exp, with five minutes more on each side", () => {
    const lane = living({ iat: at(-60_000), notBefore: at(0), exp: at(600_000) });
    expect(lane?.spans).toEqual([
      { kind: "tolerated", fromMs: START - 5 * MINUTE, toMs: START },
      { kind: "valid", fromMs: START, toMs: START + 10 * MINUTE },
      { kind: "tolerated", fromMs: START + 10 * MINUTE, toMs: START + 15 * MINUTE },
    ]);
    expect(lane?.words).toBe(
      "Issued 2025-12-31 23:59:00 (iat, 68 s ago). Not before 00:00:00 (nbf, 8 s ago). Ends 00:10:00 (exp, in 10 min). STS tolerates 5 min on each.",
    );
  });

  test.each([
    ["tolerated after its end", { iat: at(-900_000), exp: at(-100_000) }, false],
    ["over", { iat: at(-900_000), exp: at(-300_000) }, true],
    ["tolerated before its begin", { iat: at(300_000), exp: at(900_000) }, false],
    ["yet to come", { iat: at(400_000), exp: at(900_000) }, true],
    ["without an end", { iat: at(0) }, false],
  ])("that is %s is told so", (_name, token, isBad) => {
    expect(living(token)?.isBad).toBe(isBad);
  });

  test("is over when it is so by the clock of STS", () => {
    const token = { source: "the token given", iat: at(-900_000), exp: at(0) };
    const isBad = (skewMs: number) => cacheLanes(withFacts({ token }, skewMs), NOW)[0]?.isBad;
    expect([isBad(0), isBad(5 * MINUTE)]).toEqual([false, true]);
  });

  test("without any time is not drawn", () => {
    expect(living({})).toBeUndefined();
  });
});

describe("the copy of a document", () => {
  test("lives from when it was made, Age seconds before it came", () => {
    const lane = answered({ headers: { "cache-control": "max-age=600", age: "60" } });
    const cameMs = START + 953 + 6400;
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

describe("the timeline", () => {
  const drawn = (...change: Parameters<typeof withFacts>) =>
    `${cacheTimeline(withFacts(...change))}`;

  test("has every lane on one axis with now on it, and the same in words", () => {
    const html = `${cacheTimeline(sampleDiagnosis())}`;
    expect(html.match(/<th scope="row"[^>]*>[^<]+/g)?.map((tag) => tag.split(">")[1])).toEqual([
      "Token",
      "Discovery document",
      "JWKS",
    ]);
    expect(html.match(/<line class="now"/g)).toHaveLength(3);
    expect(new Set(html.match(/<line class="now" x1="[^"]+"/g)).size).toBe(1);
    expect(html.match(/<p class="words">[^<]/g)).toHaveLength(3);
  });

  test("shows an hour's token beside a day's copy, and that the copy goes on", () => {
    const token = { source: "the token given", iat: at(0), exp: at(3_600_000) };
    const html = drawn({ token, answer: { headers: { "cache-control": "max-age=864000" } } });
    const [token_ = "", jwks = ""] =
      html.match(/<rect class="valid" x="[^"]+" width="([\d.]+)%"/g) ?? [];
    expect(Number(/width="([\d.]+)/.exec(token_)?.[1])).toBeGreaterThan(5);
    expect(Number(/width="([\d.]+)/.exec(jwks)?.[1])).toBeGreaterThan(90);
    expect(html.match(/class="goes-on" x="100%"/g)).toHaveLength(1);
  });

  test("has the clock of STS when it differs by a minute or more", () => {
    const token = { source: "the token given", iat: at(0), exp: at(3_600_000) };
    expect(drawn({ token }, 59_000)).not.toContain("sts-now");
    expect(drawn({ token }, -600_000)).toContain("now by the clock of STS, 10 min behind");
  });

  test("bears times that no date can tell", () => {
    const token = { source: "the token given", iat: -(2 ** 62), exp: 2 ** 63 };
    const html = drawn({
      token,
      answer: { headers: { "cache-control": "max-age=999999999999999" } },
    });
    expect(html).toContain("after the year 9999");
    expect(html).not.toMatch(/NaN|Infinity/);
  });

  test("is left out where there is nothing to draw, or no time it began", () => {
    expect(drawn({})).toBe("");
    const { facts } = sampleDiagnosis();
    const odd = sampleDiagnosis({ facts: { ...facts, startedAt: "yesterday" } });
    expect(`${cacheTimeline(odd)}`).toBe("");
  });
});
