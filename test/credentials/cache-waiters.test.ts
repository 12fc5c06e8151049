import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import type { CacheRequest } from "../../src/credentials/credential-cache.js";
import { holdsAfterCollection } from "../support/garbage.js";
import { CacheBench, fail, HOUR, hang } from "../support/make-cache.js";
import { OldController } from "../support/old-signal.js";

describe("a caller that aborts", () => {
  test("gets its own reason, while the refresh continues for the others", async () => {
    const bench = new CacheBench();
    bench.delayMs = 500;
    const controller = new AbortController();
    const [leaving, staying] = [bench.get({ abortSignal: controller.signal }), bench.get()];
    await bench.clock.flush();
    controller.abort("no time");
    expect(await leaving).toBe("no time");
    expect(await bench.clock.run(staying)).toBe("AKID-1");
    expect(bench.calls[0]?.signal.aborted).toBe(false);
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
  });

  test("shares one listener with all callers that have the same signal", async () => {
    const bench = new CacheBench();
    bench.respond = hang;
    const controller = new AbortController();
    const { signal } = controller;
    const waiters = Array.from({ length: 20 }, () => bench.get({ abortSignal: signal }));
    await bench.clock.flush();
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    controller.abort("no time");
    expect(new Set(await Promise.all(waiters))).toEqual(new Set(["no time"]));
  });

  test("starts no refresh if it had aborted before the call", async () => {
    const bench = new CacheBench();
    expect(await bench.get({ abortSignal: AbortSignal.abort("no time") })).toBe("no time");
    expect(bench.calls).toEqual([]);
  });

  test("gets an AbortError if its signal is of an older library and has no reason", async () => {
    const bench = new CacheBench();
    bench.respond = hang;
    const [controller, late] = [new OldController(), new OldController()];
    const waiting = bench.get({ abortSignal: controller.signal });
    late.abort();
    expect(await bench.get({ abortSignal: late.signal })).toHaveProperty("name", "AbortError");
    await bench.clock.flush();
    controller.abort();
    expect(await waiting).toHaveProperty("name", "AbortError");
  });

  test.each<[string, AbortSignal | null]>([
    ["a signal of an older library", new OldController().signal],
    ["null instead of a signal", null],
  ])("may have %s in every window", async (_, abortSignal) => {
    for (const callerTimeoutMs of [undefined, 1_000]) {
      for (const secondsLeft of [3_600, 600, 30, -1]) {
        const bench = new CacheBench({ callerTimeoutMs });
        await bench.fill(HOUR, secondsLeft);
        const request = { abortSignal, forceRefresh: secondsLeft === 600 } as CacheRequest;
        expect(await bench.clock.run(bench.get(request))).toMatch(/^AKID-/);
      }
    }
  });

  test.each([new AbortController(), {}, "signal"])(
    "gets a TypeError for a signal that is none",
    async (value) => {
      const bench = new CacheBench();
      const error = await bench.get({ abortSignal: value as AbortSignal });
      expect(error).toMatchObject({
        message: expect.stringContaining("Expected `abortSignal` to be an AbortSignal"),
      });
      expect(bench.calls).toEqual([]);
    },
  );

  test("does not end the refresh, and the next caller gets its result", async () => {
    const bench = new CacheBench();
    bench.delayMs = 500;
    const controller = new AbortController();
    const leaving = bench.get({ abortSignal: controller.signal });
    controller.abort("no time");
    await leaving;
    await bench.clock.advance(500);
    expect([await bench.get(), bench.calls.length]).toEqual(["AKID-1", 1]);
  });

  test("in the mandatory window gets its reason, not the cached credentials", async () => {
    const bench = new CacheBench();
    await bench.fill(HOUR, 30);
    bench.respond = hang;
    const controller = new AbortController();
    const leaving = bench.get({ abortSignal: controller.signal });
    await bench.clock.flush();
    controller.abort("no time");
    expect(await leaving).toBe("no time");
  });
});

describe("the process", () => {
  test("is kept alive while a caller waits, and not for a refresh in the background", async () => {
    const bench = new CacheBench();
    bench.delayMs = 500;
    const waiters = [bench.get(), bench.get()];
    await bench.clock.flush();
    expect(bench.clock.holds).toBe(1);
    await bench.clock.run(Promise.all(waiters));
    expect(bench.clock.holds).toBe(0);
    await bench.clock.advance(2_800_000);
    await bench.get();
    expect([bench.cache.snapshot().refreshing, bench.clock.holds]).toEqual([true, 0]);
  });

  test("may end when the last waiting caller aborts", async () => {
    const bench = new CacheBench();
    bench.respond = hang;
    const controllers = [new AbortController(), new AbortController()];
    const waiters = controllers.map(({ signal }) => bench.get({ abortSignal: signal }));
    await bench.clock.flush();
    controllers[0]?.abort("a");
    await bench.clock.flush();
    expect(bench.clock.holds).toBe(1);
    controllers[1]?.abort("b");
    expect(await Promise.all(waiters)).toEqual(["a", "b"]);
    expect(bench.clock.holds).toBe(0);
  });

  test("is kept alive again for a caller that joins a refresh in the background", async () => {
    const bench = new CacheBench();
    await bench.fill(HOUR, 900);
    bench.respond = hang;
    await bench.get();
    const waiting = bench.get({ forceRefresh: true });
    await bench.clock.flush();
    expect(bench.clock.holds).toBe(1);
    bench.cache.close("closed");
    await waiting;
    expect(bench.clock.holds).toBe(0);
  });
});

test("a failed refresh in the background is not an unhandled rejection", async () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => void unhandled.push(reason);
  process.on("unhandledRejection", note);
  const bench = new CacheBench();
  await bench.fill(HOUR, 900);
  bench.respond = fail;
  await bench.get();
  await bench.clock.flush();
  await bench.clock.flush();
  process.off("unhandledRejection", note);
  expect([bench.failures.length, unhandled]).toEqual([1, []]);
});

describe("a caller that stops waiting", () => {
  test("leaves nothing in memory until the refresh settles", async () => {
    const bench = new CacheBench();
    bench.respond = hang;
    const staying = bench.get();
    const left: WeakRef<object>[] = [];
    const leave = async () => {
      const controller = new AbortController();
      const leaving = bench.get({ abortSignal: controller.signal });
      await bench.clock.flush();
      // A reason of its own: whatever keeps the wait keeps it too.
      const reason = { words: "no time" };
      controller.abort(reason);
      expect(await leaving).toBe(reason);
      left.push(new WeakRef(reason));
    };
    for (let count = 0; count < 10; count += 1) await leave();
    expect(await holdsAfterCollection(() => left.every((ref) => ref.deref() === undefined))).toBe(
      true,
    );
    expect(await Promise.race([staying, "still waiting"])).toBe("still waiting");
  });

  test("may stop waiting for thirty caches with one signal, without a warning", async () => {
    const warnings: string[] = [];
    const note = ({ name }: Error) => void warnings.push(name);
    process.on("warning", note);
    const controller = new AbortController();
    const { signal } = controller;
    const leaving = Array.from({ length: 30 }, () => {
      const bench = new CacheBench();
      bench.respond = hang;
      return bench.get({ abortSignal: signal });
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    controller.abort("no time");
    expect(new Set(await Promise.all(leaving))).toEqual(new Set(["no time"]));
    expect(getEventListeners(signal, "abort")).toEqual([]);
    process.off("warning", note);
    expect(warnings).toEqual([]);
  });
});

describe("a caller with a limit", () => {
  const late = new Error("the limit");
  const limited = () => new CacheBench({ callerTimeoutMs: 1_000, callerTimedOut: () => late });

  test("gets the error at its limit, while the refresh continues for the next caller", async () => {
    const bench = limited();
    bench.delayMs = 3_000;
    const first = bench.get();
    await bench.clock.advance(500);
    const second = bench.get();
    await bench.clock.advance(499);
    expect(await Promise.race([first, "waiting"])).toBe("waiting");
    await bench.clock.advance(1);
    expect(await first).toBe(late);
    expect(await Promise.race([second, "waiting"])).toBe("waiting");
    await bench.clock.advance(500);
    expect(await second).toBe(late);
    expect([bench.calls.length, bench.calls[0]?.signal.aborted]).toEqual([1, false]);
    expect(bench.failures).toEqual([]);
    await bench.clock.advance(1_500);
    expect([await bench.get(), bench.calls.length]).toEqual(["AKID-1", 1]);
  });

  test("gets a result that arrives before its limit, and leaves no timer", async () => {
    const bench = limited();
    bench.delayMs = 999;
    expect(await bench.clock.run(bench.get())).toBe("AKID-1");
    bench.respond = fail;
    const forced = bench.get({ forceRefresh: true });
    expect(await bench.clock.run(forced)).toBe("AKID-1");
  });

  test("gets the cached credentials if they are valid, as after a failed refresh", async () => {
    const bench = limited();
    await bench.fill(HOUR);
    bench.respond = hang;
    const forced = bench.get({ forceRefresh: true });
    await bench.clock.advance(1_000);
    expect(await forced).toBe("AKID-1");
  });

  test("gets expired credentials if those may be served", async () => {
    const bench = new CacheBench({
      callerTimeoutMs: 1_000,
      callerTimedOut: () => late,
      serveExpired: true,
    });
    await bench.fill(HOUR, -1);
    bench.respond = hang;
    const call = bench.get();
    await bench.clock.advance(1_000);
    expect([await call, bench.expiredServed]).toEqual(["AKID-1", ["AKID-1"]]);
  });

  test("gets its own reason when it aborts first", async () => {
    const bench = limited();
    bench.respond = hang;
    const controller = new AbortController();
    const leaving = bench.get({ abortSignal: controller.signal });
    await bench.clock.advance(500);
    controller.abort("no time");
    expect(await leaving).toBe("no time");
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
  });
});
