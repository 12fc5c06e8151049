import type { HttpRequest } from "@smithy/core/protocols";
import type { FinalizeRequestMiddleware } from "@smithy/types";
import { describe, expect, it } from "vitest";
import { isWebIdentityError } from "../../src/index.js";
import type { ClientPlugin } from "../../src/sts/client-config.js";
import type { LocalSts } from "../../src/testing/index.js";
import { type RegionWorld, startRegions } from "./region-world.js";
import { withoutAwsSettings } from "./sdk-environment.js";
import { until, VirtualClock } from "./virtual-clock.js";
import { rejection } from "./world.js";

withoutAwsSettings();

const [FIRST, SECOND] = ["eu-west-1", "eu-central-1"] as const;
const HEDGE = { hedgeAfterMs: 200 };

/** Two regions under a clock that moves only when a test says so. */
async function twoRegions(): Promise<RegionWorld & { first: LocalSts; second: LocalSts }> {
  const world = await startRegions([FIRST, SECOND], new VirtualClock(0));
  const [first, second] = world.stss;
  if (first === undefined || second === undefined) throw new Error("two regions were started");
  return Object.assign(world, { first, second });
}

const inFlight = (sts: LocalSts, count = 1) => until(() => sts.requests.length === count);
const outcomes = ({ requests }: LocalSts) => requests.map(({ outcome }) => outcome);

describe("with hedgeAfterMs, a first region", () => {
  it("that answers in time is the only one asked", async () => {
    await using world = await twoRegions();
    const provider = world.provide(HEDGE);
    await provider();
    expect(world.clock.pending).toBe(0);
    await world.clock.advance(1_000);
    expect([world.counts(), world.switches]).toEqual([[1, 0], []]);
    expect(provider.status().region).toBe(FIRST);
  });

  it("that does not answer in time is joined by the second, whose answer ends its call", async () => {
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

  it("that answers after all wins, and the second call is ended", async () => {
    await using world = await twoRegions();
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    world.second.setFault("hang");
    const provider = world.provide({ ...HEDGE, clientPlugins: [heldBack(FIRST, released)] });
    const credentials = provider();
    await inFlight(world.first);
    await world.clock.advance(200);
    await inFlight(world.second);
    release();
    const { accessKeyId } = await credentials;
    expect(world.first.requests[0]?.granted?.accessKeyId).toBe(accessKeyId);
    expect([world.switches, provider.status().region]).toEqual([[], FIRST]);
    await until(() => world.second.connections.open === 0);
  });

  it("that fails early is followed by the second as without hedging", async () => {
    await using world = await twoRegions();
    world.first.setFault("sts-unavailable");
    const provider = world.provide(HEDGE);
    await provider();
    expect([world.counts(), world.clock.monotonic()]).toEqual([[1, 1], 0]);
    expect(world.switches).toEqual([`${FIRST} -> ${SECOND} failover`]);
  });

  it("that refuses early is the only one asked", async () => {
    await using world = await twoRegions();
    world.first.setFault("access-denied");
    expect(await rejection(world.provide(HEDGE)())).toMatchObject({ code: "ERR_ACCESS_DENIED" });
    expect([world.counts(), world.clock.pending]).toEqual([[1, 0], 0]);
  });

  it("that rests has nobody beside it in its place", async () => {
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
  it("are told as the first one's failure", async () => {
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

  it("are not asked again without a wait, whichever failed last", async () => {
    for (const last of ["first", "second"] as const) {
      await using world = await twoRegions();
      const other = last === "first" ? "second" : "first";
      world.first.setFault("sts-unavailable");
      world.second.setFault("sts-unavailable");
      const release = { first: () => {}, second: () => {} };
      const held = (name: "first" | "second") =>
        new Promise<void>((resolve) => {
          release[name] = resolve;
        });
      const clientPlugins = [heldBack(FIRST, held("first")), heldBack(SECOND, held("second"))];
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
      release[other]();
      await until(() => provider.status().regions.some(({ restingUntil }) => restingUntil));
      release[last]();
      await until(() => waits.length === 1);
      expect(waits[0], last).toBeGreaterThan(0);
      await world.clock.advance(5_000);
      const error = await credentials;
      expect(isWebIdentityError(error) && error.attempts).toHaveLength(2);
    }
  });
});

describe("the end of the provider", () => {
  it("ends both calls with its reason", async () => {
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

  it("that comes with the token makes no call at all", async () => {
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

/** A plugin that keeps back how a region's calls end until it is released. */
function heldBack(region: string, released: Promise<void>): ClientPlugin {
  return {
    applyToStack: (stack) => {
      const hold: FinalizeRequestMiddleware<object, object> = (next) => async (args) => {
        const { hostname } = args.request as HttpRequest;
        try {
          return await next(args);
        } finally {
          if (hostname.includes(region)) await released;
        }
      };
      stack.add(hold, { step: "finalizeRequest", priority: "low", name: `held back ${region}` });
    },
  };
}
