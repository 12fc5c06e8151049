import {
  type FromWebTokenInit as StockInit,
  fromWebToken as stockFromWebToken,
} from "@aws-sdk/credential-provider-web-identity";
import pRetry from "p-retry";
import { describe, expect, test, vi } from "vitest";
import { seededRandom } from "../../bench/support/seeded-random.js";
import type { StsFault } from "../../src/testing/index.js";
import { until } from "../support/virtual-clock.js";
import { ROLE_ARN, rejection, startWorld, type World } from "../support/world.js";

const COMMUNICATION_ERROR = {
  code: "IDPCommunicationError",
  message: "The identity provider could not be reached",
  httpStatus: 400,
};

describe("a refresh succeeds in spite of", () => {
  test.each<[string, StsFault, string]>([
    ["verification-key errors", "idp-unreachable", "idp-unreachable"],
    ["communication errors with the identity provider", COMMUNICATION_ERROR, "idp-unreachable"],
    ["an unavailable STS", "sts-unavailable", "sts-unavailable"],
    ["connection resets", "reset", "sts-unavailable"],
    ["throttling", "throttled", "throttled"],
    ["pages of a proxy", "html", "sts-unavailable"],
    ["successes without credentials", "empty-200", "sts-unavailable"],
  ])("four %s in a row", async (_, fault, verdict) => {
    await using world = await startWorld();
    const verdicts: string[] = [];
    const provider = world.provide({
      onEvent: (event) => event.type === "attempt.failed" && verdicts.push(event.verdict),
    });
    world.sts.failNext(fault, { times: 4 });
    await expect(provider()).resolves.toHaveProperty("accessKeyId");
    expect(world.calls()).toBe(5);
    expect(verdicts).toEqual(Array(4).fill(verdict));
  });

  test("verification-key errors for ten seconds, within ten seconds more", async () => {
    await using world = await startWorld();
    const end = world.clock.now() + 10_000;
    world.sts.setFault("idp-unreachable", { when: ({ at }) => at < end });
    await expect(world.provide()()).resolves.toHaveProperty("accessKeyId");
    expect(world.clock.now() - end).toBeGreaterThanOrEqual(0);
    expect(world.clock.now() - end).toBeLessThanOrEqual(10_000);
  });

  test("a silent STS, after the attempt's ten seconds", async () => {
    await using world = await startWorld();
    world.sts.failNext("hang");
    const credentials = world.provide()();
    await until(() => world.sts.requests[0]?.outcome === "hang");
    await world.clock.advance(9_999);
    expect(world.calls()).toBe(1);
    await world.clock.advance(1);
    await expect(credentials).resolves.toHaveProperty("accessKeyId");
    expect(world.calls()).toBe(2);
  });

  test("seventy verification-key errors in a hundred responses, forty times out of forty", async () => {
    await using world = await startWorld({ random: seededRandom(7) });
    world.sts.setFault("idp-unreachable", { probability: 0.7 });
    for (let round = 0; round < 40; round += 1) {
      await expect(world.provide()()).resolves.toHaveProperty("accessKeyId");
    }
    const refused = world.sts.requests.filter(({ outcome }) => outcome !== "ok").length;
    expect(refused / world.calls()).toBeGreaterThan(0.6);
  });

  test("a key set that rotates after the token was issued", async () => {
    await using world = await startWorld();
    await world.provide()();
    const kid = await world.idp.rotateKeys({ publish: false });
    const provider = world.provide({
      onEvent: ({ type }) => type === "attempt.failed" && world.idp.publishKey(kid),
    });
    await expect(provider()).resolves.toHaveProperty("accessKeyId");
  });
});

describe("the SDK's own provider, beside it,", () => {
  const stock = async ({ idp, sts }: World): Promise<StockInit> => ({
    webIdentityToken: await idp.issueToken(),
    roleArn: ROLE_ARN,
    clientConfig: { endpoint: sts.url, region: "eu-west-1" },
  });

  test("fails at the first verification-key error", async () => {
    await using world = await startWorld();
    world.sts.failNext("idp-unreachable", { times: 4 });
    const error = await rejection(stockFromWebToken(await stock(world))());
    expect(error).toMatchObject({ name: "InvalidIdentityTokenException" });
    expect(world.calls()).toBe(1);
  });

  test("fails at the fourth one when it is called three times more", async () => {
    await using world = await startWorld();
    world.sts.failNext("idp-unreachable", { times: 4 });
    const init = await stock(world);
    const credentials = pRetry(() => stockFromWebToken(init)(), { retries: 3, minTimeout: 0 });
    expect(await rejection(credentials)).toMatchObject({ name: "InvalidIdentityTokenException" });
    expect(world.calls()).toBe(4);
  });
});

describe("a permanent refusal", () => {
  test.each<[StsFault, string, number]>([
    ["token-rejected", "ERR_TOKEN_REJECTED", 1],
    ["access-denied", "ERR_ACCESS_DENIED", 1],
    ["region-disabled", "ERR_REGION_DISABLED", 1],
    ["request-invalid", "ERR_REQUEST_INVALID", 1],
    ["unknown", "ERR_TOKEN_REJECTED", 3],
  ])("is reported after the calls that it needs: %s", async (fault, code, calls) => {
    await using world = await startWorld();
    world.sts.setFault(fault);
    const error = await rejection(world.provide()());
    expect(error).toMatchObject({ name: "WebIdentityError", code, tryNextLink: false });
    expect(error).toMatchObject({ attempts: { length: calls }, hint: expect.stringMatching(/\w/) });
    expect(world.calls()).toBe(calls);
  });

  test.each<[string, RegExp]>([
    ["Incorrect token audience", /audience/],
    ["No OpenIDConnect provider found in your account for https://x", /No OpenIDConnect/],
    ["Token audience contains more than one audience", /audience/],
  ])("is recognized by its message: %s", async (message, words) => {
    await using world = await startWorld();
    world.sts.setFault({ code: "InvalidIdentityToken", message, httpStatus: 400 });
    const error = await rejection(world.provide()());
    expect(error).toMatchObject({ code: "ERR_TOKEN_REJECTED" });
    expect(String(error)).toMatch(words);
    expect(world.calls()).toBe(1);
  });

  test("is cached, so that a busy service calls STS once and not for every request", async () => {
    await using world = await startWorld();
    world.sts.setFault("access-denied");
    const provider = world.provide();
    const first = await rejection(provider());
    expect(await rejection(provider())).toBe(first);
    expect(world.calls()).toBe(1);
    await world.clock.advance(5_000);
    world.sts.clearFaults();
    await expect(provider()).resolves.toHaveProperty("accessKeyId");
  });

  test("of a token is cached too: neither its source nor STS is called for every request", async () => {
    await using world = await startWorld();
    for (const kind of ["dead here", "dead to STS"]) {
      const isDead = kind === "dead here";
      const token = await world.idp.issueToken(isDead ? { expiresInSeconds: -600 } : {});
      if (!isDead) world.sts.setFault("token-expired");
      const source = vi.fn(async () => token);
      const provider = world.provide({}, { token: source });
      const first = await rejection(provider());
      expect(first).toMatchObject({ code: "ERR_TOKEN_EXPIRED" });
      const before = [source.mock.calls.length, world.calls()];
      expect(await rejection(provider())).toBe(first);
      expect([source.mock.calls.length, world.calls()]).toEqual(before);
      await world.clock.advance(5_000);
      await rejection(provider());
      expect(source.mock.calls.length).toBeGreaterThan(before[0] ?? 0);
    }
  });

  test("is retried with retryAccessDenied, for a role that was created seconds ago", async () => {
    await using world = await startWorld();
    const end = world.clock.now() + 12_000;
    world.sts.setFault("access-denied", { when: ({ at }) => at < end });
    await expect(world.provide({ retryAccessDenied: true })()).resolves.toHaveProperty("accountId");
  });
});

describe("a fault that lasts longer than the budget", () => {
  test.each<[StsFault, string]>([
    ["idp-unreachable", "ERR_IDP_UNREACHABLE"],
    ["throttled", "ERR_THROTTLED"],
    ["sts-unavailable", "ERR_STS_UNAVAILABLE"],
    ["reset", "ERR_STS_UNAVAILABLE"],
  ])("is reported with every attempt: %s", async (fault, code) => {
    await using world = await startWorld();
    world.sts.setFault(fault);
    const error = await rejection(world.provide()());
    expect(error).toMatchObject({ code, tryNextLink: false });
    expect(world.clock.monotonic()).toBeLessThanOrEqual(60_000);
    expect(world.calls()).toBeGreaterThan(8);
  });
});
