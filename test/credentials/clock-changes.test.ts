import { describe, expect, test } from "vitest";
import { CacheBench, fail, HOUR, outage, stale, succeed } from "../support/make-cache.js";

const HOURS = HOUR * 1000;
const MINUTE = 60_000;

/** A cache whose clock was set by so much (in milliseconds) so long after its hour began. */
async function cacheAfter(elapsedMs: number, byMs: number): Promise<CacheBench> {
  const bench = new CacheBench();
  await bench.fill(HOUR, HOUR - elapsedMs / 1000);
  bench.clock.setWallClock(bench.clock.now() + byMs);
  return bench;
}

/** How many minutes of their hour had passed at the next refresh, with a call every minute. */
async function refreshedAfter(bench: CacheBench): Promise<number> {
  while (bench.calls.length < 2) {
    await bench.clock.advance(MINUTE);
    await bench.get();
  }
  return bench.clock.monotonic() / MINUTE;
}

describe("a clock that is set back", () => {
  test.each([
    ["by less than their age", 40, -30],
    ["to before they were fetched", 40, -24 * 60],
    ["by a little", 5, -2],
    ["immediately", 0, -60],
  ])("%s leaves credentials as they are until their refresh is due", async (_, elapsed, by) => {
    const bench = await cacheAfter(elapsed * MINUTE, by * MINUTE);
    expect([await bench.get(), bench.calls.length]).toEqual(["AKID-1", 1]);
    expect(await refreshedAfter(bench)).toBe(45);
  });

  test("between two calls is noticed by the second call", async () => {
    const bench = await cacheAfter(40 * MINUTE, -30 * MINUTE);
    await bench.clock.advance(21 * MINUTE);
    expect([await bench.get(), bench.calls.length]).toEqual(["AKID-2", 2]);
  });

  test("after the last call is noticed too", async () => {
    const bench = await cacheAfter(10 * MINUTE, 0);
    expect(await bench.get()).toBe("AKID-1");
    await bench.clock.advance(30 * MINUTE);
    bench.clock.setWallClock(bench.clock.now() - 25 * MINUTE);
    expect(await refreshedAfter(bench)).toBe(45);
  });

  test("does not let credentials be served after their expiration when refreshes fail", async () => {
    const bench = await cacheAfter(40 * MINUTE, -30 * MINUTE);
    bench.respond = fail;
    await bench.clock.advance(19 * MINUTE);
    expect(await bench.get()).toBe("AKID-1");
    await bench.clock.advance(MINUTE);
    expect(await bench.get()).toBe(outage);
    const { entry, age } = bench.cache.snapshot();
    expect(entry?.lifetimeMs).toBe(age.certainMs);
  });

  test("makes the expiration that callers get earlier by as much, until it is set forward again", async () => {
    const bench = await cacheAfter(10 * MINUTE, 0);
    const first = await bench.cache.get();
    const leftMs = async () => {
      const { expiration } = await bench.cache.get();
      const { entry } = bench.cache.snapshot();
      expect(entry?.credentials.expiration).toEqual(expiration);
      return (expiration?.getTime() ?? 0) - bench.clock.now();
    };
    for (const byMs of [-2 * HOURS, -30 * MINUTE, -365 * 24 * HOURS]) {
      bench.clock.setWallClock(bench.clock.now() + byMs);
      expect(await leftMs()).toBe(50 * MINUTE);
      expect(await bench.cache.get()).toBe(await bench.cache.get());
      bench.clock.setWallClock(bench.clock.now() - byMs);
      expect(await bench.cache.get()).toBe(first);
    }
    bench.clock.setWallClock(bench.clock.now() - HOURS);
    await bench.clock.advance(20 * MINUTE);
    expect([await leftMs(), bench.calls.length]).toEqual([30 * MINUTE, 1]);
  });

  test("leaves the time at which served credentials expired in the past", async () => {
    const bench = new CacheBench({ serveExpired: true });
    await bench.fill(HOUR, 50 * 60);
    bench.clock.setWallClock(bench.clock.now() - 2 * HOURS);
    bench.respond = fail;
    await bench.clock.advance(55 * MINUTE);
    const { expiration } = await bench.cache.get();
    expect((expiration?.getTime() ?? 0) - bench.clock.now()).toBe(-5 * MINUTE);
    await bench.clock.advance(MINUTE);
    expect((await bench.cache.get()).expiration).toEqual(expiration);
  });

  test("by less than a second leaves the expiration as it is", async () => {
    const bench = await cacheAfter(10 * MINUTE, 0);
    const first = await bench.cache.get();
    bench.clock.setWallClock(bench.clock.now() - 999);
    expect(await bench.cache.get()).toBe(first);
  });

  test("repeatedly is noticed every time", async () => {
    const bench = new CacheBench();
    await bench.fill(HOUR);
    for (let minute = 0; minute < 44; minute += 1) {
      await bench.clock.advance(MINUTE);
      bench.clock.setWallClock(bench.clock.now() - 10 * MINUTE);
      expect(await bench.get()).toBe("AKID-1");
    }
    expect(await refreshedAfter(bench)).toBe(45);
  });

  test("by hours leaves invalidated credentials invalidated", async () => {
    const bench = await cacheAfter(10 * MINUTE, 0);
    bench.cache.invalidate();
    bench.clock.setWallClock(bench.clock.now() - 5 * HOURS);
    expect(await bench.get()).toBe("AKID-2");
  });

  test("during a refresh is taken into account for the new credentials", async () => {
    const bench = new CacheBench();
    bench.delayMs = 1_000;
    const first = bench.get();
    await bench.clock.advance(500);
    bench.clock.setWallClock(bench.clock.now() - 5 * HOURS);
    await bench.clock.advance(500);
    expect(await first).toBe("AKID-1");
    bench.delayMs = 0;
    expect(await refreshedAfter(bench)).toBeCloseTo(45 + 1 / 60, 6);
  });
});

describe("a clock that is set forward", () => {
  test("leaves the expiration as it is: the machine may have been paused", async () => {
    const bench = await cacheAfter(10 * MINUTE, 0);
    const { expiration } = await bench.cache.get();
    bench.clock.setWallClock(bench.clock.now() + 20 * MINUTE);
    expect((await bench.cache.get()).expiration).toEqual(expiration);
  });

  test("by hours, as after a suspension, makes callers wait for a refresh", async () => {
    const bench = await cacheAfter(10 * MINUTE, 5 * HOURS);
    expect([await bench.get(), bench.calls.length]).toEqual(["AKID-2", 2]);
  });

  test("into the advisory window starts a refresh in the background", async () => {
    const bench = await cacheAfter(10 * MINUTE, 40 * MINUTE);
    expect([await bench.get(), bench.calls.length]).toEqual(["AKID-1", 2]);
  });

  test("and back again changes nothing", async () => {
    const bench = await cacheAfter(10 * MINUTE, 5 * HOURS);
    bench.respond = fail;
    expect(await bench.get()).toBe(outage);
    bench.clock.setWallClock(bench.clock.now() - 5 * HOURS);
    expect([await bench.get(), bench.calls.length]).toEqual(["AKID-1", 2]);
  });

  test("during a refresh, by a suspension longer than the session, makes its credentials expired", async () => {
    const bench = new CacheBench();
    bench.delayMs = 1_000;
    const expiration = new Date(bench.clock.now() + HOURS);
    bench.respond = async () => ({ accessKeyId: "old", expiration });
    const waiting = bench.get();
    await bench.clock.advance(500);
    bench.clock.setWallClock(bench.clock.now() + 5 * HOURS);
    await bench.clock.advance(500);
    expect(await waiting).toBe(stale);
    bench.respond = succeed;
    await bench.clock.advance(1_000);
    expect(await bench.clock.run(bench.get())).toBe("AKID-1");
  });
});

describe("on a machine that reports how long ago it booted", () => {
  /** The same as {@link cacheAfter}, there. */
  async function bootedCacheAfter(elapsedMs: number): Promise<CacheBench> {
    const bench = new CacheBench();
    bench.clock.withBootClock();
    await bench.fill(HOUR, HOUR - elapsedMs / 1000);
    return bench;
  }
  const setForward = (bench: CacheBench, byMs: number) =>
    bench.clock.setWallClock(bench.clock.now() + byMs);

  test("a clock that is set forward while STS is down leaves valid credentials in use", async () => {
    const bench = await bootedCacheAfter(10 * MINUTE);
    bench.respond = fail;
    setForward(bench, 5 * HOURS);
    expect([await bench.get(), bench.calls.length]).toEqual(["AKID-1", 2]);
    // After one failed refresh, no caller waits while they are valid.
    await bench.clock.advance(MINUTE);
    expect([await bench.get(), bench.calls.length]).toEqual(["AKID-1", 2]);
    await bench.clock.advance(48 * MINUTE);
    expect(await bench.get()).toBe("AKID-1");
    await bench.clock.advance(MINUTE);
    expect(await bench.get()).toBe(outage);
  });

  test("a clock that is set forward past the expiration makes callers wait for the refresh", async () => {
    const bench = await bootedCacheAfter(10 * MINUTE);
    bench.delayMs = 5_000;
    setForward(bench, 5 * HOURS);
    expect(await bench.clock.run(bench.get())).toBe("AKID-2");
    expect(bench.calls.length).toBe(2);
  });

  test("a machine that was suspended past the expiration serves no expired credentials", async () => {
    const bench = await bootedCacheAfter(10 * MINUTE);
    bench.respond = fail;
    bench.clock.suspend(50 * MINUTE - 1);
    expect(await bench.get()).toBe("AKID-1");
    bench.clock.suspend(5 * HOURS);
    expect(await bench.get()).toBe(outage);
  });

  test("a suspended machine whose clock is set back afterwards serves no expired credentials", async () => {
    const bench = await bootedCacheAfter(10 * MINUTE);
    bench.respond = fail;
    bench.clock.suspend(5 * HOURS);
    setForward(bench, -5 * HOURS + MINUTE);
    await bench.clock.advance(10 * MINUTE);
    expect(await bench.get()).toBe(outage);
  });
});

describe("a clock that is wrong for a moment", () => {
  test.each([
    ["back", -30],
    ["back by days", -48 * 60],
    ["forward", 30],
  ])("(%s) changes no time permanently", async (_, by) => {
    const bench = await cacheAfter(5 * MINUTE, 0);
    bench.respond = fail;
    const before = bench.cache.snapshot();
    bench.clock.setWallClock(bench.clock.now() + by * MINUTE);
    await bench.get();
    bench.clock.setWallClock(bench.clock.now() - by * MINUTE);
    expect(bench.cache.snapshot()).toMatchObject({ entry: before.entry, age: before.age });
    await bench.clock.advance(55 * MINUTE - 1);
    expect(await bench.get()).toBe("AKID-1");
    await bench.clock.advance(1);
    expect(await bench.get()).toBe(outage);
  });

  test("does not move the mandatory window", async () => {
    const bench = await cacheAfter(40 * MINUTE, -30 * MINUTE);
    bench.respond = fail;
    bench.delayMs = 5_000;
    await bench.clock.advance(19 * MINUTE - 5);
    const soon = bench.get();
    await bench.clock.flush();
    // Not yet: no caller waits.
    expect(await soon).toBe("AKID-1");
    expect(bench.clock.holds).toBe(0);
    await bench.clock.advance(5);
    void bench.get();
    await bench.clock.flush();
    // Inside it a caller waits for the refresh, if only for a moment.
    expect(bench.clock.holds).toBe(1);
    await bench.clock.advance(10_000);
  });

  test("changes neither the refresh backoff nor the time of the next refresh", async () => {
    for (const by of [-24, 24]) {
      const bench = new CacheBench({ aheadOfTime: true });
      bench.clock.withBootClock();
      await bench.fill(HOUR, HOUR / 2);
      bench.respond = fail;
      await bench.get({ forceRefresh: true });
      bench.clock.setWallClock(bench.clock.now() + by * HOURS);
      const { nextRefreshAllowedAt = 0 } = bench.cache.snapshot();
      expect(nextRefreshAllowedAt - bench.clock.now()).toBe(5 * MINUTE);
      bench.respond = succeed;
      await bench.clock.advance(15 * MINUTE);
      expect([await bench.get(), bench.calls.length]).toEqual(["AKID-2", 3]);
    }
  });
});
