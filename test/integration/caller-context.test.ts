import { AsyncLocalStorage } from "node:async_hooks";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { InitializeMiddleware } from "@smithy/types";
import { describe, expect, test } from "vitest";
import { QUIET_CACHE } from "../../bench/support/quiet-cache.js";
import { CredentialCache } from "../../src/credentials/credential-cache.js";
import { systemClock } from "../../src/runtime/clock.js";
import type { ClientPlugin } from "../../src/sts/target.js";
import { rejection, startWorld } from "../support/world.js";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

const requests = new AsyncLocalStorage<object>();

/** A cache whose credentials live for `lifetimeMs` by the real clock. */
function realCache(lifetimeMs: number, refresh: () => unknown) {
  let issued = 0;
  return new CredentialCache({
    refresh: async () => {
      issued += 1;
      await refresh();
      const expiration = new Date(Date.now() + lifetimeMs);
      return { credentials: { accessKeyId: `AKID-${issued}`, expiration } };
    },
    staleResponse: () => new Error("stale"),
    ...{ ...QUIET_CACHE, aheadOfTime: true, clock: systemClock, random: () => 0 },
  });
}

describe("the AsyncLocalStorage context of a caller", () => {
  test("reaches no part of the refresh that the caller starts", async () => {
    await using world = await startWorld();
    world.sts.failNext("sts-unavailable");
    const seen = new Map<string, unknown>();
    const note = (where: string) => seen.set(where, requests.getStore());
    const plugin: ClientPlugin = {
      applyToStack: (stack) => {
        const middleware: InitializeMiddleware<object, object> = (next) => async (args) => {
          note("request");
          return next(args);
        };
        stack.add(middleware, { step: "initialize", name: "look" });
      },
    };
    const provider = world.provide(
      {
        onEvent: ({ type }) => note(type),
        logger: Object.fromEntries(
          ["trace", "debug", "info", "warn", "error"].map((level) => [level, () => note("logger")]),
        ) as never,
        clientPlugins: [plugin],
      },
      {
        token: () => {
          note("token source");
          return world.idp.issueToken();
        },
      },
    );
    await requests.run({ caller: 1 }, async () => {
      await provider();
      expect(requests.getStore(), "a caller keeps its own").toEqual({ caller: 1 });
    });
    expect(Object.fromEntries(seen)).toEqual({
      ...{ "token source": undefined, request: undefined, logger: undefined },
      ...{ "token.loaded": undefined, "attempt.failed": undefined },
      "credentials.refreshed": undefined,
    });
    expect(seen.size).toBe(6);
  });

  test("does not reach the handler of expired credentials", async () => {
    await using world = await startWorld();
    const seen: unknown[] = [];
    const provider = world.provide({
      serveExpired: true,
      retry: { maxAttempts: 1 },
      onEvent: ({ type }) => {
        if (type === "credentials.expired-served") seen.push(requests.getStore());
      },
    });
    await provider();
    await world.clock.advance(2 * 3_600_000);
    world.sts.setFault("sts-unavailable");
    await requests.run({ caller: 1 }, () => provider());
    expect(seen).toEqual([undefined]);
  });

  test("does not reach refreshes of the timer", async () => {
    const seen: unknown[] = [];
    let done = () => {};
    const third = new Promise<void>((resolve) => {
      done = resolve;
    });
    const cache = realCache(1_050, () => {
      seen.push(requests.getStore());
      if (seen.length === 3) done();
    });
    // The timer does not keep the process alive.
    const held = setInterval(() => {}, 1_000);
    await requests.run({ caller: 1 }, () => cache.get());
    await third;
    clearInterval(held);
    cache.close(new Error("closed"));
    expect(seen).toEqual([undefined, undefined, undefined]);
  });

  test("can be garbage-collected while the cache waits for its next refresh", async () => {
    const cache = realCache(3_600_000, () => new Promise((resolve) => setTimeout(resolve, 1)));
    const call = async () => {
      const context = { body: "x".repeat(1_000) };
      await requests.run(context, () => cache.get());
      return new WeakRef(context);
    };
    const context = await call();
    while (context.deref() !== undefined) {
      await new Promise((resolve) => setImmediate(resolve));
      collectGarbage();
    }
    expect(cache.snapshot().entry).toBeDefined();
    cache.close(new Error("closed"));
  });

  test("does not reach other callers of the same refresh", async () => {
    await using world = await startWorld();
    world.sts.setFault("access-denied");
    const provider = world.provide();
    const each = [1, 2, 3].map((caller) =>
      requests.run({ caller }, async () => {
        await rejection(provider());
        return requests.getStore();
      }),
    );
    expect(await Promise.all(each)).toEqual([{ caller: 1 }, { caller: 2 }, { caller: 3 }]);
  });
});
