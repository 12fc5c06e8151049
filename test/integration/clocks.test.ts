import { NodeHttpHandler } from "@smithy/node-http-handler";
import { describe, expect, test } from "vitest";
import { seededRandom } from "../../bench/support/seeded-random.js";
import { isWebIdentityError } from "../../src/index.js";
import type { WebIdentityEvent } from "../../src/model/events.js";
import type { TokenSource } from "../../src/model/token-source.js";
import { createProvider } from "../../src/provider/create-provider.js";
import type { WebIdentityInit } from "../../src/provider/options.js";
import { type LocalSts, startLocalIdp, startLocalSts } from "../../src/testing/index.js";
import { makePool } from "../support/make-pool.js";
import { VirtualClock } from "../support/virtual-clock.js";
import { REGION, ROLE_ARN, rejection } from "../support/world.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** A machine whose clock is off, an issuer that knows the time, and two STSs with clocks of their own. */
async function startClocks(machineOffMs: number, stsOffMs: readonly number[] = [0]) {
  const machine = new VirtualClock();
  const start = machine.now();
  const trueNow = () => start + machine.monotonic();
  machine.setWallClock(start + machineOffMs);
  const idp = await startLocalIdp({ algorithm: "ES256", now: trueNow });
  const servers = await Promise.all(
    stsOffMs.map((off) => startLocalSts({ providers: [idp], now: () => trueNow() + off })),
  );
  const [sts] = servers as [LocalSts, ...LocalSts[]];
  const pool = makePool({ clock: machine, random: seededRandom(1) });
  const events: WebIdentityEvent[] = [];
  return {
    ...{ machine, idp, sts, servers, pool, trueNow, events },
    provide(source: TokenSource, init: WebIdentityInit = {}, server = sts) {
      const identity = { source, sourceName: "the token source", roleArn: ROLE_ARN };
      return createProvider(
        () => ({ ...identity, roleSessionName: undefined, marks: {} }),
        {
          preflight: "off",
          clientConfig: { endpoint: server.url, region: REGION },
          refresh: { aheadOfTime: false },
          onEvent: (event) => events.push(event),
          ...init,
        },
        { clock: machine, pool, env: {}, random: seededRandom(1) },
      );
    },
    calls: (server = sts) => server.requests.length,
    async [Symbol.asyncDispose]() {
      await Promise.all([idp.close(), ...servers.map((each) => each.close())]);
    },
  };
}

/** What the promise was rejected with, as this library's error. */
async function failure(promise: Promise<unknown>) {
  const error = await rejection(promise);
  if (!isWebIdentityError(error)) throw error;
  return error;
}

const OFF = [-30 * MINUTE, -10 * MINUTE, 10 * MINUTE, 30 * MINUTE, 48 * HOUR, -48 * HOUR];

describe("a cold start on a machine whose clock is wrong", () => {
  test.each(OFF)("by %d ms gets credentials at the first call", async (off) => {
    await using world = await startClocks(off);
    const provider = world.provide(async () => world.idp.issueToken({ expiresInSeconds: 300 }));
    await expect(provider()).resolves.toHaveProperty("accessKeyId");
    expect(world.calls()).toBe(1);
    expect(provider.status().state).toBe("fresh");
  });

  test.each(OFF)("by %d ms makes one call for a token that really has expired", async (off) => {
    await using world = await startClocks(off);
    const token = await world.idp.issueToken({ expiresInSeconds: -7_200 });
    const provider = world.provide(async () => token);
    const error = await failure(provider());
    expect(error).toMatchObject({ code: "ERR_TOKEN_EXPIRED", attempts: { length: 2 } });
    expect(error.message).toContain("STS has refused this token as expired; its exp is ");
    await world.machine.advance(MINUTE);
    expect(await failure(provider())).toMatchObject({ code: "ERR_TOKEN_EXPIRED" });
    expect(world.calls()).toBe(1);
  });

  test.each(OFF)(
    "by %d ms sends no expired token after a response has shown the clock",
    async (off) => {
      await using world = await startClocks(off);
      let expiresInSeconds = 300;
      const provider = world.provide(async () => world.idp.issueToken({ expiresInSeconds }));
      await provider();
      expiresInSeconds = -600;
      // What is cached is valid.
      await expect(provider({ forceRefresh: true })).resolves.toHaveProperty("accessKeyId");
      expect(provider.status().lastError?.code).toBe("ERR_TOKEN_EXPIRED");
      expect(provider.status().lastError?.message).toContain("The token expired 10 min ago, at ");
      expect(world.calls()).toBe(1);
    },
  );

  test("sends no token whose times contradict each other", async () => {
    await using world = await startClocks(30 * MINUTE);
    const provider = world.provide(async () =>
      world.idp.issueToken({ claims: { iat: 1_800_000_000, exp: 1_799_999_000 } }),
    );
    expect(await failure(provider())).toMatchObject({ code: "ERR_TOKEN_INVALID" });
    expect(world.calls()).toBe(0);
  });

  test("that is corrected later sends tokens, and its credentials stay valid", async () => {
    for (const off of OFF) {
      await using world = await startClocks(off);
      world.machine.withBootClock();
      const provider = world.provide(async () => world.idp.issueToken({ expiresInSeconds: 300 }));
      const { accessKeyId } = await provider();
      world.machine.setWallClock(world.trueNow());
      world.sts.setFault("sts-unavailable");
      expect((await provider()).accessKeyId, String(off)).toBe(accessKeyId);
      world.sts.clearFaults();
      await expect(provider({ forceRefresh: true })).resolves.toHaveProperty("accessKeyId");
    }
  });
});

describe("an expired token on a machine whose clock is right", () => {
  test("costs one STS call, and the error says when it expired", async () => {
    await using world = await startClocks(0);
    const token = await world.idp.issueToken({ expiresInSeconds: -7_207 });
    const provider = world.provide(async () => token);
    const error = await failure(provider());
    const at = new Date(world.trueNow() - 7_207_000).toISOString().slice(11, 16);
    expect(error.code).toBe("ERR_TOKEN_EXPIRED");
    expect(error.message).toContain(`The token expired 2 h ago, at ${at} UTC; STS tolerates 5 min`);
    await failure(provider());
    expect(world.calls()).toBe(1);
  });
});

describe("two STS endpoints whose clocks differ", () => {
  test.each([-2 * HOUR, 2 * HOUR])("by %d ms each have their own offset", async (off) => {
    await using world = await startClocks(0, [0, off]);
    const [right, wrong] = world.servers as [LocalSts, LocalSts];
    // Its own clock is the one that counts for its tokens too.
    const early = off < 0 ? { iat: Math.floor((world.trueNow() + off) / 1000) } : {};
    const source = async () => world.idp.issueToken({ expiresInSeconds: 3 * 3_600, claims: early });
    const [a, b] = [world.provide(source, {}, right), world.provide(source, {}, wrong)];
    const first = await a();
    const second = await b();
    await a({ forceRefresh: true });
    for (const each of [a, b]) expect(each.status().state).toBe("fresh");
    // The holder compares these times with this machine's clock.
    const until = Math.round((second.expiration?.getTime() ?? 0) / 1000);
    expect(Math.abs(until - (first.expiration?.getTime() ?? 0) / 1000)).toBeLessThanOrEqual(2);
    // Each is refreshed in the last quarter of its hour, and neither is served after it.
    await world.machine.advance(40 * MINUTE);
    for (const each of [a, b]) expect(each.status().state).toBe("fresh");
    for (const server of world.servers) server.setFault("sts-unavailable");
    await world.machine.advance(20 * MINUTE);
    for (const each of [a, b]) await expect(each()).rejects.toThrow();
  });
});

describe("an STS with a wrong Date header", () => {
  const lying = (date: (right: number) => string): WebIdentityInit["clientConfig"] => {
    const wire = new NodeHttpHandler();
    const handle: typeof wire.handle = async (request, options) => {
      const { response } = await wire.handle(request, options);
      response.headers.date = date(Date.parse(response.headers.date ?? ""));
      return { response };
    };
    return { requestHandler: { metadata: wire.metadata, handle, destroy: () => wire.destroy() } };
  };
  const at = (ms: number) => (right: number) => new Date(right + ms).toUTCString();

  test.each([
    ["1970", () => "Thu, 01 Jan 1970 00:00:00 GMT", "session-too-long"],
    ["9999", () => "Fri, 31 Dec 9999 23:59:59 GMT", "expired-on-arrival"],
    ["two hours ago", at(-2 * HOUR), "session-too-long"],
    ["in two hours", at(2 * HOUR), "expired-on-arrival"],
  ])("(%s) is ignored and reported", async (_, date, reason) => {
    await using world = await startClocks(0);
    const clientConfig = { endpoint: world.sts.url, region: REGION, ...lying(date) };
    const provider = world.provide(async () => world.idp.issueToken(), { clientConfig });
    const { accessKeyId } = await provider();
    const rejected = world.events.filter(({ type }) => type === "sts-date.rejected");
    expect(rejected).toMatchObject([{ region: REGION, reason }]);
    world.sts.setFault("sts-unavailable");
    await world.machine.advance(40 * MINUTE);
    expect(provider.status().state).toBe("fresh");
    expect((await provider()).accessKeyId).toBe(accessKeyId);
    await world.machine.advance(20 * MINUTE);
    await expect(provider()).rejects.toThrow();
  });
});
