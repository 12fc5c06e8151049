import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  backoffWhileCachedMs,
  cachedRejectionMs,
  jitteredAdvisoryMs,
  RefreshTimer,
  urgentBackoffMs,
  windowsFor,
} from "../../src/credentials/refresh-timing.js";
import { FakeClock } from "../support/fake-clock.js";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

const MINUTE = 60_000;
const minutes = (n: number) => n * MINUTE;
const ALMOST_ONE = 1 - Number.EPSILON / 2;

describe("the windows of credentials", () => {
  test.each<[string, number, number, number]>([
    ["0", 0, 0, 0],
    ["200 s", 200_000, 100_000, 60_000],
    ["100 s", 100_000, 50_000, 50_000],
    ["10 minutes", minutes(10), minutes(5), MINUTE],
    ["15 minutes", minutes(15), minutes(5), MINUTE],
    ["20 minutes", minutes(20), minutes(5), MINUTE],
    ["a millisecond more than 20 minutes", minutes(20) + 1, minutes(15), MINUTE],
    ["20.5 minutes", minutes(20.5), minutes(15), MINUTE],
    ["30 minutes", minutes(30), minutes(15), MINUTE],
    ["60 minutes", minutes(60), minutes(15), MINUTE],
    ["a millisecond less than 90 minutes", minutes(90) - 1, minutes(15), MINUTE],
    ["90 minutes", minutes(90), minutes(60), MINUTE],
    ["2 hours", minutes(120), minutes(60), MINUTE],
    ["6 hours", minutes(360), minutes(60), MINUTE],
    ["ever", Number.POSITIVE_INFINITY, minutes(60), MINUTE],
  ])("that are valid for %s", (_, lifetimeMs, advisoryMs, mandatoryMs) => {
    expect(windowsFor(lifetimeMs, {})).toEqual({ advisoryMs, mandatoryMs });
  });

  test("that have already expired are empty", () => {
    expect(windowsFor(-5_000, {})).toEqual({ advisoryMs: 0, mandatoryMs: 0 });
  });

  test("are the configured ones for every lifetime that is long enough", () => {
    const options = { advisoryWindowSeconds: 1_800, mandatoryWindowSeconds: 120 };
    const expected = { advisoryMs: 1_800_000, mandatoryMs: 120_000 };
    expect(windowsFor(minutes(60), options)).toEqual(expected);
    expect(windowsFor(minutes(360), options)).toEqual(expected);
    expect(windowsFor(minutes(10), options)).toEqual({ advisoryMs: 300_000, mandatoryMs: 120_000 });
  });

  test("may be switched off", () => {
    expect(windowsFor(minutes(60), { advisoryWindowSeconds: 0 })).toEqual({
      advisoryMs: 0,
      mandatoryMs: 0,
    });
    expect(windowsFor(minutes(60), { mandatoryWindowSeconds: 0 }).mandatoryMs).toBe(0);
  });

  test("are nested, and leave a part of the lifetime without a refresh", () => {
    const lifetimes = fc.oneof(fc.integer({ min: -1e6, max: 1e9 }), fc.constant(Infinity));
    const configured = fc.record(
      { advisoryWindowSeconds: fc.nat(43_200), mandatoryWindowSeconds: fc.nat(43_200) },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(lifetimes, configured, (lifetimeMs, options) => {
        const { advisoryMs, mandatoryMs } = windowsFor(lifetimeMs, options);
        expect(mandatoryMs).toBeGreaterThanOrEqual(0);
        expect(mandatoryMs).toBeLessThanOrEqual(advisoryMs);
        expect(advisoryMs).toBeLessThanOrEqual(Math.max(0, lifetimeMs * 0.75));
      }),
    );
  });
});

describe("the jitter of a fleet", () => {
  test("makes the advisory window begin up to a third earlier, and never later", () => {
    const windows = { advisoryMs: minutes(15), mandatoryMs: MINUTE };
    const begin = (random: number) => jitteredAdvisoryMs(windows, minutes(60), () => random);
    expect(begin(0)).toBe(minutes(15));
    expect(begin(0.5)).toBe(minutes(17.5));
    expect(begin(ALMOST_ONE)).toBeCloseTo(minutes(20));
  });

  test("moves a window that would begin in the first half of the lifetime, so that every fleet is spread", () => {
    const begin = (window: number, lifetime: number, random: number) => {
      const windows = { advisoryMs: minutes(window), mandatoryMs: 0 };
      return jitteredAdvisoryMs(windows, minutes(lifetime), () => random) / MINUTE;
    };
    // A third of the window wide, whatever it is: all on top, on both sides, all taken off.
    expect([begin(15, 60, 0), begin(15, 60, 0.75)]).toEqual([15, 18.75]);
    expect([begin(15, 34, 0), begin(15, 34, 0.4), begin(15, 34, 0.75)]).toEqual([15, 17, 13.25]);
    expect([begin(15, 30, 0), begin(15, 30, 0.75)]).toEqual([15, 11.25]);
    expect([begin(60, 120, 0), begin(60, 120, 0.75)]).toEqual([60, 45]);
    expect([begin(5, 10, 0), begin(5, 10, 0.75)]).toEqual([5, 3.75]);
  });

  test("spreads every fleet over a third of its window, and not further", () => {
    const lifetimes = fc.integer({ min: 900_000, max: 43_200_000 });
    fc.assert(
      fc.property(lifetimes, (lifetimeMs) => {
        const windows = windowsFor(lifetimeMs, {});
        const { advisoryMs } = windows;
        const begins = Array.from({ length: 90 }, (_, number) =>
          jitteredAdvisoryMs(windows, lifetimeMs, () => number / 90),
        );
        const [earliest, latest] = [Math.max(...begins), Math.min(...begins)];
        expect(earliest - latest).toBeGreaterThan(advisoryMs * 0.32);
        expect(earliest - latest).toBeLessThanOrEqual(advisoryMs / 3);
        expect(earliest).toBeLessThanOrEqual(Math.max(advisoryMs, lifetimeMs / 2));
        expect(new Set(begins).size).toBe(90);
      }),
    );
  });

  test("leaves the mandatory window inside the advisory one", () => {
    const begin = (advisoryMs: number, mandatoryMs: number, lifetimeMs: number, random: number) =>
      jitteredAdvisoryMs({ advisoryMs, mandatoryMs }, lifetimeMs, () => random);
    expect(begin(60_000, 50_000, 100_000, ALMOST_ONE)).toBeGreaterThanOrEqual(50_000);
    expect(begin(50_000, 50_000, 100_000, 0.9)).toBe(50_000);
    expect(begin(0, 0, 0, 0.9)).toBe(0);
  });
});

describe("the refresh backoff while credentials are cached", () => {
  test("is uniform between five and ten minutes for a long remaining lifetime", () => {
    const pause = (random: number) => backoffWhileCachedMs(minutes(60), () => random);
    expect(pause(0)).toBe(minutes(5));
    expect(pause(0.5)).toBe(minutes(7.5));
    expect(pause(ALMOST_ONE)).toBeCloseTo(minutes(10));
    expect(backoffWhileCachedMs(Number.POSITIVE_INFINITY, () => 0.5)).toBe(minutes(7.5));
  });

  test("is half of the remaining lifetime if that is less", () => {
    expect(backoffWhileCachedMs(minutes(8), () => 0.9)).toBe(minutes(4));
    expect(backoffWhileCachedMs(minutes(1), () => 0)).toBe(30_000);
  });

  test("always leaves time for another refresh before the expiration, until the last two seconds", () => {
    const remaining = fc.double({ min: 2_001, max: 1e9, noNaN: true });
    const randoms = fc.double({ min: 0, max: ALMOST_ONE, noNaN: true });
    fc.assert(
      fc.property(remaining, randoms, (remainingMs, random) => {
        const pause = backoffWhileCachedMs(remainingMs, () => random);
        expect(pause).toBeGreaterThan(0);
        expect(pause).toBeLessThan(remainingMs);
      }),
    );
  });
});

test("a cached rejection lasts one to five seconds", () => {
  const lasts = [0, 0.5, ALMOST_ONE].map((random) => cachedRejectionMs(() => random));
  expect(lasts).toEqual([1_000, 3_000, 5_000]);
});

describe("the backoff of callers without credentials", () => {
  test("grows from half a second to four, with equal jitter", () => {
    const row = (random: number) =>
      [1, 2, 3, 4, 1_000].map((failures) => urgentBackoffMs(failures, 0, () => random));
    expect(row(0)).toEqual([500, 1_000, 2_000, 2_000, 2_000]);
    expect(row(ALMOST_ONE)).toEqual([1_000, 2_000, 4_000, 4_000, 4_000]);
  });

  test("is as long as Retry-After requires, thirty seconds at most, and never shorter than without it", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100 }),
        fc.oneof(fc.double({ min: 0, noNaN: true }), fc.constant(Number.POSITIVE_INFINITY)),
        fc.double({ min: 0, max: ALMOST_ONE, noNaN: true }),
        (failures, retryAfterMs, random) => {
          const backoff = urgentBackoffMs(failures, retryAfterMs, () => random);
          expect(backoff).toSatisfy(Number.isInteger);
          expect(backoff).toBeGreaterThanOrEqual(urgentBackoffMs(failures, 0, () => random));
          expect(backoff).toBeGreaterThanOrEqual(Math.min(retryAfterMs, 30_000));
          expect(backoff).toBeLessThanOrEqual(Math.max(4_000, Math.min(retryAfterMs + 1, 30_000)));
        },
      ),
    );
  });
});

test("the refresh timer ends when its cache is collected", async () => {
  const clock = new FakeClock();
  const create = () => {
    const owner = { onTimer: () => {} };
    const timer = new RefreshTimer(clock, owner);
    timer.set(1_000_000);
    return new WeakRef(owner);
  };
  const owner = create();
  while (owner.deref() !== undefined) {
    await clock.flush();
    collectGarbage();
  }
  await clock.advance(300_000);
  expect(clock.pending).toBe(0);
});
