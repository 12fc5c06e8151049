import { describe, expect, test } from "vitest";
import { CacheBench, fail, HOUR, hang, outage, succeed } from "../support/make-cache.js";

test("a cache is closed once: the first reason counts, and the end is reported once", async () => {
  let ends = 0;
  const bench = new CacheBench({
    onClosed: () => {
      ends += 1;
    },
  });
  bench.cache.close(outage);
  bench.cache.close(new Error("another reason"));
  expect([await bench.get(), ends]).toEqual([outage, 1]);
});

describe("expired credentials", () => {
  test("are not served: every caller waits, and gets the error of a failed refresh", async () => {
    const bench = new CacheBench();
    await bench.fill(HOUR, 0);
    bench.delayMs = 2_000;
    expect(await bench.clock.run(bench.get())).toBe("AKID-2");
    await bench.clock.advance(HOUR * 1000);
    bench.respond = fail;
    expect(await bench.clock.run(Promise.all([bench.get(), bench.get()]))).toEqual([
      outage,
      outage,
    ]);
    expect(bench.expiredServed).toEqual([]);
  });

  test("have the same backoff as no credentials", async () => {
    const bench = new CacheBench();
    await bench.fill(HOUR, -1);
    bench.respond = fail;
    const nextRefreshAllowedAt = bench.clock.now() + 500;
    expect([await bench.get(), await bench.get()]).toEqual([outage, outage]);
    expect(bench.calls).toHaveLength(2);
    expect(bench.failures).toMatchObject([{ servedFromCache: false, nextRefreshAllowedAt }]);
    await bench.clock.advance(500);
    bench.respond = succeed;
    expect(await bench.get()).toBe("AKID-2");
  });

  test("are not refreshed by the timer when a refresh failed after their expiration", async () => {
    const bench = new CacheBench({ aheadOfTime: true });
    await bench.fill(HOUR, HOUR);
    bench.respond = fail;
    await bench.clock.advance(2 * HOUR * 1000);
    const calls = bench.calls.length;
    expect(await bench.get()).toBe(outage);
    expect([bench.calls.length, bench.clock.pending]).toEqual([calls + 1, 0]);
    await bench.clock.advance(10 * HOUR * 1000);
    expect(bench.calls).toHaveLength(calls + 1);
  });

  test("are refreshed without the backoff of a failure that happened while they were valid", async () => {
    const bench = new CacheBench({ random: () => 0.999 });
    await bench.fill(HOUR, 900);
    bench.respond = fail;
    await bench.get();
    bench.respond = succeed;
    await bench.clock.advance(900_000);
    expect(await bench.get()).toBe("AKID-2");
  });

  test("are served with serveExpired when the refresh has failed, and that is reported", async () => {
    const bench = new CacheBench({ serveExpired: true });
    await bench.fill(HOUR, -1);
    bench.respond = fail;
    expect(await bench.get()).toBe("AKID-1");
    expect(bench.expiredServed).toEqual(["AKID-1"]);
    expect(bench.failures).toMatchObject([{ error: outage, servedFromCache: true }]);
  });

  test("are served with serveExpired for the whole backoff, and then the next refresh starts", async () => {
    const bench = new CacheBench({ serveExpired: true, random: () => 0 });
    await bench.fill(HOUR, -1);
    bench.respond = fail;
    await bench.get();
    bench.respond = succeed;
    await bench.clock.advance(299_999);
    expect([await bench.get(), bench.calls.length]).toEqual(["AKID-1", 2]);
    await bench.clock.advance(1);
    expect([await bench.get(), bench.calls.length]).toEqual(["AKID-2", 3]);
  });

  test("are replaced with serveExpired when the refresh succeeds", async () => {
    const bench = new CacheBench({ serveExpired: true });
    await bench.fill(HOUR, -1);
    expect([await bench.get(), bench.expiredServed]).toEqual(["AKID-2", []]);
  });

  test("are not served if they were never cached", async () => {
    const bench = new CacheBench({ serveExpired: true });
    bench.respond = fail;
    expect(await bench.get()).toBe(outage);
  });
});

describe("credentials that a service rejected", () => {
  test("are refreshed for the next caller, who waits for the refresh", async () => {
    const bench = new CacheBench();
    await bench.fill(HOUR);
    expect(await bench.get()).toBe("AKID-1");
    bench.delayMs = 5_000;
    bench.cache.invalidate("AKID-1");
    expect(await bench.clock.run(bench.get())).toBe("AKID-2");
  });

  test("are the cached ones when no key ID is given", async () => {
    const bench = new CacheBench();
    await bench.fill(HOUR);
    bench.cache.invalidate();
    expect(await bench.get()).toBe("AKID-2");
  });

  test("are ignored when a refresh has already replaced them", async () => {
    const bench = new CacheBench();
    await bench.fill(HOUR);
    for (const id of ["AKID-0", "", "akid-1"]) bench.cache.invalidate(id);
    expect([await bench.get(), bench.calls.length]).toEqual(["AKID-1", 1]);
  });

  test("are served while they are valid and the refresh fails", async () => {
    const bench = new CacheBench();
    await bench.fill(HOUR);
    bench.cache.invalidate("AKID-1");
    bench.respond = fail;
    expect(await bench.get()).toBe("AKID-1");
  });

  test("do not end the refresh backoff", async () => {
    const bench = new CacheBench();
    await bench.fill(HOUR, 600);
    bench.respond = fail;
    await bench.get();
    await bench.clock.flush();
    bench.cache.invalidate("AKID-1");
    expect([await bench.get(), bench.calls.length]).toEqual(["AKID-1", 2]);
  });

  test("are replaced for every caller by the result of the in-flight refresh", async () => {
    const bench = new CacheBench();
    await bench.fill(HOUR, 900);
    bench.delayMs = 5_000;
    expect(await bench.get()).toBe("AKID-1");
    bench.cache.invalidate("AKID-1");
    const waiting = [bench.get(), bench.get({ forceRefresh: true }), bench.get()];
    expect(await bench.clock.run(Promise.all(waiting))).toEqual(Array(3).fill("AKID-2"));
    bench.cache.invalidate("AKID-1");
    expect([await bench.get(), bench.calls.length]).toEqual(["AKID-2", 2]);
  });

  test("may be absent", async () => {
    const bench = new CacheBench();
    bench.cache.invalidate();
    bench.cache.invalidate("AKID-1");
    expect(await bench.get()).toBe("AKID-1");
  });
});

describe("a closed cache", () => {
  const reason = new Error("closed");

  test("gives its reason to every later caller, and starts no refresh", async () => {
    const bench = new CacheBench();
    await bench.fill(HOUR);
    expect(await bench.get()).toBe("AKID-1");
    bench.cache.close(reason);
    expect([await bench.get(), await bench.get({ forceRefresh: true })]).toEqual([reason, reason]);
    expect([bench.calls.length, bench.cache.isClosed]).toEqual([1, true]);
    expect(bench.cache.snapshot()).toMatchObject({ entry: undefined, closed: true });
  });

  test("gives its reason to every waiting caller, although the source ignores its signal", async () => {
    const bench = new CacheBench();
    bench.respond = hang;
    const waiters = [bench.get(), bench.get({ abortSignal: new AbortController().signal })];
    await bench.clock.flush();
    bench.cache.close(reason);
    expect(await Promise.all(waiters)).toEqual([reason, reason]);
    expect(bench.calls[0]?.signal.reason).toBe(reason);
    expect([bench.clock.holds, bench.clock.pending]).toEqual([0, 0]);
  });

  test("reports no failure, and accepts no credentials that arrive too late", async () => {
    const bench = new CacheBench();
    bench.delayMs = 500;
    const waiter = bench.get();
    await bench.clock.flush();
    bench.cache.close(reason);
    await bench.clock.advance(1_000);
    expect(await waiter).toBe(reason);
    expect(bench.failures).toEqual([]);
    expect(bench.cache.snapshot()).toMatchObject({ entry: undefined, refreshing: false });
  });

  test("does not serve expired credentials", async () => {
    const bench = new CacheBench({ serveExpired: true });
    await bench.fill(HOUR, -1);
    bench.cache.close(reason);
    expect(await bench.get()).toBe(reason);
  });
});
