import { symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { seededRandom } from "../../bench/support/seeded-random.js";
import { createProvider, tokenFileIdentity } from "../../src/provider/create-provider.js";
import type { WebIdentityInit } from "../../src/provider/options.js";
import type { TokenRequest } from "../../src/testing/index.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { REGION, ROLE_ARN, rejection, startWorld, type World } from "../support/world.js";

/** A provider that reads the token from a file, with waits that cost no time. */
function fromFile({ clock, pool, sts }: World, file: string, init: WebIdentityInit = {}) {
  const runtime = { clock, pool, env: {}, random: seededRandom(1) };
  return createProvider(
    () => tokenFileIdentity({ webIdentityTokenFile: file, roleArn: ROLE_ARN }, runtime),
    { preflight: "off", clientConfig: { endpoint: sts.url, region: REGION }, ...init },
    runtime,
  );
}

describe("the token file", () => {
  test("is read for every attempt: a token that STS reports as expired is replaced", async () => {
    await using world = await startWorld();
    using folder = temporaryFolder();
    const file = folder.write("token", await world.idp.issueToken({ subject: "old" }));
    world.sts.failNext("token-expired");
    const fresh = await world.idp.issueToken({ subject: "new" });
    const onEvent = ({ type }: { type: string }) =>
      type === "attempt.failed" && writeFileSync(file, fresh);
    await expect(fromFile(world, file, { onEvent })()).resolves.toHaveProperty("accessKeyId");
    expect(world.sts.requests.map(({ token }) => token?.subject)).toEqual(["old", "new"]);
  });

  test("is read through symbolic links, which the kubelet swaps", async () => {
    await using world = await startWorld();
    using folder = temporaryFolder();
    const link = join(folder.path, "link");
    symlinkSync(folder.write("one", await world.idp.issueToken({ subject: "one" })), link);
    const provider = fromFile(world, link);
    await provider();
    unlinkSync(link);
    symlinkSync(folder.write("two", await world.idp.issueToken({ subject: "two" })), link);
    await provider({ forceRefresh: true });
    expect(world.sts.requests.map(({ token }) => token?.subject)).toEqual(["one", "two"]);
  });

  test("that still has the expired token ends the refresh after one call", async () => {
    await using world = await startWorld();
    using folder = temporaryFolder();
    const file = folder.write("token", await world.idp.issueToken());
    world.sts.setFault("token-expired");
    const error = await rejection(fromFile(world, file)());
    expect(error).toMatchObject({ code: "ERR_TOKEN_EXPIRED", tryNextLink: false });
    expect(world.calls()).toBe(1);
  });

  test.each<[string, string | undefined]>([
    ["missing", undefined],
    ["empty", ""],
    ["blank", " \n"],
  ])("may be %s for a moment", async (_, text) => {
    await using world = await startWorld();
    using folder = temporaryFolder();
    const file = join(folder.path, "token");
    if (text !== undefined) writeFileSync(file, text);
    const credentials = fromFile(world, file)();
    writeFileSync(file, await world.idp.issueToken());
    await expect(credentials).resolves.toHaveProperty("accessKeyId");
  });

  test.each<[string, (file: string) => string]>([
    ["a byte order mark", (token) => `\uFEFF${token}`],
    ["Windows line ends", (token) => `${token}\r\n\r\n`],
    ["blanks around it", (token) => `  ${token}\t\n`],
  ])("may have %s", async (_, text) => {
    await using world = await startWorld();
    using folder = temporaryFolder();
    const token = await world.idp.issueToken();
    await fromFile(world, folder.write("token", text(token)))();
    expect(world.sts.requests[0]?.token?.length).toBe(token.length);
  });
});

describe("a token source", () => {
  test("is called for every attempt, with its number and a signal", async () => {
    await using world = await startWorld();
    world.sts.failNext("throttled", { times: 2 });
    const token = vi.fn(async (_: { signal: AbortSignal; attempt: number }) =>
      world.idp.issueToken(),
    );
    const provider = world.provide({}, { token });
    await provider();
    expect(token.mock.calls.map(([{ attempt }]) => attempt)).toEqual([1, 2, 3]);
    for (const [{ signal }] of token.mock.calls) expect(signal).toBeInstanceOf(AbortSignal);
    await provider();
    expect(token).toHaveBeenCalledTimes(3);
    await provider({ forceRefresh: true });
    expect(token.mock.lastCall?.[0].attempt).toBe(1);
  });

  test("that fails once is called again", async () => {
    await using world = await startWorld();
    const token = vi
      .fn(() => world.idp.issueToken())
      .mockRejectedValueOnce(new Error("503 from the token service"));
    await expect(world.provide({}, { token })()).resolves.toHaveProperty("accessKeyId");
    expect(token).toHaveBeenCalledTimes(2);
  });

  test("that never responds is aborted, and the attempt fails", async () => {
    await using world = await startWorld();
    const reasons: unknown[] = [];
    const token = ({ signal }: { signal: AbortSignal }) =>
      new Promise<string>(() => {
        signal.addEventListener("abort", () => reasons.push(signal.reason));
        setImmediate(() => world.clock.advance(10_000));
      });
    const error = await rejection(world.provide({}, { token })());
    expect(error).toMatchObject({ code: "ERR_TOKEN_UNAVAILABLE" });
    expect(reasons).toHaveLength(3);
    expect(world.calls()).toBe(0);
  });
});

const MINUTE = 60;

describe("a token that STS is certain to refuse costs no call:", () => {
  test.each<[string, TokenRequest, string, string]>([
    ["no iss", { claims: { iss: undefined } }, "token-claim-missing", "ERR_TOKEN_INVALID"],
    ["no sub", { claims: { sub: undefined } }, "token-claim-missing", "ERR_TOKEN_INVALID"],
    ["no aud", { claims: { aud: undefined } }, "token-claim-missing", "ERR_TOKEN_INVALID"],
    ["no iat", { claims: { iat: undefined } }, "token-claim-missing", "ERR_TOKEN_INVALID"],
    ["no exp", { claims: { exp: undefined } }, "token-claim-missing", "ERR_TOKEN_INVALID"],
    ["sub: null", { claims: { sub: null } }, "token-claim-invalid", "ERR_TOKEN_INVALID"],
    ['aud: ""', { claims: { aud: "" } }, "token-claim-invalid", "ERR_TOKEN_INVALID"],
    [
      "exp with a fraction",
      { claims: { exp: 9e9 + 0.5 } },
      "token-claim-invalid",
      "ERR_TOKEN_INVALID",
    ],
    [
      "iss over http",
      { claims: { iss: "http://idp.example" } },
      "token-claim-invalid",
      "ERR_TOKEN_INVALID",
    ],
    ["two audiences", { audience: ["a", "b"] }, "token-audience-ambiguous", "ERR_TOKEN_INVALID"],
    ["HS256", { header: { alg: "HS256" } }, "token-algorithm-unsupported", "ERR_TOKEN_INVALID"],
    ["none", { header: { alg: "none" } }, "token-algorithm-unsupported", "ERR_TOKEN_INVALID"],
    [
      "20,001 characters",
      { claims: { groups: "x".repeat(20_000) } },
      "token-too-large",
      "ERR_TOKEN_INVALID",
    ],
    [
      "an exp before its iat",
      { claims: { iat: 9_000_000_000, exp: 8_999_999_000 } },
      "token-claim-invalid",
      "ERR_TOKEN_INVALID",
    ],
  ])("%s", async (_, request, id, code) => {
    await using world = await startWorld();
    const token = await world.idp.issueToken(request);
    const error = await rejection(world.provide({}, { token: async () => token })());
    expect(error).toMatchObject({ name: "WebIdentityError", code, tryNextLink: false });
    expect(error).toMatchObject({
      findings: expect.arrayContaining([expect.objectContaining({ id })]),
    });
    expect(error).toHaveProperty("hint", expect.stringMatching(/^(Workload|IdP): /));
    expect(world.calls()).toBe(0);
  });
});

describe("a token that seems invalid by the clock costs one call, which shows the clock:", () => {
  test.each<[string, number, number, string, string]>([
    ["expired", -66, -6, "token-expired", "ERR_TOKEN_EXPIRED"],
    ["not valid for an hour", 60, 120, "token-not-yet-valid", "ERR_TOKEN_INVALID"],
  ])("%s", async (_, from, until, id, code) => {
    await using world = await startWorld();
    const now = Math.floor(world.clock.now() / 1000);
    const claims = { iat: now + from * MINUTE, exp: now + until * MINUTE };
    const token = await world.idp.issueToken({ claims });
    for (let refresh = 0; refresh < 3; refresh += 1) {
      const error = await rejection(world.provide({}, { token: async () => token })());
      expect(error).toMatchObject({ code, findings: [{ id, severity: "fatal" }] });
    }
    expect(world.calls()).toBe(1);
  });
});

describe("a token that STS may accept is sent:", () => {
  test.each<[string, TokenRequest]>([
    ["expired within the tolerance", { expiresInSeconds: -4 * MINUTE }],
    ["one audience in a list", { audience: ["sts.amazonaws.com"] }],
    ["two audiences and azp", { audience: ["a", "b"], claims: { azp: "a" } }],
    ["times as strings", { claims: { exp: "9000000000" } }],
    ["no kid", { header: { kid: undefined } }],
  ])("%s", async (_, request) => {
    await using world = await startWorld();
    const token = await world.idp.issueToken(request);
    await Promise.allSettled([world.provide({}, { token: async () => token })()]);
    expect(world.calls()).toBeGreaterThan(0);
  });

  test("one that becomes valid within the budget, as soon as it is valid", async () => {
    await using world = await startWorld();
    const iat = Math.floor(world.clock.now() / 1000) + 5 * MINUTE + 3;
    const token = await world.idp.issueToken({ claims: { iat, exp: iat + 3600 } });
    const credentials = world.provide({}, { token: async () => token })();
    await expect(credentials).resolves.toHaveProperty("accessKeyId");
    // The first one shows that this machine's clock is right.
    expect(world.calls()).toBe(2);
  });

  test.each<[string, WebIdentityInit]>([
    ["anything, with validateToken: false", { validateToken: false }],
    ["an OAuth token, with providerId", { providerId: "www.amazon.com" }],
  ])("%s", async (_, init) => {
    await using world = await startWorld();
    const error = await rejection(world.provide(init, { token: async () => "opaque" })());
    expect(error).toMatchObject({ code: "ERR_TOKEN_REJECTED", attempts: [{ httpStatus: 400 }] });
    expect(world.calls()).toBe(1);
  });
});
