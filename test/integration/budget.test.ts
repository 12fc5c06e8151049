import { describe, expect, test } from "vitest";
import type { TokenSource } from "../../src/model/token-source.js";
import type { WebIdentityInit } from "../../src/provider/options.js";
import { until, VirtualClock } from "../support/virtual-clock.js";
import { REGION, rejection, startWorld, type World } from "../support/world.js";

/** A world whose time passes only when a test says so. */
const stillWorld = () => startWorld({ clock: new VirtualClock(0) });
const never = () => new Promise<never>(() => {});
const retry = { budgetMs: 3_000 };

/** A value that takes two seconds. */
const late =
  <T>({ clock }: World, value: T) =>
  () =>
    new Promise<T>((resolve) => clock.schedule(2_000, () => resolve(value)));

describe("the budget limits a refresh with", () => {
  test.each<[string, WebIdentityInit]>([
    ["a region", { clientConfig: { region: never } }],
    ["the caller's region", { clientConfig: {}, parentClientConfig: { region: never } }],
    ["FIPS", { clientConfig: { region: REGION, useFipsEndpoint: never } }],
    ["dual-stack", { clientConfig: { region: REGION, useDualstackEndpoint: never } }],
    [
      "the global endpoint",
      { clientConfig: { region: REGION, useGlobalEndpoint: never as never } },
    ],
  ])("%s that never responds", async (_, init) => {
    await using world = await stillWorld();
    const credentials = rejection(world.provide({ ...init, retry })());
    await until(() => world.clock.pending === 1);
    await world.clock.advance(3_000);
    expect(await credentials).toMatchObject({
      code: "ERR_REQUEST_INVALID",
      message: expect.stringContaining("returned no value within 3000 ms"),
    });
    expect([world.clock.pending, world.clock.holds, world.calls()]).toEqual([0, 0, 0]);
  });

  test("an endpoint that never resolves", async () => {
    await using world = await stillWorld();
    const clientConfig = { region: REGION, endpoint: never };
    const credentials = rejection(world.provide({ clientConfig, retry })());
    await until(() => world.clock.scheduled.length > 2);
    await world.clock.advance(3_000);
    expect(await credentials).toMatchObject({ code: "ERR_STS_UNAVAILABLE" });
  });

  test("a silent STS and a region that resolved late", async () => {
    await using world = await stillWorld();
    world.sts.setFault("hang");
    const clientConfig = { endpoint: world.sts.url, region: late(world, REGION) };
    const credentials = rejection(world.provide({ clientConfig, retry })());
    await until(() => world.clock.pending === 2);
    await world.clock.advance(2_000);
    await until(() => world.calls() === 1);
    await world.clock.advance(1_000);
    expect(await credentials).toMatchObject({ code: "ERR_STS_UNAVAILABLE" });
    expect(world.clock.monotonic()).toBe(3_000);
  });

  test("a silent STS and a token that came late", async () => {
    await using world = await stillWorld();
    world.sts.setFault("hang");
    const token: TokenSource = late(world, await world.idp.issueToken());
    const credentials = rejection(world.provide({ retry }, { token })());
    await until(() => world.clock.pending === 2);
    await world.clock.advance(2_000);
    await until(() => world.calls() === 1);
    await world.clock.advance(1_000);
    expect(await credentials).toMatchObject({ code: "ERR_STS_UNAVAILABLE" });
    expect(world.clock.monotonic()).toBe(3_000);
  });
});
