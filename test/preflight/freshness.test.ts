import { describe, expect, test } from "vitest";
import {
  isUncacheable,
  lifetimeMs,
  pauseMs,
  readFreshness,
  retryAfterMs,
} from "../../src/preflight/freshness.js";

const DATE = "Thu, 01 Jan 2026 00:00:00 GMT";
const LATER = "Thu, 01 Jan 2026 00:02:00 GMT";

describe("how long a response may be cached", () => {
  test.each([
    [{ "cache-control": "max-age=600", age: "60" }, 600, 60, "max-age=600"],
    [{ "cache-control": 'public, MAX-AGE="30"', expires: LATER, date: DATE }, 30, 0, "max-age=30"],
    [{ "cache-control": "max-age=5", age: "many" }, 5, 0, "max-age=5"],
    [{ expires: LATER, date: DATE, age: "7" }, 120, 7, "Expires"],
    [{ expires: DATE, date: LATER }, 0, 0, "Expires"],
    [{ expires: "0" }, 0, 0, "Expires"],
  ])("%j allow %i s, of which %i s have passed", (headers, lifetimeSeconds, ageSeconds, source) => {
    const expected = { kind: "for", lifetimeSeconds, ageSeconds, source };
    expect(readFreshness(headers)).toEqual(expected);
  });

  test.each([
    [{ "cache-control": "public, No-Cache, max-age=600" }, "no-cache"],
    [{ "cache-control": "no-store" }, "no-store"],
    [{ pragma: "no-cache", "cache-control": "max-age=600" }, "no-cache"],
  ])("%j forbid caching", (headers, words) => {
    expect(readFreshness(headers)).toEqual({ kind: "refused", words });
  });

  test.each([{}, { expires: LATER }, { "cache-control": "s-maxage=600, public" }])(
    "%j set no time",
    (headers) => {
      expect(readFreshness(headers)).toEqual({ kind: "unsaid" });
    },
  );
});

describe("how long a document is cached", () => {
  const NOW = Date.parse(DATE);
  const MINUTE = 60_000;

  test.each<[string, Record<string, string>, number]>([
    ["max-age", { "cache-control": "max-age=600" }, 10 * MINUTE],
    ["max-age less Age", { "cache-control": "max-age=600", age: "60" }, 9 * MINUTE],
    ["Expires after Date", { expires: LATER, date: DATE }, 2 * MINUTE],
    ["Expires after the arrival, without a Date", { expires: LATER }, 2 * MINUTE],
    ["nothing", {}, 10 * MINUTE],
    ["Expires: 0, which is the past", { expires: "0" }, MINUTE / 2],
    ["a year that is only a number", { expires: "2030" }, MINUTE / 2],
    ["no-cache", { "cache-control": "no-cache, max-age=600" }, MINUTE / 2],
    ["max-age=0", { "cache-control": "max-age=0" }, MINUTE / 2],
    ["a year", { "cache-control": "max-age=31536000" }, 24 * 60 * MINUTE],
  ])("by %s", (_, headers, expected) => {
    expect(lifetimeMs(headers, NOW)).toBe(expected);
  });

  test("only Cache-Control and Pragma forbid it", () => {
    expect(isUncacheable({ pragma: "no-cache" })).toBe(true);
    expect(isUncacheable({ "cache-control": "NO-STORE" })).toBe(true);
    expect(isUncacheable({ "cache-control": "public", via: "no-cache" })).toBe(false);
    expect(isUncacheable({ "cache-control": "no-cached" })).toBe(false);
  });
});

describe("Retry-After of an issuer", () => {
  test.each<[string | undefined, number | undefined]>([
    [undefined, undefined],
    ["", undefined],
    ["  ", undefined],
    ["0", 1_000],
    ["1", 1_000],
    ["7", 7_000],
    ["soon", 30_000],
    ["99999", 3_600_000],
  ])("%j means a wait of %j ms", (value, expected) => {
    expect(retryAfterMs({ "retry-after": value }, 0)).toBe(expected);
  });

  test("counts a date by the issuer's clock", () => {
    const headers = {
      "retry-after": "Fri, 02 Jan 2026 03:05:00 GMT",
      date: "Fri, 02 Jan 2026 03:04:00 GMT",
    };
    expect(retryAfterMs(headers, 0)).toBe(60_000);
    expect(retryAfterMs(headers, Date.UTC(2030, 0))).toBe(60_000);
  });

  test("is assumed to be 30 s when a response limits the rate without it", () => {
    expect(pauseMs({}, 0)).toBe(30_000);
    expect(pauseMs({ "retry-after": "5" }, 0)).toBe(5_000);
  });
});
