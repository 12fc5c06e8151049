import { describe, expect, test } from "vitest";
import { CacheBench, fail, HOUR, succeed } from "../support/make-cache.js";

const aheadOfTime = true;

describe("ahead of time", () => {
  test("credentials are refreshed at the start of the advisory window without a caller", async () => {
    const bench = new CacheBench({ aheadOfTime });
    await bench.fill(HOUR, 901);
    expect(bench.calls).toHaveLength(1);
    await bench.clock.advance(1_000);
    expect([bench.calls.length, await bench.get()]).toEqual([2, "AKID-2"]);
  });

  test("every set of credentials is refreshed once", async () => {
    const bench = new CacheBench({ aheadOfTime });
    await bench.fill(HOUR);
    await bench.clock.advance(10 * 2_700_000);
    expect(bench.calls).toHaveLength(11);
    expect(bench.clock.holds).toBe(0);
  });

  test("a failed refresh is repeated after the backoff while the credentials are valid", async () => {
    const bench = new CacheBench({ aheadOfTime });
    await bench.fill(HOUR, 901);
    bench.respond = fail;
    await bench.clock.advance(1_000);
    await bench.clock.advance(299_999);
    expect(bench.calls).toHaveLength(2);
    bench.respond = succeed;
    await bench.clock.advance(1);
    expect([bench.calls.length, await bench.get()]).toEqual([3, "AKID-2"]);
  });

  test("an outage that outlasts the credentials causes a bounded number of refreshes, and then none without a caller", async () => {
    const bench = new CacheBench({ aheadOfTime });
    await bench.fill(HOUR, 901);
    bench.respond = fail;
    await bench.clock.advance(2_000_000);
    expect(bench.calls.length).toBeLessThan(16);
    expect(bench.clock.pending).toBe(0);
  });

  test("a refresh that a caller started is not started again", async () => {
    const bench = new CacheBench({ aheadOfTime });
    await bench.fill(HOUR, 1_000);
    bench.delayMs = 200_000;
    const forced = bench.get({ forceRefresh: true });
    await bench.clock.advance(200_000);
    expect([await forced, bench.calls.length]).toEqual(["AKID-2", 2]);
  });

  test("a machine that was suspended past the advisory window refreshes within five minutes of waking up", async () => {
    const bench = new CacheBench({ aheadOfTime });
    await bench.fill(6 * HOUR);
    bench.clock.setWallClock(bench.clock.now() + 5.5 * HOUR * 1000);
    await bench.clock.advance(300_000);
    expect(bench.calls).toHaveLength(2);
  });

  test("a machine that was suspended past the expiration starts one refresh after waking up", async () => {
    for (const respond of [succeed, fail]) {
      const bench = new CacheBench({ aheadOfTime });
      await bench.fill(HOUR);
      bench.respond = respond;
      bench.clock.setWallClock(bench.clock.now() + 5 * HOUR * 1000);
      await bench.clock.advance(300_000);
      expect(bench.calls).toHaveLength(2);
      if (respond === succeed) continue;
      await bench.clock.advance(HOUR * 1000);
      expect([bench.calls.length, bench.clock.pending]).toEqual([2, 0]);
    }
  });

  test("a forced refresh that fails does not make the next one due earlier", async () => {
    const bench = new CacheBench({ aheadOfTime });
    await bench.fill(HOUR);
    bench.respond = fail;
    expect(await bench.get({ forceRefresh: true })).toBe("AKID-1");
    await bench.clock.advance(2_699_999);
    expect(bench.calls).toHaveLength(2);
    await bench.clock.advance(1);
    expect(bench.calls).toHaveLength(3);
  });

  test("rejected credentials are refreshed again after the backoff, although no refresh is due", async () => {
    const bench = new CacheBench({ aheadOfTime });
    await bench.fill(HOUR);
    bench.respond = fail;
    bench.cache.invalidate();
    expect(await bench.get()).toBe("AKID-1");
    await bench.clock.advance(300_000);
    expect(bench.calls).toHaveLength(3);
  });

  test("a fleet that started at the same time refreshes at different times", async () => {
    const fleet = Array.from({ length: 60 }, (_, number) => {
      return new CacheBench({ aheadOfTime, random: () => number / 60 });
    });
    const times = await Promise.all(
      fleet.map(async ({ cache, clock, calls }) => {
        await cache.get();
        while (calls.length < 2) await clock.advance(1_000);
        return clock.monotonic() / 60_000;
      }),
    );
    expect(Math.min(...times)).toBeGreaterThanOrEqual(40);
    expect(Math.max(...times)).toBeLessThanOrEqual(45);
    expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(4);
    for (const time of times) {
      expect(times.filter((other) => Math.abs(other - time) < 0.1).length).toBeLessThan(8);
    }
  });

  test("a clock that is set back delays no refresh", async () => {
    const bench = new CacheBench({ aheadOfTime });
    await bench.fill(HOUR);
    bench.clock.setWallClock(bench.clock.now() - 24 * HOUR * 1000);
    await bench.clock.advance(HOUR * 1000);
    expect([bench.calls.length, await bench.get()]).toEqual([2, "AKID-2"]);
  });

  test("a closed cache starts no refresh and leaves no timer", async () => {
    const bench = new CacheBench({ aheadOfTime });
    await bench.fill(HOUR);
    bench.cache.close(new Error("closed"));
    expect(bench.clock.pending).toBe(0);
    await bench.clock.advance(HOUR * 1000);
    expect(bench.calls).toHaveLength(1);
  });

  test("no refresh starts without a caller if that is switched off, or if nothing expires", async () => {
    const off = new CacheBench();
    await off.fill(HOUR);
    const forEver = new CacheBench({ aheadOfTime });
    forEver.respond = async () => ({ accessKeyId: "for-ever" });
    await forEver.get();
    expect([off.clock.pending, forEver.clock.pending]).toEqual([0, 0]);
  });
});
