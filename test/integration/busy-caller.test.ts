import { describe, expect, test } from "vitest";
import type { WebIdentityInit } from "../../src/provider/options.js";
import { VirtualClock } from "../support/virtual-clock.js";
import { rejection, startWorld, type World } from "../support/world.js";

interface Busy {
  readonly init?: WebIdentityInit;
  readonly token?: () => string | Promise<string>;
  /** What is wrong with STS. */
  readonly prepare?: (world: World) => unknown;
}

const fails = (...[fault, options]: Parameters<World["sts"]["setFault"]>): Busy => ({
  prepare: ({ sts }) => sts.setFault(fault, options),
});
const throws = (): never => {
  throw new Error("out of order");
};
const assumer = (respond: () => unknown): Busy => ({
  init: { roleAssumerWithWebIdentity: respond as never },
});

/** Every way a refresh can end fast. */
const WAYS: Readonly<Record<string, Busy>> = {
  "throttling with Retry-After": fails("throttled", { retryAfterSeconds: 120 }),
  "an STS that asks for five minutes": fails("sts-unavailable", { retryAfterSeconds: 300 }),
  "a verification key that STS did not get": fails("idp-unreachable", { retryAfterSeconds: 120 }),
  "an STS that resets connections": fails("reset"),
  "a page of a proxy": fails("html"),
  "a success without credentials": fails("empty-200"),
  "an error in an unknown form": fails("unknown"),
  "a single attempt": { ...fails("sts-unavailable"), init: { retry: { maxAttempts: 1 } } },
  "a budget of a millisecond": { ...fails("sts-unavailable"), init: { retry: { budgetMs: 1 } } },
  "a denied role": fails("access-denied"),
  "a refused token": fails("token-rejected"),
  "an expired token": fails("token-expired"),
  "a request that STS refuses": fails("request-invalid"),
  "a disabled region": fails("region-disabled"),
  "a session name that STS is certain to refuse": {
    init: { clientConfig: { region: "eu-west-1" }, roleSessionName: "a" },
  },
  "credentials that have expired already": assumer(() => ({
    accessKeyId: "AKID",
    secretAccessKey: "secret",
    expiration: new Date(0),
  })),
  "a role assumer that returns a date that is none": assumer(() => ({
    accessKeyId: "AKID",
    secretAccessKey: "secret",
    expiration: "soon",
  })),
  "a role assumer that throws": assumer(throws),
  "a role assumer that returns nothing": assumer(() => undefined),
  "a token source that throws": { token: throws },
  "a token source that returns nothing": { token: () => "" },
  "a token that is not a JWT": { token: () => "opaque" },
  "a region option that throws": { init: { clientConfig: { region: throws } } },
  "a plugin that throws": { init: { clientPlugins: [{ applyToStack: throws }] } },
};

/** Calls, back to back, for three seconds; returns how many attempts were made in them. */
async function asksInThreeSeconds(busy: Busy, force: boolean): Promise<number> {
  await using world = await startWorld({ clock: new VirtualClock(59_000) });
  busy.prepare?.(world);
  /** When: every attempt reads a token first. */
  const reads: number[] = [];
  const provider = world.provide(
    { attemptTimeoutMs: 100_000, retry: { budgetMs: 120_000 }, ...busy.init },
    {
      token: async () => {
        reads.push(world.clock.monotonic());
        return (busy.token ?? (() => world.idp.issueToken()))();
      },
    },
  );
  const { clock } = world;
  while (clock.monotonic() < 3_000) {
    const error = await rejection(provider({ forceRefresh: force }));
    expect(error).toHaveProperty("code");
    provider.invalidate();
    // A call that costs no time at all would go on for ever.
    await clock.advance(10);
  }
  return reads.filter((at) => at < 3_000).length;
}

describe("a busy caller with very short-lived credentials", () => {
  /** How often the role assumer is asked in three seconds. */
  async function asksFor(lifetimeMs: number, windows: WebIdentityInit["refresh"]) {
    await using world = await startWorld({ clock: new VirtualClock(59_000) });
    const { clock } = world;
    let asks = 0;
    const provider = world.provide({
      clientConfig: {},
      refresh: { aheadOfTime: false, ...windows },
      roleAssumerWithWebIdentity: async () => {
        asks += 1;
        const expiration = new Date(clock.now() + lifetimeMs);
        return { accessKeyId: `AKID${asks}`, secretAccessKey: "secret", expiration };
      },
    });
    while (clock.monotonic() < 3_000) {
      await provider().catch(() => {});
      await clock.advance(10);
    }
    provider.close();
    return asks;
  }
  const windows: readonly WebIdentityInit["refresh"][] = [
    {},
    { advisoryWindowSeconds: 0, mandatoryWindowSeconds: 0 },
    { advisoryWindowSeconds: 3_600, mandatoryWindowSeconds: 3_600 },
  ];
  const lives = [1, 10, 100, 300, 500, 999, 1_000, 1_001, 1_500, 3_000];

  test.each(lives.flatMap((life) => windows.map((each) => [life, each] as const)))(
    "causes at most ten refreshes in three seconds: %i ms, windows %j",
    async (lifetimeMs, each) => {
      expect(await asksFor(lifetimeMs, each)).toBeLessThanOrEqual(10);
    },
  );
});

describe("a busy caller without credentials", () => {
  const ways = Object.entries(WAYS).flatMap(([name, busy]) =>
    [false, true].map((force) => ({ name, busy, force })),
  );

  test.each(ways)(
    "causes at most ten refreshes in three seconds: $name, forced: $force",
    async ({ busy, force }) => {
      expect(await asksInThreeSeconds(busy, force)).toBeLessThanOrEqual(10);
    },
  );

  test("gets the cached error immediately, and the error and the status show the end of the backoff", async () => {
    await using world = await startWorld();
    world.sts.setFault("sts-unavailable");
    const provider = world.provide({ retry: { maxAttempts: 1 } });
    const error = await rejection(provider());
    const { nextRefreshAllowedAt } = provider.status();
    expect(nextRefreshAllowedAt).toBeGreaterThan(world.clock.now());
    expect(error).toMatchObject({ code: "ERR_STS_UNAVAILABLE", nextRefreshAllowedAt });
    expect(await rejection(provider())).toBe(error);
    expect(world.calls()).toBe(1);
  });

  test("gets credentials within four seconds of the end of an outage of any length", async () => {
    await using world = await startWorld();
    const { clock, sts } = world;
    sts.setFault("sts-unavailable");
    const provider = world.provide({ retry: { maxAttempts: 1 } });
    while (clock.monotonic() < 600_000) {
      await rejection(provider());
      await clock.advance(100);
    }
    const recoveredAt = clock.monotonic();
    sts.clearFaults();
    for (let isServed = false; !isServed; ) {
      await clock.advance(100);
      isServed = await provider().then(
        () => true,
        () => false,
      );
    }
    expect(clock.monotonic() - recoveredAt).toBeLessThanOrEqual(4_100);
  });

  test("that aborts every wait immediately starts one refresh, and not one for each wait", async () => {
    await using world = await startWorld();
    world.sts.setFault("hang");
    const provider = world.provide();
    for (let i = 0; i < 100; i += 1) {
      const gone = new AbortController();
      const waiting = rejection(provider({ abortSignal: gone.signal }));
      gone.abort(new Error("gone"));
      expect(await waiting).toHaveProperty("message", "gone");
    }
    expect(world.calls()).toBeLessThanOrEqual(1);
    provider.close();
  });
});
