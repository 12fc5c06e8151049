import { describe, expect, test } from "vitest";
import {
  CacheBench,
  fail,
  HOUR,
  outage,
  refusal,
  refuse,
  stale,
  succeed,
} from "../support/make-cache.js";

describe("with nothing cached", () => {
  test("any number of callers wait for one refresh, and get the same credentials", async () => {
    const bench = new CacheBench();
    bench.delayMs = 500;
    const callers = Array.from({ length: 1_000 }, () => bench.get());
    expect(await bench.clock.run(Promise.all(callers))).toEqual(Array(1_000).fill("AKID-1"));
    expect(bench.calls).toHaveLength(1);
  });

  test("a failure reaches every waiting caller, and the next refresh waits for the backoff", async () => {
    const bench = new CacheBench();
    bench.respond = fail;
    bench.delayMs = 500;
    const callers = [bench.get(), bench.get(), bench.get()];
    expect(await bench.clock.run(Promise.all(callers))).toEqual(Array(3).fill(outage));
    const nextRefreshAllowedAt = bench.clock.now() + 500;
    expect(bench.failures).toEqual([
      { error: outage, servedFromCache: false, nextRefreshAllowedAt },
    ]);
    expect(bench.cache.snapshot()).toMatchObject({ nextRefreshAllowedAt });
    bench.respond = succeed;
    await bench.clock.advance(499);
    expect([await bench.get(), bench.calls.length]).toEqual([outage, 1]);
    await bench.clock.advance(1);
    expect(await bench.clock.run(bench.get())).toBe("AKID-1");
  });

  test("the backoff doubles up to four seconds while refreshes fail, and starts again after a success", async () => {
    const bench = new CacheBench();
    bench.respond = fail;
    const backoffs = async (count: number) => {
      const seen: number[] = [];
      for (let i = 0; i < count; i += 1) {
        await bench.get();
        const until = bench.cache.snapshot().nextRefreshAllowedAt ?? 0;
        seen.push(until - bench.clock.now());
        await bench.clock.advance(seen[i] ?? 0);
      }
      return seen;
    };
    expect(await backoffs(5)).toEqual([500, 1_000, 2_000, 2_000, 2_000]);
    bench.respond = async ({ issue }) => issue(1);
    await bench.get();
    await bench.clock.advance(1_000);
    bench.respond = fail;
    expect(await backoffs(2)).toEqual([500, 1_000]);
  });

  test("the next refresh waits for Retry-After, thirty seconds at most, and so does a forced one", async () => {
    for (const [retryAfterMs, backoffMs] of [
      [7_000, 7_000],
      [120_000, 30_000],
      [Number.POSITIVE_INFINITY, 30_000],
    ] as const) {
      const advice = { isRejection: false, isFree: false, retryAfterMs };
      const bench = new CacheBench({ adviceOf: () => advice });
      bench.respond = fail;
      await bench.get();
      await bench.clock.advance(backoffMs - 1);
      expect(await bench.get({ forceRefresh: true })).toBe(outage);
      expect([await bench.get(), bench.calls.length]).toEqual([outage, 1]);
      await bench.clock.advance(1);
      bench.respond = succeed;
      expect(await bench.get({ forceRefresh: true })).toBe("AKID-1");
    }
  });

  test("a failed refresh that sent no request causes no backoff", async () => {
    const advice = { isRejection: false, isFree: true, retryAfterMs: undefined };
    const bench = new CacheBench({ adviceOf: () => advice });
    bench.respond = fail;
    expect([await bench.get(), bench.failures[0]?.nextRefreshAllowedAt]).toEqual([
      outage,
      undefined,
    ]);
    bench.respond = succeed;
    expect(await bench.get()).toBe("AKID-1");
  });

  test("a rejection is cached with serveExpired too, while no credentials were ever cached", async () => {
    const bench = new CacheBench({ serveExpired: true, random: () => 0.5 });
    bench.respond = refuse;
    expect(await bench.get()).toBe(refusal);
    bench.respond = succeed;
    await bench.clock.advance(2_999);
    expect([await bench.get(), bench.calls.length]).toEqual([refusal, 1]);
    await bench.clock.advance(1);
    expect(await bench.get()).toBe("AKID-1");
  });

  test("an empty request is the same as no request", async () => {
    const bench = new CacheBench();
    bench.respond = fail;
    expect(await bench.get({})).toBe(outage);
    expect(await bench.get({})).toBe(outage);
  });

  test("invalidate() has no effect, neither now nor on the next credentials", async () => {
    const bench = new CacheBench();
    bench.cache.invalidate();
    bench.cache.invalidate("AKID-1");
    expect(bench.cache.snapshot().invalidated).toBe(false);
    await bench.fill(HOUR);
    expect([await bench.get(), bench.cache.snapshot().invalidated]).toEqual(["AKID-1", false]);
    expect(bench.calls).toHaveLength(1);
  });

  test("a permanent refusal is cached for one to five seconds, for every caller", async () => {
    for (const [random, memoryMs] of [
      [0, 1_000],
      [0.5, 3_000],
    ] as const) {
      const bench = new CacheBench({ random: () => random });
      bench.respond = refuse;
      expect(await bench.get()).toBe(refusal);
      bench.respond = succeed;
      await bench.clock.advance(memoryMs - 1);
      expect([await bench.get(), bench.calls.length]).toEqual([refusal, 1]);
      await bench.clock.advance(1);
      expect([await bench.get(), bench.calls.length]).toEqual(["AKID-1", 2]);
    }
  });

  test.each([HOUR, -HOUR])(
    "a clock that is set by %d s does not change how long a rejection is cached",
    async (seconds) => {
      const bench = new CacheBench();
      bench.respond = refuse;
      expect(await bench.get()).toBe(refusal);
      bench.clock.setWallClock(bench.clock.now() + seconds * 1000);
      bench.respond = succeed;
      expect([await bench.get(), bench.calls.length]).toEqual([refusal, 1]);
      await bench.clock.advance(5_000);
      expect(await bench.get()).toBe("AKID-1");
    },
  );

  test("forceRefresh passes a cached rejection, but not the backoff", async () => {
    const bench = new CacheBench({ random: () => 0.5 });
    bench.respond = refuse;
    await bench.get();
    bench.respond = succeed;
    await bench.clock.advance(749);
    expect(await bench.get({ forceRefresh: true })).toBe(refusal);
    await bench.clock.advance(1);
    expect(await bench.get()).toBe(refusal);
    expect(await bench.get({ forceRefresh: true })).toBe("AKID-1");
  });

  test("credentials that have already expired are a failed refresh", async () => {
    const bench = new CacheBench();
    for (const expiration of [new Date(bench.clock.now()), new Date(0), new Date(Number.NaN)]) {
      bench.respond = async () => ({ accessKeyId: "stale", expiration });
      expect(await bench.get()).toBe(stale);
      await bench.clock.advance(4_000);
    }
    expect(bench.calls).toHaveLength(3);
    expect(bench.cache.snapshot().entry).toBeUndefined();
  });

  test("credentials without an expiration are never refreshed", async () => {
    const bench = new CacheBench();
    bench.respond = async () => ({ accessKeyId: "for-ever" });
    await bench.get();
    await bench.clock.advance(365 * 24 * HOUR * 1000);
    expect([await bench.get(), bench.calls.length]).toEqual(["for-ever", 1]);
  });

  test("a source that throws instead of rejecting fails the same way", async () => {
    const bench = new CacheBench({
      refresh: () => {
        throw outage;
      },
    });
    expect(await bench.get()).toBe(outage);
    await bench.clock.advance(500);
    expect(await bench.get()).toBe(outage);
    expect(bench.failures).toHaveLength(2);
  });
});

describe("valid credentials", () => {
  test("are served without a refresh, as the same promise each time", async () => {
    const bench = new CacheBench();
    await bench.fill(HOUR, 901);
    expect(bench.cache.get()).toBe(bench.cache.get());
    expect([await bench.get(), bench.calls.length]).toEqual(["AKID-1", 1]);
  });

  test("are replaced by forceRefresh, and all callers that force wait for the same refresh", async () => {
    const bench = new CacheBench();
    await bench.fill(HOUR);
    bench.delayMs = 5_000;
    const forced = [bench.get({ forceRefresh: true }), bench.get({ forceRefresh: true })];
    expect(await bench.get()).toBe("AKID-1");
    expect(await bench.clock.run(Promise.all(forced))).toEqual(["AKID-2", "AKID-2"]);
    expect([await bench.get(), bench.calls.length]).toEqual(["AKID-2", 2]);
  });

  test("are refreshed when they are due, although the previous ones lived longer", async () => {
    const bench = new CacheBench();
    await bench.fill(HOUR);
    expect(await bench.get()).toBe("AKID-1");
    bench.respond = async ({ issue }) => issue(20);
    expect(await bench.get({ forceRefresh: true })).toBe("AKID-2");
    expect(await bench.get()).toBe("AKID-2");
    await bench.clock.advance(10_000);
    expect([await bench.get(), bench.calls.length]).toEqual(["AKID-3", 3]);
  });

  test("are served to the caller when forceRefresh fails", async () => {
    const bench = new CacheBench();
    await bench.fill(HOUR);
    bench.respond = fail;
    expect(await bench.get({ forceRefresh: true })).toBe("AKID-1");
    expect(bench.failures).toMatchObject([{ servedFromCache: true }]);
  });
});

describe("in the advisory window", () => {
  test("no caller waits: callers get the cached credentials, and the refresh runs in the background", async () => {
    const bench = new CacheBench();
    await bench.fill(HOUR, 900);
    bench.delayMs = 5_000;
    expect(await Promise.all([bench.get(), bench.get(), bench.get()])).toEqual(
      Array(3).fill("AKID-1"),
    );
    expect([bench.calls.length, bench.clock.holds]).toEqual([2, 0]);
    await bench.clock.advance(5_000);
    expect([await bench.get(), bench.calls.length]).toEqual(["AKID-2", 2]);
  });

  test("a failure reaches no caller, and no refresh starts for five to ten minutes", async () => {
    const bench = new CacheBench({ random: () => 0.2 });
    await bench.fill(6 * HOUR, 3_600);
    bench.respond = fail;
    expect(await bench.get()).toBe("AKID-1");
    await bench.clock.advance(359_999);
    expect([await bench.get(), bench.calls.length]).toEqual(["AKID-1", 2]);
    await bench.clock.advance(1);
    expect([await bench.get(), bench.calls.length]).toEqual(["AKID-1", 3]);
    await bench.clock.flush();
    expect(bench.failures.map(({ servedFromCache }) => servedFromCache)).toEqual([true, true]);
  });

  test("the backoff is reported, and is half of the remaining lifetime at most", async () => {
    const bench = new CacheBench({ random: () => 0.999 });
    await bench.fill(900, 200);
    bench.respond = fail;
    const now = bench.clock.now();
    await bench.get();
    await bench.clock.flush();
    expect(bench.failures[0]?.nextRefreshAllowedAt).toBe(now + 100_000);
    expect(bench.cache.snapshot().nextRefreshAllowedAt).toBe(now + 100_000);
  });

  test("a refusal and expired credentials are failures like any other", async () => {
    const responses = [refuse, async () => ({ accessKeyId: "stale", expiration: new Date(0) })];
    for (const respond of responses) {
      const bench = new CacheBench();
      await bench.fill(HOUR, 600);
      bench.respond = respond;
      expect(await bench.get()).toBe("AKID-1");
      await bench.clock.flush();
      expect([await bench.get(), bench.calls.length]).toEqual(["AKID-1", 2]);
    }
  });

  test("a success ends the backoff: short-lived credentials are refreshed when they are due", async () => {
    const bench = new CacheBench();
    await bench.fill(HOUR, 600);
    bench.respond = fail;
    await bench.get();
    await bench.clock.flush();
    bench.respond = async ({ issue }) => issue(600);
    expect(await bench.get({ forceRefresh: true })).toBe("AKID-1");
    await bench.clock.advance(500);
    expect(await bench.get({ forceRefresh: true })).toBe("AKID-2");
    expect(bench.cache.snapshot().nextRefreshAllowedAt).toBeUndefined();
    await bench.clock.advance(300_000);
    expect([await bench.get(), bench.calls.length]).toEqual(["AKID-2", 4]);
  });
});

describe("in the mandatory window", () => {
  test("a caller gets the credentials of a refresh that is quick enough", async () => {
    const bench = new CacheBench();
    await bench.fill(HOUR, 60);
    bench.delayMs = 99;
    expect(await bench.clock.run(bench.get())).toBe("AKID-2");
  });

  test("a caller waits 100 ms at most, and the refresh continues", async () => {
    const bench = new CacheBench();
    await bench.fill(HOUR, 60);
    bench.delayMs = 5_000;
    const start = bench.clock.monotonic();
    expect(await bench.clock.run(bench.get())).toBe("AKID-1");
    expect(bench.clock.monotonic() - start).toBe(100);
    await bench.clock.advance(4_900);
    expect([await bench.get(), bench.calls.length]).toEqual(["AKID-2", 2]);
  });

  test("a slow refresh makes no caller wait twice, and no later caller wait at all", async () => {
    const bench = new CacheBench();
    await bench.fill(HOUR, 60);
    bench.delayMs = 5_000;
    const start = bench.clock.monotonic();
    const early = bench.get();
    await bench.clock.advance(60);
    const late = bench.get();
    expect(await bench.clock.run(Promise.all([early, late]))).toEqual(["AKID-1", "AKID-1"]);
    expect(await bench.get()).toBe("AKID-1");
    expect([bench.clock.monotonic() - start, bench.calls.length]).toEqual([100, 2]);
  });

  test("a failure reaches no caller, and leaves no timer", async () => {
    const bench = new CacheBench();
    await bench.fill(HOUR, 60);
    bench.respond = fail;
    expect(await bench.get()).toBe("AKID-1");
    expect([bench.clock.pending, bench.clock.holds]).toEqual([0, 0]);
    expect(bench.failures[0]?.nextRefreshAllowedAt).toBe(bench.clock.now() + 30_000);
  });

  test("credentials that expire while a caller waits are not served", async () => {
    const bench = new CacheBench();
    await bench.fill(HOUR, 0.05);
    bench.delayMs = 80;
    bench.respond = fail;
    expect(await bench.clock.run(bench.get())).toBe(outage);
  });

  test("a caller whose credentials expire during the 100 ms waits for the refresh", async () => {
    const bench = new CacheBench();
    await bench.fill(HOUR, 0.05);
    bench.delayMs = 5_000;
    expect(await bench.clock.run(bench.get())).toBe("AKID-2");
    expect([bench.calls.length, bench.clock.holds]).toEqual([2, 0]);
  });
});
