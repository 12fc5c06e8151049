import { describe, expect, test } from "vitest";
import { isWebIdentityError } from "../../src/index.js";
import type { WebIdentityInit } from "../../src/provider/options.js";
import type { LocalSts, StsFault } from "../../src/testing/index.js";
import { until } from "../support/virtual-clock.js";
import { rejection } from "../support/world.js";
import { FIRST, heldBack, inFlight, latch, SECOND, twoRegions } from "./two-regions.js";

const HEDGE = { hedgeAfterMs: 200 };
const outcomes = ({ requests }: LocalSts) => requests.map(({ outcome }) => outcome);

describe("with hedgeAfterMs, a first region", () => {
  test("that responds in time is the only one called", async () => {
    await using world = await twoRegions();
    const provider = world.provide(HEDGE);
    await provider();
    expect(world.clock.pending).toBe(0);
    await world.clock.advance(1_000);
    expect([world.counts(), world.switches]).toEqual([[1, 0], []]);
    expect(provider.status().region).toBe(FIRST);
  });

  test("that does not respond in time is hedged with the second, whose response ends its call", async () => {
    await using world = await twoRegions();
    world.first.setFault("hang");
    const provider = world.provide(HEDGE);
    const credentials = provider();
    await inFlight(world.first);
    await world.clock.advance(199);
    expect(world.counts()).toEqual([1, 0]);
    await world.clock.advance(1);
    const { accessKeyId } = await credentials;
    expect(world.second.requests[0]?.granted?.accessKeyId).toBe(accessKeyId);
    expect(world.clock.monotonic()).toBe(200);
    expect(world.switches).toEqual([`${FIRST} -> ${SECOND} hedge`]);
    expect(provider.status().region).toBe(SECOND);
    await until(() => world.first.connections.open === 0);
    expect(world.clock.pending).toBe(0);
  });

  test("that responds before the second wins, and the second call is cancelled", async () => {
    await using world = await twoRegions();
    const response = latch();
    world.second.setFault("hang");
    const provider = world.provide({ ...HEDGE, clientPlugins: [heldBack(FIRST, response.opened)] });
    const credentials = provider();
    await inFlight(world.first);
    await world.clock.advance(200);
    await inFlight(world.second);
    response.open();
    const { accessKeyId } = await credentials;
    expect(world.first.requests[0]?.granted?.accessKeyId).toBe(accessKeyId);
    expect([world.switches, provider.status().region]).toEqual([[], FIRST]);
    await until(() => world.second.connections.open === 0);
  });

  test("that fails early is followed by the second, as without hedging", async () => {
    await using world = await twoRegions();
    world.first.setFault("sts-unavailable");
    const provider = world.provide(HEDGE);
    await provider();
    expect([world.counts(), world.clock.monotonic()]).toEqual([[1, 1], 0]);
    expect(world.switches).toEqual([`${FIRST} -> ${SECOND} failover`]);
  });

  test("that refuses early is the only one called", async () => {
    await using world = await twoRegions();
    world.first.setFault("access-denied");
    expect(await rejection(world.provide(HEDGE)())).toMatchObject({ code: "ERR_ACCESS_DENIED" });
    expect([world.counts(), world.clock.pending]).toEqual([[1, 0], 0]);
  });

  test.each<[StsFault, string]>([
    ["access-denied", "ERR_ACCESS_DENIED"],
    ["token-rejected", "ERR_TOKEN_REJECTED"],
    ["request-invalid", "ERR_REQUEST_INVALID"],
  ])(
    "that refuses late ends the refresh and the second call immediately: %s",
    async (fault, code) => {
      await using world = await twoRegions();
      const response = latch();
      world.first.setFault(fault);
      world.second.setFault("hang");
      const provider = world.provide({
        ...HEDGE,
        clientPlugins: [heldBack(FIRST, response.opened)],
      });
      const credentials = rejection(provider());
      await inFlight(world.first);
      await world.clock.advance(200);
      await inFlight(world.second);
      response.open();
      expect(await credentials).toMatchObject({ code, attempts: { length: 1 } });
      expect(world.clock.monotonic()).toBe(200);
      await until(() => world.second.connections.open === 0);
    },
  );

  test.each<[StsFault, WebIdentityInit]>([
    ["sts-unavailable", {}],
    ["idp-unreachable", {}],
    ["throttled", {}],
    ["region-disabled", {}],
    ["unknown", {}],
    ["access-denied", { retryAccessDenied: true }],
  ])("that fails late leaves the refresh to the second: %s", async (fault, init) => {
    await using world = await twoRegions();
    const [one, two] = [latch(), latch()];
    world.first.setFault(fault);
    const clientPlugins = [heldBack(FIRST, one.opened), heldBack(SECOND, two.opened)];
    const provider = world.provide({ ...HEDGE, ...init, clientPlugins });
    const credentials = provider();
    await inFlight(world.first);
    await world.clock.advance(200);
    await inFlight(world.second);
    one.open();
    await world.clock.flush();
    two.open();
    await expect(credentials).resolves.toHaveProperty("accessKeyId");
    expect(world.switches).toEqual([`${FIRST} -> ${SECOND} hedge`]);
  });

  test("whose circuit is open is not used to hedge the second", async () => {
    await using world = await twoRegions();
    world.first.failNext("sts-unavailable");
    await world.provide(HEDGE)();
    world.second.setFault("hang");
    const provider = world.provide(HEDGE);
    const credentials = rejection(provider());
    await inFlight(world.second, 2);
    await world.clock.advance(5_000);
    expect(world.counts()).toEqual([1, 2]);
    provider.close();
    expect(await credentials).toMatchObject({ code: "ERR_CLOSED" });
  });
});

describe("two regions that both fail", () => {
  test("are reported as the first one's failure", async () => {
    await using world = await twoRegions();
    world.first.setFault("hang");
    world.second.setFault("access-denied");
    const provider = world.provide({ ...HEDGE, retry: { maxAttempts: 1 } });
    const credentials = rejection(provider());
    await inFlight(world.first);
    await world.clock.advance(200);
    await until(() => outcomes(world.second).includes("AccessDenied"));
    await world.clock.advance(9_800);
    expect(await credentials).toMatchObject({
      code: "ERR_STS_UNAVAILABLE",
      attempts: [{ region: FIRST, code: "TimeoutError", ms: 10_000 }],
    });
  });

  test("are not called again without a wait, whichever failed last", async () => {
    for (const last of ["first", "second"] as const) {
      await using world = await twoRegions();
      const other = last === "first" ? "second" : "first";
      world.first.setFault("sts-unavailable");
      world.second.setFault("sts-unavailable");
      const responses = { first: latch(), second: latch() };
      const clientPlugins = [
        heldBack(FIRST, responses.first.opened),
        heldBack(SECOND, responses.second.opened),
      ];
      const retry = { maxAttempts: 2 };
      const waits: (number | undefined)[] = [];
      const provider = world.provide({
        ...{ ...HEDGE, retry, clientPlugins },
        onEvent: (event) => event.type === "attempt.failed" && waits.push(event.waitMs),
      });
      const credentials = rejection(provider());
      await inFlight(world.first);
      await world.clock.advance(200);
      await inFlight(world.second);
      responses[other].open();
      await until(() => provider.status().regions.some(({ openUntil }) => openUntil));
      responses[last].open();
      await until(() => waits.length === 1);
      expect(waits[0], last).toBeGreaterThan(0);
      await world.clock.advance(5_000);
      const error = await credentials;
      expect(isWebIdentityError(error) && error.attempts).toHaveLength(2);
    }
  });
});

describe("the end of the provider", () => {
  test("ends both calls with its reason", async () => {
    await using world = await twoRegions();
    world.first.setFault("hang");
    world.second.setFault("hang");
    const life = new AbortController();
    const credentials = rejection(world.provide({ ...HEDGE, signal: life.signal })());
    await inFlight(world.first);
    await world.clock.advance(200);
    await inFlight(world.second);
    const reason = new Error("shutting down");
    life.abort(reason);
    expect(await credentials).toBe(reason);
    await until(() => world.first.connections.open + world.second.connections.open === 0);
    expect([world.clock.pending, world.clock.holds]).toEqual([0, 0]);
  });

  test("that comes with the token prevents every call", async () => {
    await using world = await twoRegions();
    const life = new AbortController();
    const provider = world.provide({
      ...{ ...HEDGE, signal: life.signal },
      onEvent: ({ type }) => type === "token.loaded" && life.abort("enough"),
    });
    expect(await rejection(provider())).toBe("enough");
    await world.clock.advance(1_000);
    expect(world.counts()).toEqual([0, 0]);
  });
});
