import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cacheTimeline, TimeScale, waterfall } from "../../../src/cli/html/timelines.js";
import type { Timing } from "../../../src/doctor/diagnosis.js";
import { sampleDiagnosis } from "../sample-diagnosis.js";
import { diagnosisWith, secondsAt } from "./cache-facts.js";

const JWKS_REQUEST: Timing = {
  step: "issuer-documents",
  party: "issuer",
  label: "JWKS (request 1)",
  url: "https://login.example.com/keys",
  startMs: 0,
  totalMs: 20,
  status: 200,
  limitMs: 5000,
};
const waterfallOf = (...timings: Timing[]) => `${waterfall(timings)}`;

describe("the waterfall", () => {
  const html = `${waterfall(sampleDiagnosis().timings)}`;

  test("has a lane for each request, with its parts drawn and in words", () => {
    expect(html.match(/<td class="lane"/g)).toHaveLength(3);
    expect(html).toContain(
      "at 953 ms: DNS 31 ms, connect 80 ms, TLS 160 ms, wait 5.6 s, read 500 ms",
    );
    expect(
      html.match(/<rect class="(?:dns|connect|tls|wait|read)" x="[^"]+" width="\d+\.\d+%"/g),
    ).toHaveLength(7);
  });

  test("has the 5 s line in each lane, red for requests to the identity provider", () => {
    expect(html.match(/<line class="limit"/g)).toHaveLength(1);
    expect(html.match(/<line class="measure"/g)).toHaveLength(2);
  });

  test("is wide enough for the 5 s line of a late request", () => {
    const late = waterfallOf(JWKS_REQUEST, { ...JWKS_REQUEST, startMs: 9000 });
    const [, last = ""] = late.match(/<line class="limit" x1="([\d.]+)%"/g) ?? [];
    const x = Number(/x1="([\d.]+)/.exec(last)?.[1]);
    expect(x).toBeGreaterThan(90);
    expect(x).toBeLessThan(100);
  });

  test("says in words that STS would have timed out", () => {
    expect(waterfallOf({ ...JWKS_REQUEST, totalMs: 4999 })).not.toMatch(/timed out|class="bad"/);
    expect(waterfallOf({ ...JWKS_REQUEST, totalMs: 5000 })).toMatch(
      /timed out.*class="bad">✗ 5 s<br>200/,
    );
  });

  test.each([
    [{ error: "ECONNRESET" }, true],
    [{ status: 500 }, true],
    [{ status: 304 }, false],
    [{ step: "sts-endpoint", party: "sts", status: 403 }, false],
    [{ step: "assume-role", party: "sts", status: 403 }, true],
  ] as const)("marks %j as failed: %s", (change, isBad) => {
    expect(waterfallOf({ ...JWKS_REQUEST, ...change }).includes('class="bad"')).toBe(isBad);
  });

  test("shows a URL once, however often it was requested", () => {
    expect(
      waterfallOf(JWKS_REQUEST, JWKS_REQUEST, JWKS_REQUEST).split("login.example.com"),
    ).toHaveLength(2);
  });
});

describe("the cache timeline", () => {
  const drawn = (...change: Parameters<typeof diagnosisWith>) =>
    `${cacheTimeline(diagnosisWith(...change))}`;

  test("has all lanes on one axis with now on it, and the same in words", () => {
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

  test("shows a token of an hour next to a document cached for days, which continues beyond the edge", () => {
    const token = { source: "the token given", iat: secondsAt(0), exp: secondsAt(3_600_000) };
    const html = drawn({ token, answer: { headers: { "cache-control": "max-age=864000" } } });
    const [token_ = "", jwks = ""] =
      html.match(/<rect class="valid" x="[^"]+" width="([\d.]+)%"/g) ?? [];
    expect(Number(/width="([\d.]+)/.exec(token_)?.[1])).toBeGreaterThan(5);
    expect(Number(/width="([\d.]+)/.exec(jwks)?.[1])).toBeGreaterThan(90);
    expect(html.match(/class="goes-on" x="100%"/g)).toHaveLength(1);
  });

  test("shows the clock of STS if it differs by a minute or more", () => {
    const token = { source: "the token given", iat: secondsAt(0), exp: secondsAt(3_600_000) };
    expect(drawn({ token }, 59_000)).not.toContain("sts-now");
    expect(drawn({ token }, -600_000)).toContain("now by the clock of STS, 10 min behind");
  });

  test("accepts times outside the range of dates", () => {
    const token = { source: "the token given", iat: -(2 ** 62), exp: 2 ** 63 };
    const html = drawn({
      token,
      answer: { headers: { "cache-control": "max-age=999999999999999" } },
    });
    expect(html).toContain("after the year 9999");
    expect(html).not.toMatch(/NaN|Infinity/);
  });

  test("is omitted if there is nothing to draw or the start time is unknown", () => {
    expect(drawn({})).toBe("");
    const { facts } = sampleDiagnosis();
    const odd = sampleDiagnosis({ facts: { ...facts, startedAt: "yesterday" } });
    expect(`${cacheTimeline(odd)}`).toBe("");
  });
});

describe("an axis of time", () => {
  test("positions times by their share of the width, within its edges", () => {
    const scale = new TimeScale(-1000, 3000);
    expect([-5000, -1000, 0, 3000, 9000].map((ms) => scale.x(ms))).toEqual([
      "0.000%",
      "0.000%",
      "25.000%",
      "100.000%",
      "100.000%",
    ]);
    expect(scale.width(-5000, 1000)).toBe("50.000%");
    expect(scale.width(4000, 9000)).toBe("0.000%");
  });

  test.each([
    [0, 5100, [0, 1000, 2000, 3000, 4000, 5000]],
    [0, 18_000, [0, 5000, 10_000, 15_000]],
    [-300_000, 3_900_000, [0, 1_200_000, 2_400_000, 3_600_000]],
  ])("from %i to %i ms has round ticks", (fromMs, toMs, ticks) => {
    expect(new TimeScale(fromMs, toMs).ticks().map((ms) => ms + 0)).toEqual(ticks);
  });

  test("has at most seven ticks, all inside it, whatever it spans", () => {
    const span = fc.tuple(fc.integer({ min: -1e13, max: 0 }), fc.integer({ min: 1000, max: 1e15 }));
    fc.assert(
      fc.property(span, ([fromMs, toMs]) => {
        const scale = new TimeScale(fromMs, toMs);
        const ticks = scale.ticks();
        expect(ticks.length).toBeLessThanOrEqual(7);
        expect(ticks.every((ms) => scale.holds(ms))).toBe(true);
        expect(ticks.some((ms) => ms === 0)).toBe(true);
      }),
    );
  });
});
