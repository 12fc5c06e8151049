import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { WebIdentityEvent } from "../../src/index.js";
import type { StsFault } from "../../src/testing/index.js";
import { rejection, startWorld } from "../support/world.js";

const unhandled: unknown[] = [];
const note = (reason: unknown) => void unhandled.push(reason);
beforeEach(() => {
  unhandled.length = 0;
  process.on("unhandledRejection", note);
});
afterEach(() => {
  process.off("unhandledRejection", note);
});

const FAULTS: readonly (StsFault | "none")[] = ["none", "access-denied", "sts-unavailable"];
const throwing = () => {
  throw new Error("a listener's own fault");
};

describe.each(FAULTS)("a listener, while STS responds with %s,", (fault) => {
  const set = (sts: { setFault(fault: StsFault): void }) => {
    if (fault !== "none") sts.setFault(fault);
  };

  test.each<[string, () => void]>([
    ["throws", throwing],
    ["rejects", async () => throwing()],
  ])("that %s at every event changes nothing", async (_, onEvent) => {
    await using world = await startWorld();
    set(world.sts);
    const logger = { debug: onEvent, info: onEvent, warn: onEvent, error: onEvent };
    const retry = { maxAttempts: 2 };
    const quiet = await Promise.allSettled([world.provide({ retry })()]);
    const provider = world.provide({ onEvent, logger, retry });
    const outcome = await Promise.allSettled([provider()]);
    expect(outcome[0].status).toBe(quiet[0].status);
    await new Promise(setImmediate);
    expect(unhandled).toEqual([]);
  });

  test("that closes the provider ends the call in progress", async () => {
    for (const last of [
      "token.loaded",
      "attempt.failed",
      "credentials.refreshed",
      "refresh.failed",
    ]) {
      await using world = await startWorld();
      set(world.sts);
      const types: string[] = [];
      const provider = world.provide({
        retry: { maxAttempts: 2 },
        onEvent: ({ type }: WebIdentityEvent) => {
          types.push(type);
          if (type === last) provider.close();
        },
      });
      const [outcome] = await Promise.allSettled([provider()]);
      if (!types.includes(last)) continue;
      expect(outcome, last).toMatchObject({ reason: { code: "ERR_CLOSED" } });
      expect(types.at(-1), "no event follows the end").toBe(last);
      expect([world.clock.pending, world.clock.holds]).toEqual([0, 0]);
      expect(provider.status()).toMatchObject({ closed: true, state: "empty", refreshing: false });
      expect(await rejection(provider())).toMatchObject({ code: "ERR_CLOSED" });
    }
    expect(unhandled).toEqual([]);
  });

  test("that calls the provider again waits for the same refresh", async () => {
    await using world = await startWorld();
    set(world.sts);
    const inner: Promise<unknown>[] = [];
    const provider = world.provide({
      retry: { maxAttempts: 2 },
      onEvent: () => {
        if (inner.length < 10) inner.push(Promise.allSettled([provider(), provider()]));
      },
    });
    const [outcome] = await Promise.allSettled([provider()]);
    const calls = world.calls();
    for (const each of await Promise.all(inner)) expect(each).toEqual([outcome, outcome]);
    expect(calls).toBe({ none: 1, "access-denied": 1, "sts-unavailable": 2 }[fault as string]);
    expect(unhandled).toEqual([]);
  });
});
