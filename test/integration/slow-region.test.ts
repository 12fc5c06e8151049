import { describe, expect, test } from "vitest";
import { until } from "../support/virtual-clock.js";
import { FIRST, heldBack, inFlight, latch, twoRegions } from "./two-regions.js";

const HEDGE = { hedgeAfterMs: 400 };

describe("a silent first region that is hedged", () => {
  test("is not called after a few hedged requests got the first response, and then delays no refresh", async () => {
    await using world = await twoRegions();
    world.first.setFault("hang");
    for (let silentCalls = 1; silentCalls <= 3; silentCalls += 1) {
      const credentials = world.provide(HEDGE)();
      await inFlight(world.first, silentCalls);
      await world.clock.advance(400);
      await credentials;
    }
    const provider = world.provide(HEDGE);
    await provider();
    expect([world.counts(), world.clock.monotonic()]).toEqual([[3, 4], 1_200]);
    const [first] = provider.status().regions;
    expect(first?.openUntil).toBeGreaterThan(world.clock.now());
  });

  test("is probed by one refresh after the pause, and is preferred again when it responds", async () => {
    await using world = await twoRegions();
    world.first.setFault("hang");
    for (const silentCalls of [1, 2, 3, 4]) {
      const credentials = world.provide(HEDGE)();
      await inFlight(world.first, silentCalls);
      await world.clock.advance(400);
      await credentials;
      if (silentCalls >= 3) {
        await world.provide(HEDGE)();
        await world.clock.advance(60_000);
      }
    }
    expect(world.counts()).toEqual([4, 6]);
    world.first.clearFaults();
    for (let round = 0; round < 3; round += 1) await world.provide(HEDGE)();
    expect(world.counts()).toEqual([7, 6]);
  });

  test("keeps its circuit closed for calls that were never sent there", async () => {
    await using world = await twoRegions();
    const responses = latch();
    const clientPlugins = [heldBack(FIRST, responses.opened)];
    const patient = Array.from({ length: 40 }, () => world.provide({ clientPlugins })());
    await inFlight(world.first, 40);
    const hasty = Array.from({ length: 3 }, () => world.provide({ ...HEDGE, clientPlugins }));
    const credentials = Promise.all(hasty.map((provider) => provider()));
    await until(() => world.clock.scheduled.filter((ms) => ms === 400).length === 3);
    await world.clock.advance(400);
    await credentials;
    expect(world.counts()).toEqual([40, 3]);
    expect(hasty[0]?.status().regions[0]).toEqual({ region: FIRST, openUntil: undefined });
    responses.open();
    await Promise.all(patient);
  });
});

describe("a second region whose pause is over", () => {
  test("is probed again when the first region responds before it", async () => {
    await using world = await twoRegions();
    world.second.setFault("sts-unavailable");
    world.first.failNext("sts-unavailable");
    await world
      .provide({ retry: { maxAttempts: 2 } })()
      .catch(() => {});
    await world.clock.advance(60_000);
    expect(world.counts()).toEqual([1, 1]);

    world.second.setFault("hang");
    const response = latch();
    const provider = world.provide({ ...HEDGE, clientPlugins: [heldBack(FIRST, response.opened)] });
    const credentials = provider();
    await inFlight(world.first, 2);
    await world.clock.advance(400);
    await inFlight(world.second, 2);
    expect(provider.status().regions[1]?.openUntil).toBeGreaterThan(world.clock.now());
    response.open();
    await credentials;
    expect(provider.status().regions.map(({ openUntil }) => openUntil)).toEqual([
      undefined,
      undefined,
    ]);
  });
});

describe("a probe that ends with its provider", () => {
  test("passes to the next provider", async () => {
    await using world = await twoRegions();
    world.first.failNext("sts-unavailable");
    await world.provide()();
    await world.clock.advance(60_000);
    world.first.failNext("hang");
    const provider = world.provide();
    const ended = provider().catch(() => {});
    await inFlight(world.first, 2);
    provider.close();
    await ended;
    await world.provide()();
    expect(world.counts()).toEqual([3, 1]);
  });
});
