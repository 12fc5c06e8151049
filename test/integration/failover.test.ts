import { describe, expect, test } from "vitest";
import { isWebIdentityError } from "../../src/index.js";
import type { LocalSts, StsFault } from "../../src/testing/index.js";
import { until, VirtualClock } from "../support/virtual-clock.js";
import { rejection } from "../support/world.js";
import { startRegions } from "./region-world.js";

const [FIRST, SECOND, THIRD] = ["eu-west-1", "eu-central-1", "eu-north-1"] as const;

type Break = (sts: LocalSts) => unknown;
const fault =
  (kind: StsFault): Break =>
  (sts) =>
    sts.setFault(kind);

describe("the next region is called immediately when the first", () => {
  test.each<[string, Break, string]>([
    ["is unavailable", fault("sts-unavailable"), "ServiceUnavailable"],
    ["resets the connection", fault("reset"), "ECONNRESET"],
    ["refuses connections", (sts) => sts.refuseConnections(), "ECONNREFUSED"],
    ["is behind a proxy that sends a page", fault("html"), "undefined"],
    ["returns a success without credentials", fault("empty-200"), "undefined"],
    ["is disabled for the account", fault("region-disabled"), "RegionDisabledException"],
  ])("%s", async (_, make, code) => {
    await using world = await startRegions([FIRST, SECOND, THIRD]);
    const [first] = world.stss;
    await make(first as LocalSts);
    const failures: unknown[] = [];
    const provider = world.provide({
      onEvent: (event) => {
        if (event.type !== "attempt.failed") return;
        failures.push([event.region, String(event.code), event.waitMs]);
      },
    });
    await expect(provider()).resolves.toHaveProperty("accessKeyId");
    expect(world.called()).toEqual([FIRST, SECOND]);
    expect(world.clock.monotonic()).toBe(0);
    expect(failures).toEqual([[FIRST, code, 0]]);
    expect(world.switches).toEqual([`${FIRST} -> ${SECOND} failover`]);
    expect(provider.status().region).toBe(SECOND);
  });

  test("is silent, at the attempt's timeout, and without a wait the second time", async () => {
    await using world = await startRegions([FIRST, SECOND]);
    const [first] = world.stss;
    first?.setFault("hang");
    const provider = world.provide();
    const credentials = provider();
    await until(() => first?.requests[0]?.outcome === "hang");
    await world.clock.advance(9_999);
    expect(world.counts()).toEqual([1, 0]);
    await world.clock.advance(1);
    await expect(credentials).resolves.toHaveProperty("accessKeyId");
    expect([world.clock.monotonic(), world.counts()]).toEqual([10_000, [1, 1]]);

    await provider({ forceRefresh: true });
    await world.provide({}, { roleArn: "arn:aws:iam::123456789012:role/other" })();
    expect([world.clock.monotonic(), world.counts()]).toEqual([10_000, [1, 3]]);
  });
});

describe("a budget of", () => {
  test.each([
    [8_000, 4_000],
    [1_500, 1_000],
  ])("%d ms has room for the next region when the first is silent", async (budgetMs, limitMs) => {
    await using world = await startRegions([FIRST, SECOND], new VirtualClock(0));
    const [first] = world.stss;
    first?.setFault("hang");
    const provider = world.provide({ retry: { budgetMs } });
    const credentials = provider();
    await until(() => first?.requests[0]?.outcome === "hang");
    await world.clock.advance(limitMs);
    await expect(credentials).resolves.toHaveProperty("accessKeyId");
    expect([world.clock.monotonic(), world.counts()]).toEqual([limitMs, [1, 1]]);
    await provider({ forceRefresh: true });
    expect(world.counts()).toEqual([1, 2]);
  });
});

describe("the regions", () => {
  test("are called in the order of the list", async () => {
    await using world = await startRegions([FIRST, SECOND, THIRD]);
    for (const sts of world.stss.slice(0, 2)) sts.setFault("sts-unavailable");
    const provider = world.provide();
    await provider();
    expect(world.called()).toEqual([FIRST, SECOND, THIRD]);
    expect(world.switches).toEqual([
      `${FIRST} -> ${SECOND} failover`,
      `${SECOND} -> ${THIRD} failover`,
    ]);
  });

  test("may include the first one again, which is called once a round", async () => {
    await using world = await startRegions([FIRST, SECOND]);
    world.stss[0]?.setFault("sts-unavailable");
    const provider = world.provide({ failoverRegions: [SECOND, FIRST] });
    await provider();
    expect(world.called()).toEqual([FIRST, SECOND]);
    expect(provider.status().regions.map(({ region }) => region)).toEqual([FIRST, SECOND]);
  });

  test("are called repeatedly, with waits, while all are down, until the budget ends", async () => {
    await using world = await startRegions([FIRST, SECOND]);
    for (const sts of world.stss) sts.setFault("sts-unavailable");
    const error = await rejection(world.provide()());
    if (!isWebIdentityError(error)) throw error;
    expect(error.code).toBe("ERR_STS_UNAVAILABLE");
    expect(world.clock.monotonic()).toBeLessThanOrEqual(60_000);
    const waits = error.attempts.map(({ waitMs }) => waitMs);
    expect(waits[0]).toBe(0);
    for (const wait of waits.slice(1, -1)) expect(wait).toBeGreaterThan(0);
    for (const count of world.counts()) expect(count).toBeGreaterThan(3);
    expect(error.attempts.map(({ region }) => region)).toEqual(world.called());
  });

  test("end the refresh when they recover", async () => {
    await using world = await startRegions([FIRST, SECOND]);
    for (const sts of world.stss) sts.failNext("sts-unavailable", { times: 2 });
    await expect(world.provide()()).resolves.toHaveProperty("accessKeyId");
    expect(world.called().length).toBeLessThanOrEqual(5);
  });

  test("are reduced to the one that only failed when the other is disabled", async () => {
    await using world = await startRegions([FIRST, SECOND]);
    const [first, second] = world.stss;
    first?.failNext("sts-unavailable", { times: 3 });
    second?.setFault("region-disabled");
    const provider = world.provide();
    await expect(provider()).resolves.toHaveProperty("accessKeyId");
    expect(world.counts()).toEqual([4, 1]);
    expect(provider.status().region).toBe(FIRST);
  });

  test("that are all disabled are named in the error, after one call each", async () => {
    await using world = await startRegions([FIRST, SECOND]);
    for (const sts of world.stss) sts.setFault("region-disabled");
    expect(await rejection(world.provide()())).toMatchObject({ code: "ERR_REGION_DISABLED" });
    expect(world.counts()).toEqual([1, 1]);
  });
});

describe("the region stays the same", () => {
  test.each<[string, StsFault, string]>([
    ["a token that is rejected", "token-rejected", "ERR_TOKEN_REJECTED"],
    ["a role that does not trust it", "access-denied", "ERR_ACCESS_DENIED"],
    ["an invalid request", "request-invalid", "ERR_REQUEST_INVALID"],
  ])("for %s, without a second call anywhere", async (_, kind, code) => {
    await using world = await startRegions([FIRST, SECOND]);
    world.stss[0]?.setFault(kind);
    expect(await rejection(world.provide()())).toMatchObject({ code });
    expect(world.counts()).toEqual([1, 0]);
    expect(world.switches).toEqual([]);
  });

  test.each<StsFault>(["throttled", "token-early", "unknown"])(
    "while STS responds: %s",
    async (kind) => {
      await using world = await startRegions([FIRST, SECOND]);
      world.stss[0]?.failNext(kind, { times: 2 });
      await expect(world.provide()()).resolves.toHaveProperty("accessKeyId");
      expect(world.counts()).toEqual([3, 0]);
    },
  );
});

describe("a region that sends Retry-After", () => {
  const TOO_LONG = { retryAfterSeconds: 120 };

  test.each<StsFault>(["throttled", "idp-unreachable", "sts-unavailable"])(
    "longer than the refresh can wait is followed by the next region: %s",
    async (kind) => {
      await using world = await startRegions([FIRST, SECOND]);
      world.stss[0]?.setFault(kind, TOO_LONG);
      const provider = world.provide();
      await expect(provider()).resolves.toHaveProperty("accessKeyId");
      expect(world.called()).toEqual([FIRST, SECOND]);
      expect(world.clock.monotonic()).toBeLessThanOrEqual(1_000);
      expect(world.switches).toEqual([`${FIRST} -> ${SECOND} failover`]);
    },
  );

  test("is called again after that time", async () => {
    await using world = await startRegions([FIRST, SECOND]);
    world.stss[0]?.failNext("throttled", { retryAfterSeconds: 3 });
    await world.provide()();
    expect(world.called()).toEqual([FIRST, FIRST]);
    expect(world.clock.monotonic()).toBeGreaterThanOrEqual(3_000);
  });

  test.each<[[string, ...string[]]]>([[[FIRST, SECOND]], [[FIRST]]])(
    "longer than the budget, as every one of %j does, is still called within it",
    async (regions) => {
      await using world = await startRegions(regions, new VirtualClock(59_000));
      for (const sts of world.stss) sts.setFault("throttled", TOO_LONG);
      const provider = world.provide({ attemptTimeoutMs: 100_000, retry: { budgetMs: 120_000 } });
      const error = await rejection(provider());
      expect(error).toMatchObject({
        code: "ERR_THROTTLED",
        retryAfterMs: 120_000,
        nextRefreshAllowedAt: world.clock.now() + 30_000,
      });
      expect(world.called().length).toBeGreaterThan(regions.length);
      expect(world.called().length).toBeLessThan(12);
      expect(world.clock.monotonic()).toBeLessThanOrEqual(120_000);
      expect(await rejection(provider({ forceRefresh: true }))).toBe(error);
    },
  );

  test.each<StsFault>(["throttled", "idp-unreachable", "sts-unavailable"])(
    "once, longer than the budget, returns credentials within the budget: %s",
    async (kind) => {
      await using world = await startRegions([FIRST], new VirtualClock(59_000));
      world.stss[0]?.failNext(kind, TOO_LONG);
      await world.provide({ attemptTimeoutMs: 100_000, retry: { budgetMs: 120_000 } })();
      expect(world.counts()).toEqual([2]);
      expect(world.clock.monotonic()).toBeLessThanOrEqual(120_000);
    },
  );
});

describe("an identity provider that STS can't reach", () => {
  test.each(["idp-unreachable", "IDPCommunicationError"])(
    "is attempted from the next region after two attempts: %s",
    async (name) => {
      await using world = await startRegions([FIRST, SECOND]);
      const wire = { code: name, message: "not reachable", httpStatus: 400 };
      world.stss[0]?.setFault(name === "idp-unreachable" ? name : wire);
      const provider = world.provide();
      await expect(provider()).resolves.toHaveProperty("accessKeyId");
      expect(world.called()).toEqual([FIRST, FIRST, SECOND]);
      expect(world.clock.monotonic()).toBeGreaterThan(0);
      expect(provider.status().regions.map(({ openUntil }) => openUntil)).toEqual([
        undefined,
        undefined,
      ]);
    },
  );

  test("from any region is attempted twice in each region, round after round", async () => {
    await using world = await startRegions([FIRST, SECOND]);
    for (const sts of world.stss) sts.setFault("idp-unreachable");
    const error = await rejection(world.provide()());
    expect(error).toMatchObject({ code: "ERR_IDP_UNREACHABLE" });
    const round = [FIRST, FIRST, SECOND, SECOND];
    expect(world.called().slice(0, 8)).toEqual([...round, ...round]);
    expect(world.clock.monotonic()).toBeLessThanOrEqual(60_000);
  });
});
