import { describe, expect, test } from "vitest";
import type { WebIdentityEvent, WebIdentityProvider } from "../../src/index.js";
import { createProvider } from "../../src/provider/create-provider.js";
import type { WebIdentityInit } from "../../src/provider/options.js";
import { makePool } from "../support/make-pool.js";
import { until, VirtualClock } from "../support/virtual-clock.js";
import { REGION, ROLE_ARN, rejection, startWorld, type World } from "../support/world.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const STEP = 5_000;

/** A world whose time passes only when a test says so. */
const stillWorld = () => startWorld({ clock: new VirtualClock(0) });

/** A provider with its first credentials and its events, and time that passes in small steps. */
async function started(world: World, init: WebIdentityInit = {}) {
  const events: WebIdentityEvent[] = [];
  const onEvent = (event: WebIdentityEvent) => void events.push(event);
  const provider = world.provide({ refresh: {}, ...init, onEvent });
  const first = await provider();
  const settled = () => until(() => !provider.status().refreshing);
  return {
    ...{ provider, first, events, settled },
    /** Lets so much time pass, in steps shorter than an attempt may take: real sockets need none. */
    async pass(ms: number): Promise<void> {
      for (let left = ms; left > 0; left -= STEP) {
        await world.clock.advance(Math.min(left, STEP));
        await settled();
      }
    },
    eventsOf: <T extends WebIdentityEvent["type"]>(type: T) =>
      events.filter(
        (event): event is Extract<WebIdentityEvent, { type: T }> => event.type === type,
      ),
  };
}

describe("a provider without callers", () => {
  test("refreshes whenever a refresh is due, and keeps no process alive", async () => {
    await using world = await stillWorld();
    const { provider, pass } = await started(world);
    await pass(4 * HOUR);
    expect(world.calls()).toBeGreaterThanOrEqual(5);
    expect(world.calls()).toBeLessThanOrEqual(7);
    expect([provider.status().state, world.clock.holds]).toEqual(["fresh", 0]);
    provider.close();
    expect(world.clock.pending).toBe(0);
  });

  test("does not refresh with aheadOfTime: false", async () => {
    await using world = await stillWorld();
    const { pass, provider } = await started(world, { refresh: { aheadOfTime: false } });
    await pass(2 * HOUR);
    expect([world.calls(), provider.status().state, world.clock.pending]).toEqual([
      1,
      "expired",
      0,
    ]);
  });

  test("refreshes in the given window", async () => {
    await using world = await stillWorld();
    const { pass } = await started(world, { refresh: { advisoryWindowSeconds: 600 } });
    // A third of ten minutes may come on top.
    await pass(46 * MINUTE);
    expect(world.calls()).toBe(1);
    await pass(4 * MINUTE);
    expect(world.calls()).toBe(2);
  });
});

describe("while credentials are valid", () => {
  test("no refusal reaches or delays a caller; after that the first one does", async () => {
    await using world = await stillWorld();
    const { provider, first, pass, eventsOf } = await started(world);
    world.sts.setFault("access-denied");
    for (let minute = 0; minute < 60; minute += 1) {
      expect(await provider()).toBe(first);
      await pass(MINUTE);
    }
    const failures = eventsOf("refresh.failed");
    expect(failures.length).toBeGreaterThan(3);
    for (const { servedFromCache, nextRefreshAllowedAt = 0, at, code } of failures.slice(0, -1)) {
      expect([servedFromCache, code]).toEqual([true, "ERR_ACCESS_DENIED"]);
      expect(nextRefreshAllowedAt).toBeGreaterThan(at);
      expect(nextRefreshAllowedAt).toBeLessThan(first.expiration?.getTime() ?? 0);
    }
    expect(await rejection(provider())).toMatchObject({ code: "ERR_ACCESS_DENIED" });
  });

  test("a session of 15 minutes leaves time for several attempts before it ends", async () => {
    await using world = await stillWorld();
    const { pass, eventsOf } = await started(world, { durationSeconds: 900 });
    world.sts.setFault("access-denied");
    await pass(15 * MINUTE);
    const tries = eventsOf("refresh.failed").filter(({ servedFromCache }) => servedFromCache);
    expect(tries.length).toBeGreaterThanOrEqual(3);
    expect(world.calls()).toBeLessThan(20);
  });

  test("a caller waits at most 100 ms for a silent STS, and only in the last minute", async () => {
    await using world = await stillWorld();
    const { provider, first } = await started(world, { refresh: { aheadOfTime: false } });
    const earlier = await started(world, { refresh: { aheadOfTime: false } });
    world.sts.setFault("hang");
    await world.clock.advance(50 * MINUTE);
    expect(await earlier.provider()).toBe(earlier.first);
    await world.clock.advance(10 * MINUTE - 30_000);
    const served = earlier.provider();
    // Whether its refresh is still the one from before depends on how fast the sockets are.
    await world.clock.advance(100);
    expect(await served).toBe(earlier.first);
    const start = world.clock.monotonic();
    const waiting = provider();
    await world.clock.advance(99);
    let isServed = false;
    void waiting.then(() => {
      isServed = true;
    });
    await world.clock.flush();
    expect(isServed).toBe(false);
    await world.clock.advance(1);
    expect([await waiting, world.clock.monotonic() - start]).toEqual([first, 100]);
    // No caller waits again for the same refresh: an SDK client asks twice for each request.
    expect([await provider(), provider.status().state]).toEqual([first, "refresh-urgent"]);
    provider.close();
    earlier.provider.close();
  });
});

describe("after expiry", () => {
  test("serveExpired serves the credentials, and reports each time in an event", async () => {
    await using world = await stillWorld();
    const { provider, first, eventsOf } = await started(world, {
      ...{ serveExpired: true, refresh: { aheadOfTime: false } },
    });
    world.sts.setFault("access-denied");
    await world.clock.advance(2 * HOUR);
    for (let call = 1; call <= 3; call += 1) {
      expect(await provider()).toBe(first);
      expect(eventsOf("credentials.expired-served")).toHaveLength(call);
    }
    expect(eventsOf("credentials.expired-served")[0]?.expiresAt).toBe(first.expiration?.getTime());
    expect([world.calls(), provider.status().state]).toEqual([2, "expired"]);
    world.sts.clearFaults();
    await world.clock.advance(10 * MINUTE);
    expect(await provider()).not.toBe(first);
  });
});

describe("on a machine whose clock is two hours", () => {
  test.each([
    ["ahead", 2 * HOUR],
    ["behind", -2 * HOUR],
  ])("%s, credentials are refreshed when STS's clock says so", async (_, byMs) => {
    await using world = await stillWorld();
    const machine = new VirtualClock(0);
    machine.setWallClock(world.clock.now() + byMs);
    const pass = async (ms: number) => {
      await world.clock.advance(ms);
      await machine.advance(ms);
    };
    const iat = Math.floor(world.clock.now() / 1000) - 3 * 3_600;
    const token = await world.idp.issueToken({ claims: { iat, exp: iat + 86_400 } });
    const provider: WebIdentityProvider = createProvider(
      () => ({
        source: async () => token,
        sourceName: "the token source",
        roleArn: ROLE_ARN,
        roleSessionName: undefined,
        marks: {},
      }),
      {
        ...{ preflight: "off", refresh: { aheadOfTime: false } },
        clientConfig: { endpoint: world.sts.url, region: REGION },
      },
      { clock: machine, pool: makePool({ clock: machine }), env: {}, random: () => 0 },
    );
    const first = await provider();
    await pass(44 * MINUTE);
    expect([await provider(), provider.status().state]).toEqual([first, "fresh"]);
    await pass(2 * MINUTE);
    expect([await provider(), provider.status().state]).toEqual([first, "refresh-due"]);
    await until(() => world.calls() === 2 && !provider.status().refreshing);
    expect(await provider()).not.toBe(first);
  });
});
