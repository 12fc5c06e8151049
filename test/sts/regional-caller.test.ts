import { HttpResponse } from "@smithy/core/protocols";
import { describe, expect, test } from "vitest";
import type { EventBody } from "../../src/model/events.js";
import { judge } from "../../src/retry/verdict.js";
import { startDeadline } from "../../src/runtime/clock.js";
import {
  type CallerLimits,
  createAssumerCaller,
  createRegionalCaller,
} from "../../src/sts/regional-caller.js";
import type { StsTarget } from "../../src/sts/target.js";
import { FakeClock } from "../support/fake-clock.js";
import { makePool } from "../support/make-pool.js";
import { makeTarget } from "../support/make-target.js";
import { untilSent } from "../support/responding-endpoint.js";

const INPUT = {
  RoleArn: "arn:aws:iam::123456789012:role/app",
  RoleSessionName: "session",
  WebIdentityToken: "a.token.b",
};
const [FIRST, SECOND] = ["eu-west-1", "eu-central-1"] as const;

type Behavior = "responds" | "hangs" | "refuses the connection";

/** STS in two regions, over a request handler with one behavior for each region. */
function stsInTwoRegions() {
  const clock = new FakeClock();
  const pool = makePool({ clock, random: () => 0 });
  const behavior: Record<string, Behavior> = { [FIRST]: "responds", [SECOND]: "responds" };
  const called: string[] = [];
  const events: EventBody[] = [];
  const requestHandler = {
    metadata: { handlerProtocol: "http/1.1" },
    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
    async handle({ hostname }: { hostname: string }) {
      const region = hostname.split(".")[1] ?? "";
      called.push(region);
      if (behavior[region] === "hangs") await new Promise(() => {});
      if (behavior[region] === "refuses the connection") {
        throw Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
      }
      return {
        response: new HttpResponse({ statusCode: 200, body: success(clock.now(), region) }),
      };
    },
  } as unknown as NonNullable<StsTarget["config"]["requestHandler"]>;
  const targetOf = (region: string) => {
    return makeTarget({ region, config: { region, requestHandler } });
  };
  const caller = (
    limits: Partial<CallerLimits> = {},
    regions: readonly [string, ...string[]] = [FIRST, SECOND],
  ) => {
    const life = new AbortController();
    const [first, ...others] = regions;
    const sts = createRegionalCaller({
      targets: [targetOf(first), ...others.map(targetOf)],
      ...{ pool, judge, retryAccessDenied: false, signal: life.signal },
      limits: { attemptTimeoutMs: 10_000, hedgeAfterMs: undefined, budgetMs: 60_000, ...limits },
      emit: (event) => events.push(event),
    });
    /** Whose key the caller gets, or what it gets instead. */
    const call = () =>
      sts.call(INPUT, startDeadline(clock, limits.budgetMs ?? 60_000)).then(
        ({ credentials }) => credentials.accessKeyId,
        (error: unknown) => error,
      );
    return { sts, call, close: () => life.abort(new Error("closed")) };
  };
  return { clock, pool, behavior, called, events, caller };
}

function success(now: number, region: string): Uint8Array {
  const expiration = new Date(now + 3_600_000).toISOString();
  const xml = `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
    <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>key-of-${region}</AccessKeyId>
    <SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>
    <Expiration>${expiration}</Expiration></Credentials></AssumeRoleWithWebIdentityResult>
  </AssumeRoleWithWebIdentityResponse>`;
  return new TextEncoder().encode(xml);
}

const untilCalled = (world: { readonly called: string[] }, times: number) =>
  untilSent({ sent: world.called }, times);

describe("a regional caller", () => {
  test("calls the preferred region, and keeps it while it responds", async () => {
    const world = stsInTwoRegions();
    const { sts, call } = world.caller();
    expect([await call(), await call()]).toEqual([`key-of-${FIRST}`, `key-of-${FIRST}`]);
    expect([sts.region, world.events]).toEqual([FIRST, []]);
  });

  test("reports that another region can be called immediately, calls it, and reports the switch", async () => {
    const world = stsInTwoRegions();
    world.behavior[FIRST] = "refuses the connection";
    const { sts, call } = world.caller();
    expect(await call()).toMatchObject({ failure: { region: FIRST, alternative: true } });
    expect([await call(), sts.region]).toEqual([`key-of-${SECOND}`, SECOND]);
    const switched = { type: "region.switched", from: FIRST, to: SECOND, reason: "failover" };
    expect(world.events).toEqual([switched]);
  });

  test("knows the clock of the region that it calls next", async () => {
    const world = stsInTwoRegions();
    const { sts, call } = world.caller();
    const before = sts.serverClock;
    world.behavior[FIRST] = "refuses the connection";
    await call();
    expect(sts.serverClock).not.toBe(before);
  });

  test("leaves half of the budget to the next region when one is silent", async () => {
    const world = stsInTwoRegions();
    world.behavior[FIRST] = "hangs";
    const call = world.caller({ budgetMs: 8_000 }).call();
    await untilCalled(world, 1);
    await world.clock.advance(3_999);
    expect(world.clock.pending).toBeGreaterThan(0);
    await world.clock.advance(1);
    const message = "no response from STS within 4000 ms";
    expect(await call).toMatchObject({ failure: { message, alternative: true } });
  });

  test("gives a region without an alternative the whole attempt timeout", async () => {
    const world = stsInTwoRegions();
    world.behavior[FIRST] = "hangs";
    const call = world.caller({ budgetMs: 12_000 }, [FIRST]).call();
    await untilCalled(world, 1);
    await world.clock.advance(10_000);
    const message = "no response from STS within 10000 ms";
    expect(await call).toMatchObject({ failure: { message, alternative: false } });
  });

  test("passes the probe of a region to the next caller when the end of its refresh ends the call", async () => {
    const world = stsInTwoRegions();
    world.behavior[FIRST] = "refuses the connection";
    await world.caller().call();
    await world.clock.advance(30_000);
    world.behavior[FIRST] = "hangs";
    const probing = world.caller();
    const probe = probing.call();
    await untilCalled(world, 2);
    expect(await world.caller().call()).toBe(`key-of-${SECOND}`);
    probing.close();
    expect(await probe).toEqual(new Error("closed"));
    world.behavior[FIRST] = "responds";
    expect(await world.caller().call()).toBe(`key-of-${FIRST}`);
  });

  test("calls a second region while the first is silent, and returns the first response", async () => {
    const world = stsInTwoRegions();
    world.behavior[FIRST] = "hangs";
    const { sts, call } = world.caller({ hedgeAfterMs: 500 });
    const hedged = call();
    await untilCalled(world, 1);
    await world.clock.advance(500);
    expect([await hedged, sts.region]).toEqual([`key-of-${SECOND}`, SECOND]);
    expect(world.events).toMatchObject([{ type: "region.switched", reason: "hedge" }]);
  });

  test("refuses a request that STS would refuse in any of its regions", async () => {
    const { sts } = stsInTwoRegions().caller();
    const { WebIdentityToken: _, ...request } = INPUT;
    await expect(sts.check(request)).resolves.toBeUndefined();
    const failure = { kind: "request", code: "duration-invalid" };
    await expect(sts.check({ ...request, DurationSeconds: 5 })).rejects.toMatchObject({ failure });
  });
});

describe("a caller through a role assumer", () => {
  const call = (
    assumer: () => Promise<{ accessKeyId: string; secretAccessKey: string }>,
    clock = new FakeClock(),
  ) => {
    const { signal } = new AbortController();
    const sts = createAssumerCaller({ assumer, clock, attemptTimeoutMs: 1_000, signal });
    return { sts, result: sts.call(INPUT, startDeadline(clock, 60_000)) };
  };

  test("knows neither the region nor the clock, and checks nothing", async () => {
    const credentials = { accessKeyId: "key", secretAccessKey: "secret" };
    const { sts, result } = call(async () => credentials);
    expect(await result).toEqual({ credentials });
    expect([sts.region, sts.serverClock]).toEqual([undefined, undefined]);
    await expect(sts.check({ RoleArn: "x", RoleSessionName: "?" })).resolves.toBeUndefined();
  });

  test("ignores a response that comes after the timeout", async () => {
    const clock = new FakeClock();
    const { result } = call(() => new Promise(() => {}), clock);
    const outcome = expect(result).rejects.toMatchObject({ failure: { kind: "timeout" } });
    await clock.advance(1_000);
    await outcome;
  });
});
