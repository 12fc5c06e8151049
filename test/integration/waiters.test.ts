import { describe, expect, test } from "vitest";
import type { TokenSource } from "../../src/model/token-source.js";
import { OldController } from "../support/old-signal.js";
import { until } from "../support/virtual-clock.js";
import { rejection, startWorld } from "../support/world.js";

describe("a caller's abortSignal", () => {
  test("ends that caller's wait with its reason, and no other caller's", async () => {
    await using world = await startWorld();
    world.sts.failNext("hang");
    const provider = world.provide();
    const caller = new AbortController();
    const aborted = rejection(provider({ abortSignal: caller.signal }));
    const patient = provider();
    await until(() => world.sts.requests[0]?.outcome === "hang");
    const reason = new Error("the request was cancelled");
    caller.abort(reason);
    expect(await aborted).toBe(reason);
    await world.clock.advance(10_000);
    await expect(patient).resolves.toHaveProperty("accessKeyId");
    expect(world.calls()).toBe(2);
  });

  test("is not needed to limit each caller's wait: callerTimeoutMs does, and the refresh continues", async () => {
    await using world = await startWorld();
    world.sts.failNext("hang");
    const provider = world.provide({ callerTimeoutMs: 2_000 });
    const early = rejection(provider());
    await until(() => world.sts.requests[0]?.outcome === "hang");
    await world.clock.advance(2_000);
    expect(await early).toMatchObject({
      code: "ERR_CALLER_TIMEOUT",
      message: expect.stringContaining("callerTimeoutMs (2000 ms)"),
      attempts: [],
    });
    expect(provider.status()).toMatchObject({ refreshing: true, lastError: undefined });
    await world.clock.advance(8_000);
    await until(() => !provider.status().refreshing);
    await expect(provider()).resolves.toHaveProperty("accessKeyId");
    expect(world.calls()).toBe(2);
  });

  test("that has already aborted costs no call", async () => {
    await using world = await startWorld();
    const reason = { any: "value" };
    const error = await rejection(world.provide()({ abortSignal: AbortSignal.abort(reason) }));
    expect(error).toBe(reason);
    expect(world.calls()).toBe(0);
  });

  test("lets the refresh continue for the next caller", async () => {
    await using world = await startWorld();
    world.sts.failNext("slow", { delayMs: 20 });
    const provider = world.provide();
    const caller = new AbortController();
    const aborted = rejection(provider({ abortSignal: caller.signal }));
    await until(() => world.calls() === 1);
    caller.abort();
    expect(await aborted).toHaveProperty("name", "AbortError");
    await expect(provider()).resolves.toHaveProperty("accessKeyId");
    expect(world.calls()).toBe(1);
  });
});

describe("the provider's end", () => {
  test("by its signal rejects waiting and later callers with the signal's reason", async () => {
    await using world = await startWorld();
    world.sts.setFault("hang");
    const life = new AbortController();
    const provider = world.provide({ signal: life.signal });
    const waiting = [rejection(provider()), rejection(provider())];
    await until(() => world.calls() === 1);
    const reason = new Error("shutting down");
    life.abort(reason);
    expect(await Promise.all([...waiting, rejection(provider())])).toEqual([
      reason,
      reason,
      reason,
    ]);
    expect(provider.status()).toMatchObject({ state: "empty", closed: true });
    expect(world.calls()).toBe(1);
  });

  test("may come by a signal of an older library, whose callers get an AbortError", async () => {
    await using world = await startWorld();
    world.sts.setFault("hang");
    const life = new OldController();
    const provider = world.provide({ signal: life.signal });
    const waiting = rejection(provider());
    await until(() => world.calls() === 1);
    life.abort();
    for (const call of [waiting, rejection(provider())]) {
      expect(await call).toHaveProperty("name", "AbortError");
    }
  });

  test("by close() rejects waiting and later callers, also with credentials in the cache", async () => {
    await using world = await startWorld();
    const provider = world.provide();
    await provider();
    world.sts.setFault("hang");
    const waiting = rejection(provider({ forceRefresh: true }));
    await until(() => world.calls() === 2);
    provider.close();
    provider.close();
    const closed = { code: "ERR_CLOSED", tryNextLink: false };
    expect(await waiting).toMatchObject(closed);
    expect(await rejection(provider())).toMatchObject(closed);
    expect(provider.status()).toMatchObject({ closed: true, expiresAt: undefined });
  });

  test("comes at the end of its `using` scope", async () => {
    await using world = await startWorld();
    let escaped: ReturnType<typeof world.provide>;
    {
      await using provider = world.provide();
      await provider();
      escaped = provider;
    }
    expect(await rejection(escaped())).toMatchObject({ code: "ERR_CLOSED" });
  });

  test("may come before the first call", async () => {
    await using world = await startWorld();
    const reason = new Error("never started");
    const provider = world.provide({ signal: AbortSignal.abort(reason) });
    expect(await rejection(provider())).toBe(reason);
    expect(world.calls()).toBe(0);
  });

  test.each(["between two attempts", "while the token is read"])(
    "takes effect %s",
    async (when) => {
      await using world = await startWorld();
      let tokenSignal: AbortSignal | undefined;
      const silent: TokenSource = ({ signal }) => {
        tokenSignal = signal;
        return new Promise(() => {});
      };
      const life = new AbortController();
      const reason = new Error(when);
      world.sts.setFault("throttled", { retryAfterSeconds: 20 });
      const between = when === "between two attempts";
      const provider = world.provide(
        {
          signal: life.signal,
          onEvent: ({ type }) =>
            type === "attempt.failed" && setImmediate(() => life.abort(reason)),
        },
        between ? {} : { token: silent },
      );
      const error = rejection(provider());
      if (!between) {
        await until(() => tokenSignal !== undefined);
        life.abort(reason);
      }
      expect(await error).toBe(reason);
      expect(tokenSignal?.reason).toBe(between ? undefined : reason);
      expect([world.clock.pending, world.clock.holds]).toEqual([0, 0]);
    },
  );
});

describe("the process", () => {
  test("is kept alive exactly as long as a caller waits", async () => {
    await using world = await startWorld();
    world.sts.failNext("slow", { delayMs: 20 });
    const provider = world.provide();
    const credentials = provider();
    await until(() => world.calls() === 1);
    expect(world.clock.holds).toBe(1);
    await credentials;
    expect([world.clock.pending, world.clock.holds]).toEqual([0, 0]);
  });

  test("is not kept alive by a refresh without waiting callers", async () => {
    await using world = await startWorld();
    const provider = world.provide();
    const first = await provider();
    await world.clock.advance(50 * 60_000);
    world.sts.failNext("hang");
    expect(await provider()).toBe(first);
    await until(() => world.sts.requests.at(-1)?.outcome === "hang");
    expect(provider.status()).toMatchObject({ state: "refresh-due", refreshing: true });
    expect(world.clock.holds).toBe(0);
    provider.close();
  });
});
