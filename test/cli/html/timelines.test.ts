import { describe, expect, test } from "vitest";
import {
  cacheLanes,
  cacheTimeline,
  clockTime,
  fromNow,
  waterfall,
} from "../../../src/cli/html/timelines.js";
import type { Diagnosis, Timing, TokenReport } from "../../../src/doctor/diagnosis.js";
import type { RequestTiming } from "../../../src/model/findings.js";
import { sampleDiagnosis } from "../sample-diagnosis.js";

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
  ] as const)("shows whether %j is a failure", (change, isBad) => {
    expect(waterfallOf({ ...JWKS_REQUEST, ...change }).includes('class="bad"')).toBe(isBad);
  });

  test("shows a URL once, however often it was requested", () => {
    expect(
      waterfallOf(JWKS_REQUEST, JWKS_REQUEST, JWKS_REQUEST).split("login.example.com"),
    ).toHaveLength(2);
  });
});

/** When the run of the sample began. */
const START_MS = Date.UTC(2026, 0, 1, 0, 0, 0);

/** A time of a token, in milliseconds from the start of the sample's run. */
const secondsAt = (ms: number) => Math.round((START_MS + ms) / 1000);

interface CacheFacts {
  readonly token?: TokenReport | undefined;
  /** Differs from the sample's response for the JWKS; without it, no document was requested. */
  readonly response?: Partial<RequestTiming>;
}

/** The sample with this token and this response alone. */
function diagnosisWith(change: CacheFacts, clockSkewMs?: number): Diagnosis {
  const { facts } = sampleDiagnosis();
  const jwks = facts.issuer?.requests.at(-1);
  return sampleDiagnosis({
    facts: {
      ...facts,
      clockSkewMs,
      token: change.token,
      issuer:
        facts.issuer && jwks && change.response
          ? { ...facts.issuer, requests: [{ ...jwks, ...change.response }] }
          : undefined,
    },
  });
}

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
    const html = drawn({ token, response: { headers: { "cache-control": "max-age=864000" } } });
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
      response: { headers: { "cache-control": "max-age=999999999999999" } },
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

/** When the run of the sample ended. */
const NOW = START_MS + 8000;
const MINUTE = 60_000;

const laneOf = (response: Partial<RequestTiming>) =>
  cacheLanes(diagnosisWith({ response }), NOW)[0];
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
  ])("says whether STS rejects a token %s", (_name, token, isBad) => {
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
    const lane = laneOf({ headers: { "cache-control": "max-age=600", age: "60" } });
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
    [{ headers: { "cache-control": "max-age=0" } }, /stale immediately \(max-age=0\)/, false],
    [{ headers: { expires: "-1" } }, /stale immediately \(Expires\)/, false],
    [{ status: 304, headers: { "cache-control": "max-age=9" } }, /may be cached until/, false],
    [{ status: 429, headers: { "retry-after": "30" } }, /Returned 429 .*Retry-After: 30/, true],
    [{ status: undefined, error: "ECONNRESET", headers: {} }, /No response .*ECONNRESET/, true],
  ])("is described in words for %j", (response, words, isBad) => {
    const lane = laneOf(response);
    expect(lane?.words).toMatch(words);
    expect(lane?.isBad).toBe(isBad);
    expect(lane?.marks).toHaveLength(1);
  });

  test("may be zero for the discovery document, because AWS requires caching of the JWKS only", () => {
    const lane = laneOf({ document: "discovery", headers: { pragma: "no-cache" } });
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
