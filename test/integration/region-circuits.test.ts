import { describe, expect, test } from "vitest";
import { until, VirtualClock } from "../support/virtual-clock.js";
import { rejection } from "../support/world.js";
import { type RegionWorld, startRegions } from "./region-world.js";

const [FIRST, SECOND] = ["eu-west-1", "eu-central-1"] as const;
const role = (number: number) => ({ roleArn: `arn:aws:iam::123456789012:role/app-${number}` });

/** A world in which the first region has just been found to be down. */
async function afterFailover(): Promise<RegionWorld> {
  const world = await startRegions([FIRST, SECOND]);
  world.stss[0]?.setFault("sts-unavailable");
  await world.provide()();
  expect(world.counts()).toEqual([1, 1]);
  return world;
}

describe("a region that did not respond", () => {
  test("is not called by any provider for at least 30 s, and the status shows it", async () => {
    await using world = await afterFailover();
    const start = world.clock.now();
    const provider = world.provide({}, role(1));
    await provider();
    const [first, second] = provider.status().regions;
    expect(first?.region).toBe(FIRST);
    const pauseMs = (first?.openUntil ?? 0) - start;
    expect(pauseMs).toBeGreaterThanOrEqual(30_000);
    expect(pauseMs).toBeLessThanOrEqual(60_000);
    expect(second).toEqual({ region: SECOND, openUntil: undefined });

    await world.clock.advance(pauseMs - 1);
    await world.provide({}, role(2))();
    expect(world.counts()).toEqual([1, 3]);
  });

  test("is not called for any client, over any connections", async () => {
    await using world = await startRegions([FIRST, SECOND]);
    world.stss[0]?.setFault("sts-unavailable");
    const { router } = world;
    const caller = () => ({
      callerClientConfig: {
        requestHandler: {
          metadata: router.metadata,
          handle: router.handle.bind(router),
          updateHttpClientConfig: () => {},
          httpHandlerConfigs: () => ({}),
        },
      },
      forceRefresh: true,
    });
    const provider = world.provide({ clientConfig: { requestHandler: undefined as never } });
    for (let round = 0; round < 3; round += 1) await provider(caller());
    expect(world.counts()).toEqual([1, 3]);
  });

  test("is called again after the pause, and is the preferred region again when it has recovered", async () => {
    await using world = await afterFailover();
    world.stss[0]?.clearFaults();
    await world.clock.advance(60_000);
    const provider = world.provide({}, role(1));
    await provider();
    expect(provider.status().region).toBe(FIRST);
    expect(provider.status().regions.map(({ openUntil }) => openUntil)).toEqual([
      undefined,
      undefined,
    ]);
    for (const number of [2, 3, 4]) await world.provide({}, role(number))();
    expect(world.counts()).toEqual([5, 1]);
  });

  test("is probed by one of many providers; the others call a region that works", async () => {
    await using world = await afterFailover();
    const [first] = world.stss;
    first?.clearFaults();
    first?.setFault("hang");
    await world.clock.advance(60_000);
    const all = Array.from({ length: 20 }, (_, number) => world.provide({}, role(number))());
    await until(() => world.counts()[0] === 2 && world.counts()[1] === 20);
    await world.clock.advance(10_000);
    await Promise.all(all);
    expect(world.counts()).toEqual([2, 21]);
    await world.provide({}, role(99))();
    expect(world.counts()).toEqual([2, 22]);
  });

  test("has recovered for all providers when the probe gets a response, whatever it is", async () => {
    for (const fault of ["throttled", "idp-unreachable", "access-denied"] as const) {
      await using world = await afterFailover();
      const [first] = world.stss;
      first?.clearFaults();
      first?.failNext(fault);
      await world.clock.advance(60_000);
      await world
        .provide({}, role(1))()
        .catch(() => {});
      await world.provide({}, role(2))();
      expect(world.counts()[1], fault).toBe(1);
    }
  });

  test("is called when the circuit of every other region is open too", async () => {
    await using world = await afterFailover();
    const [first, second] = world.stss;
    first?.clearFaults();
    second?.setFault("sts-unavailable");
    await expect(world.provide({}, role(1))()).resolves.toHaveProperty("accessKeyId");
    expect(world.counts()).toEqual([2, 2]);
  });

  test("is called by a provider that has no other region", async () => {
    await using world = await afterFailover();
    world.stss[0]?.clearFaults();
    const provider = world.provide({ failoverRegions: [] }, role(1));
    await expect(provider()).resolves.toHaveProperty("accessKeyId");
    expect(world.counts()).toEqual([2, 1]);
  });
});

describe("a region that fails while many calls wait for their turn there", () => {
  test("gets none of those calls: they go to the next region immediately", async () => {
    await using world = await startRegions([FIRST, SECOND], new VirtualClock(0));
    const [first] = world.stss;
    first?.setFault("hang");
    const all = Array.from({ length: 130 }, (_, number) => world.provide({}, role(number))());
    await until(() => world.counts()[0] === 40);
    await world.clock.advance(10_000);
    await Promise.all(all);
    expect([world.counts(), world.clock.monotonic()]).toEqual([[40, 130], 10_000]);
  });

  test("gets each of those calls if there is no other region", async () => {
    await using world = await startRegions([FIRST], new VirtualClock(0));
    const [sts] = world.stss;
    sts?.failNext("hang", { times: 40 });
    const all = Array.from({ length: 50 }, (_, number) =>
      world.provide({ retry: { maxAttempts: 1 } }, role(number))(),
    );
    const settled = Promise.allSettled(all);
    await until(() => world.counts()[0] === 40);
    await world.clock.advance(10_000);
    const served = (await settled).filter(({ status }) => status === "fulfilled");
    expect([served.length, world.counts()]).toEqual([10, [50]]);
  });
});

describe("a region that is disabled for one account", () => {
  test("is still the preferred region for roles of another account", async () => {
    await using world = await startRegions([FIRST, SECOND]);
    const [first] = world.stss;
    const isOther = (arn = "") => arn.includes("::999999999999:");
    first?.setFault("region-disabled", { when: ({ parameters }) => isOther(parameters.RoleArn) });
    await world.provide({}, { roleArn: "arn:aws:iam::999999999999:role/app" })();
    expect(world.counts()).toEqual([1, 1]);
    const provider = world.provide();
    await provider();
    expect([provider.status().region, world.counts()]).toEqual([FIRST, [2, 1]]);
  });
});

describe("an attempt that the budget cut short", () => {
  test("does not open the circuit of the region", async () => {
    await using world = await startRegions([FIRST, SECOND]);
    const [first] = world.stss;
    first?.setFault("hang");
    const alone = world.provide({ failoverRegions: [], retry: { budgetMs: 6_000 } });
    const credentials = rejection(alone());
    await until(() => first?.requests[0]?.outcome === "hang");
    await world.clock.advance(6_000);
    expect(await credentials).toMatchObject({ code: "ERR_STS_UNAVAILABLE" });
    first?.clearFaults();
    await world.provide({}, role(1))();
    expect(world.counts()).toEqual([2, 0]);
  });

  test("does not open the circuit of a region that it was only waiting for", async () => {
    await using world = await startRegions([FIRST, SECOND], new VirtualClock(0));
    const [first] = world.stss;
    first?.setFault("hang");
    const life = new AbortController();
    const busy = Array.from({ length: 40 }, () => world.provide({ signal: life.signal })());
    const ended = Promise.allSettled(busy);
    await until(() => first?.requests.length === 40);
    const late = world.provide({ retry: { budgetMs: 2_000 } });
    const credentials = rejection(late());
    await until(() => world.clock.scheduled.includes(2_000));
    await world.clock.advance(2_000);
    expect(await credentials).toMatchObject({
      attempts: [{ message: expect.stringContaining("waiting for a response") }],
    });
    expect(late.status().regions.map(({ openUntil }) => openUntil)).toEqual([undefined, undefined]);
    life.abort();
    await ended;
  });

  test("does not hide the failures of earlier attempts", async () => {
    await using world = await startRegions([FIRST]);
    const [sts] = world.stss;
    sts?.failNext("idp-unreachable");
    sts?.setFault("hang");
    const credentials = rejection(world.provide({ retry: { budgetMs: 6_000 } })());
    await until(() => sts?.requests[1]?.outcome === "hang");
    await world.clock.advance(6_000);
    expect(await credentials).toMatchObject({
      code: "ERR_IDP_UNREACHABLE",
      attempts: [
        { code: "InvalidIdentityToken" },
        { message: expect.stringMatching(/^no response from STS within \d+ ms$/) },
      ],
    });
  });
});
