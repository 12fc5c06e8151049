import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  type FromTokenFileInit,
  fromTokenFile,
  fromWebIdentity,
  fromWebToken,
} from "../../src/index.js";
import type { WebIdentityInit } from "../../src/provider/options.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { REGION, ROLE_ARN, rejection, startWorld, type World } from "../support/world.js";
import { RecordingHandler } from "./recording-handler.js";

/** A value of a type that the compiler would not let through. */
const wrong = (value: unknown) => value as never;

describe("an option that can never work is a TypeError of the factory that names it:", () => {
  test.each<[string, WebIdentityInit]>([
    ["retry.maxAttempts", { retry: { maxAttempts: 0 } }],
    ["retry.maxAttempts", { retry: { maxAttempts: 1.5 } }],
    ["retry.maxAttempts", { retry: { maxAttempts: Number.NaN } }],
    ["retry.baseDelayMs", { retry: { baseDelayMs: -1 } }],
    ["retry.baseDelayMs", { retry: { baseDelayMs: 10, maxDelayMs: 5 } }],
    ["retry.budgetMs", { retry: { budgetMs: Number.POSITIVE_INFINITY } }],
    ["retry.attempts", { retry: wrong({ attempts: 3 }) }],
    ["retry", { retry: wrong(3) }],
    ["attemptTimeoutMs", { attemptTimeoutMs: 0 }],
    ["attemptTimeoutMs", { attemptTimeoutMs: wrong("10s") }],
    ["region", { region: "" }],
    ["region", { region: "eu west 1" }],
    ["preflight", { preflight: wrong("on") }],
    ["refresh.mandatoryWindowSeconds", { refresh: { mandatoryWindowSeconds: -1 } }],
    ["refresh.window", { refresh: wrong({ window: 60 }) }],
    ["serveExpired", { serveExpired: wrong("yes") }],
    ["retryAccessDenied", { retryAccessDenied: wrong(1) }],
    ["validateToken", { validateToken: wrong(0) }],
    ["onEvent", { onEvent: wrong({}) }],
    ["signal", { signal: wrong({ aborted: false }) }],
    ["durationSeconds", { durationSeconds: wrong("900") }],
    ["durationSeconds", { durationSeconds: Number.NaN }],
    ["durationSeconds", { durationSeconds: 0 }],
    ["durationSeconds", { durationSeconds: 900.5 }],
    ["policyArns", { policyArns: wrong("arn") }],
    ["policy", { policy: wrong({ Version: "2012-10-17" }) }],
    ["clientConfig", { clientConfig: wrong("eu-west-1") }],
    ["clientPlugins", { clientPlugins: wrong({}) }],
    ["roleAssumerWithWebIdentity", { roleAssumerWithWebIdentity: wrong({}) }],
    ["logger", { logger: wrong("console") }],
  ])("%s (%j)", (name, init) => {
    const common = { preflight: "off", ...init } as const;
    const all = [
      () => fromTokenFile({ ...common }),
      () => fromWebToken({ webIdentityToken: "x", roleArn: ROLE_ARN, ...common }),
      () => fromWebIdentity({ token: async () => "x", roleArn: ROLE_ARN, ...common }),
    ];
    for (const create of all) {
      expect(create).toThrow(TypeError);
      expect(create).toThrow(`\`${name}\``);
    }
  });

  test.each<[string, () => unknown]>([
    ["webIdentityTokenFile", () => fromTokenFile({ webIdentityTokenFile: "" })],
    ["webIdentityTokenFile", () => fromTokenFile({ webIdentityTokenFile: wrong(1) })],
    ["roleArn", () => fromTokenFile({ roleArn: "" })],
    ["init", () => fromTokenFile(wrong("/token"))],
    ["init", () => fromTokenFile(wrong(null))],
    ["webIdentityToken", () => fromWebToken(wrong({ roleArn: ROLE_ARN }))],
    ["webIdentityToken", () => fromWebToken({ webIdentityToken: "", roleArn: ROLE_ARN })],
    ["roleArn", () => fromWebToken(wrong({ webIdentityToken: "x" }))],
    ["init", () => fromWebToken(wrong(undefined))],
    ["token", () => fromWebIdentity(wrong({ token: "eyJ", roleArn: ROLE_ARN }))],
    ["roleArn", () => fromWebIdentity({ token: async () => "x", roleArn: "" })],
    ["init", () => fromWebIdentity(wrong(null))],
  ])("%s as a field of the factory (%#)", (name, create) => {
    expect(create).toThrow(TypeError);
    expect(create).toThrow(`\`${name}\``);
  });
});

const PARTS = "eyJhbGciOiJSUzI1NiJ9";

describe("the error for an unusable token file names its path, and STS gets no call:", () => {
  test.each<[string, string | Buffer | undefined, string]>([
    ["missing", undefined, "ERR_TOKEN_UNAVAILABLE"],
    ["empty", "", "ERR_TOKEN_UNAVAILABLE"],
    ["blank", " \r\n\t", "ERR_TOKEN_UNAVAILABLE"],
    ["no UTF-8", Buffer.from([0xff, 0xfe, 0x65]), "ERR_TOKEN_UNAVAILABLE"],
    ["text that is not a token", "hello", "ERR_TOKEN_INVALID"],
    ["a JWE", [PARTS, "a", "b", "c", "d"].join("."), "ERR_TOKEN_INVALID"],
    ["a page", "<html><body>Log in</body></html>", "ERR_TOKEN_INVALID"],
    ["JSON", '{"access_token":"x"}', "ERR_TOKEN_INVALID"],
    ["a path", "/var/run/secrets/token", "ERR_TOKEN_INVALID"],
    ["parts that are not base64url", `${PARTS}.a+b.c`, "ERR_TOKEN_INVALID"],
    ["parts that are not JSON", `${PARTS}.aGVsbG8.c2ln`, "ERR_TOKEN_INVALID"],
    ["a payload that is a list", `${PARTS}.W10.c2ln`, "ERR_TOKEN_INVALID"],
    ["no signature", `${PARTS}.e30.`, "ERR_TOKEN_INVALID"],
    ["two tokens", `${PARTS}.e30.c2ln ${PARTS}.e30.c2ln`, "ERR_TOKEN_INVALID"],
    ["a megabyte", "x".repeat(1_000_000), "ERR_TOKEN_INVALID"],
  ])("%s", async (_, text, code) => {
    using folder = temporaryFolder();
    const requestHandler = new RecordingHandler();
    const file = join(folder.path, "token");
    if (text !== undefined) folder.write("token", text);
    const init = initFor(file, requestHandler);
    const error = await rejection(fromTokenFile(init)());
    expect(error).toMatchObject({ name: "WebIdentityError", code, tryNextLink: false });
    expect(error).toHaveProperty("hint", expect.stringMatching(/\w/));
    if (code === "ERR_TOKEN_UNAVAILABLE") expect(String(error)).toContain(file);
    expect(requestHandler.requests).toEqual([]);
  });

  test("a directory", async () => {
    using folder = temporaryFolder();
    mkdirSync(join(folder.path, "token"));
    const requestHandler = new RecordingHandler();
    const init = initFor(join(folder.path, "token"), requestHandler);
    const error = await rejection(fromTokenFile(init)());
    expect(error).toMatchObject({ code: "ERR_TOKEN_UNAVAILABLE", attempts: [{ code: "EISDIR" }] });
    expect(requestHandler.requests).toEqual([]);
  });

  function initFor(file: string, requestHandler: RecordingHandler): FromTokenFileInit {
    return {
      webIdentityTokenFile: file,
      roleArn: ROLE_ARN,
      preflight: "off",
      retry: { maxAttempts: 1 },
      clientConfig: { requestHandler, region: REGION },
    };
  }
});

describe("an unusable token source is an error, and STS gets no call:", () => {
  test.each<[string, () => unknown]>([
    ["undefined", () => undefined],
    ["null", async () => null],
    ["a number", async () => 42],
    ["an object", async () => ({ token: "x" })],
    ["an empty string", async () => ""],
    ["a rejection without a reason", () => Promise.reject()],
    ["a throw of null", () => nothing(null)],
    ["a throw of an object without a prototype", () => nothing(Object.create(null))],
    ["a throw of a TypeError", () => nothing(new TypeError("x is not a function"))],
  ])("%s", async (_, source) => {
    await using world = await startWorld();
    const provider = world.provide({}, { token: source as () => Promise<string> });
    const error = await rejection(provider());
    expect(error).toMatchObject({ name: "WebIdentityError", code: "ERR_TOKEN_UNAVAILABLE" });
    expect(error).toMatchObject({ attempts: { length: 3 }, hint: expect.stringMatching(/\w/) });
    expect(world.calls()).toBe(0);
  });

  function nothing(thrown: unknown): never {
    throw thrown;
  }
});

describe("a request that STS is certain to refuse is an error, and STS gets no call:", () => {
  test.each<[string, WebIdentityInit & { roleArn?: string }, RegExp]>([
    ["a role name in place of its ARN", { roleArn: "my-role" }, /my-role/],
    ["a role ARN in quotes", { roleArn: `"${ROLE_ARN}"` }, /role ARN/],
    ["a role ARN with a line end", { roleArn: `${ROLE_ARN}\n` }, /role ARN/],
    ["the ARN of a user", { roleArn: "arn:aws:iam::123456789012:user/me" }, /user\/me/],
    ["the ARN of a session", { roleArn: "arn:aws:sts::123456789012:assumed-role/a/b" }, /assumed/],
    ["a short account", { roleArn: "arn:aws:iam::1234:role/app" }, /1234/],
    ["a role in China", { roleArn: "arn:aws-cn:iam::123456789012:role/app" }, /aws-cn/],
    ["a region in GovCloud", { region: "us-gov-west-1" }, /aws-us-gov/],
    ["a session name with a blank", { roleSessionName: "a b" }, /session name/],
    ["a session name of one letter", { roleSessionName: "a" }, /session name/],
    ["a session name of 65 letters", { roleSessionName: "a".repeat(65) }, /65/],
    ["a session of 899 s", { durationSeconds: 899 }, /899/],
    ["a session of 43,201 s", { durationSeconds: 43_201 }, /43201/],
    ["an invalid region", { clientConfig: { region: async () => "eu_west_1" } }, /eu_west_1/],
  ])("%s", async (_, { roleArn = ROLE_ARN, ...init }, words) => {
    await using world = await startWorld();
    const requestHandler = new RecordingHandler();
    const clientConfig = { requestHandler, ...(init.region ? {} : { region: REGION }) };
    const error = await rejection(world.provide({ clientConfig, ...init }, { roleArn })());
    expect(error).toMatchObject({ code: "ERR_REQUEST_INVALID", tryNextLink: false });
    expect(error).toHaveProperty("message", expect.stringMatching(words));
    expect(error).toHaveProperty("attempts.length", 1);
    expect(requestHandler.requests).toEqual([]);
  });
});

describe("a role assumer's expiration that is not a Date", () => {
  const HOUR_MS = 3_600_000;
  const assumed = (world: World, expiration: unknown) =>
    world.provide({
      retry: { maxAttempts: 1 },
      roleAssumerWithWebIdentity: async () =>
        wrong({ accessKeyId: "AKID", secretAccessKey: "secret", expiration }),
    });

  test.each<[string, (at: number) => unknown]>([
    ["a string", (at) => new Date(at).toISOString()],
    ["milliseconds since the epoch", (at) => at],
  ])("is converted: %s", async (_, write) => {
    await using world = await startWorld();
    const at = world.clock.now() + HOUR_MS;
    const provider = assumed(world, write(at));
    expect((await provider()).expiration).toEqual(new Date(at));
    expect(provider.status()).toMatchObject({ state: "fresh", expiresAt: new Date(at).getTime() });
  });

  test("is a failed refresh like any other when it can't be converted", async () => {
    await using world = await startWorld();
    const provider = assumed(world, "tomorrow");
    expect(await rejection(provider())).toMatchObject({ code: "ERR_STS_UNAVAILABLE" });
    expect(provider.status().lastError).toMatchObject({ code: "ERR_STS_UNAVAILABLE" });
  });
});
