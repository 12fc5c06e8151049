import { expect, test } from "vitest";
import {
  type CheckIssuerInput,
  checkIssuer,
  checkIssuerWith,
} from "../../src/preflight/issuer-check.js";
import { startLocalIdp } from "../../src/testing/index.js";
import { OldController } from "../support/old-signal.js";
import { checkWorld, found } from "./check-world.js";

const PRIVATE = { allowPrivateIssuers: true };

test("the check of a token covers its issuer, its key and its signature", async () => {
  await using idp = await startLocalIdp({ kid: "a" });
  await idp.addKey({ kid: "b", algorithm: "ES384" });
  const { runtime } = checkWorld();
  const report = await checkIssuerWith({ token: await idp.issueToken() }, PRIVATE, runtime);
  expect(found(report)).toEqual([]);
  expect(report.issuer).toBe(idp.issuer);
  expect(report.keys).toEqual([
    {
      kid: "a",
      kty: "RSA",
      alg: "RS256",
      use: "sig",
      bits: 2048,
      usable: true,
      matchesToken: true,
    },
    {
      kid: "b",
      kty: "EC",
      alg: "ES384",
      use: "sig",
      crv: "P-384",
      usable: true,
      matchesToken: false,
    },
  ]);
});

test("a token may end with the line end of its file", async () => {
  await using idp = await startLocalIdp();
  const token = `\uFEFF${await idp.issueToken()}\r\n`;
  expect(found(await checkIssuerWith({ token }, PRIVATE, checkWorld().runtime))).toEqual([]);
});

test("the report names for each key why STS can't use it", async () => {
  await using idp = await startLocalIdp();
  idp.setJwks({ keys: [{ kty: "RSA", kid: "a" }, { kty: "oct", kid: "b" }, { kty: "EC" }, 1] });
  const { keys } = await checkIssuerWith({ issuer: idp.issuer }, PRIVATE, checkWorld().runtime);
  expect(keys?.map(({ usable, problem }) => [usable, problem])).toEqual([
    [false, "it lacks n and e"],
    [false, "it is neither an RSA nor an EC key"],
    [false, "it has no kid"],
  ]);
});

test("an issuer can be checked without a token, and one of its keys by its kid", async () => {
  await using idp = await startLocalIdp({ kid: "a" });
  await idp.addKey({ kid: "b" });
  const { runtime, clock } = checkWorld();
  const check = async (kid?: string, fresh = true) =>
    found(await checkIssuerWith({ issuer: idp.issuer, kid }, { ...PRIVATE, fresh }, runtime));
  expect(await check()).toEqual([]);
  expect(await check("b")).toEqual([]);
  expect(await check("c", false)).toEqual(["suspect jwks-key-not-found"]);
  const certain = check("c");
  await clock.advance(1_000);
  expect(await certain).toEqual(["fatal jwks-key-not-found"]);
});

test("a token or an issuer that can't be checked is a finding that says why", async () => {
  expect(found(await checkIssuer({ token: "opaque" }))).toEqual(["fatal token-malformed"]);
  for (const issuer of [
    "nonsense",
    "http://issuer.invalid",
    "https://a.invalid/?b",
    "ftp://a.invalid",
    "https://a.invalid ",
    "https://a.invalid:8443 ",
    "https://a.invalid\u0000",
    `https://${"a".repeat(254)}`,
    `https://a.invalid/${"b".repeat(2_048)}`,
  ]) {
    expect(found(await checkIssuer({ issuer })), issuer).toEqual(["fatal token-claim-invalid"]);
  }
});

test("an issuer with the longest valid host and path is checked", async () => {
  const issuer = `https://${"a.".repeat(126)}a/${"b".repeat(1_700)}`;
  const resolve = () => Promise.reject(Object.assign(new Error(), { code: "ENOTFOUND" }));
  const { runtime } = checkWorld({}, { resolve });
  const report = await checkIssuerWith({ issuer }, {}, runtime);
  expect(found(report)).toEqual(["suspect issuer-dns-failure"]);
});

test("an issuer whose host begins like a token is checked", async () => {
  const issuer = "https://ewok-identity-provider.invalid";
  const resolve = () => Promise.reject(Object.assign(new Error(), { code: "ENOTFOUND" }));
  const { runtime } = checkWorld({}, { resolve });
  const report = await checkIssuerWith({ issuer }, {}, runtime);
  expect(found(report)).toEqual(["suspect issuer-dns-failure"]);
  expect(report.requests[0]?.url).toBe(`${issuer}/.well-known/openid-configuration`);
});

test("an invalid input or option is a TypeError", async () => {
  const wrong = [
    ...[undefined, null, {}, { token: "" }, { token: 1 }, { issuer: "" }, { kid: "a" }],
    ...[
      { token: "a.b.c", issuer: "https://issuer.invalid" },
      { token: "a.b.c", kid: "a" },
    ],
  ];
  for (const input of wrong) {
    await expect(checkIssuer(input as unknown as CheckIssuerInput)).rejects.toThrow(TypeError);
  }
  const input = { issuer: "https://issuer.invalid" };
  await expect(checkIssuer(input, { timeoutMs: -1 })).rejects.toThrow(TypeError);
});

test("the most severe finding comes first", async () => {
  await using idp = await startLocalIdp();
  idp.setHeaders({ "cache-control": "no-store" });
  const token = await idp.issueToken({ breakSignature: true });
  const report = await checkIssuerWith({ token }, PRIVATE, checkWorld().runtime);
  expect(found(report)).toEqual(["fatal signature-invalid", "advice jwks-not-cacheable"]);
});

test("the process stays alive while a caller waits for the check", async () => {
  await using idp = await startLocalIdp();
  const { runtime, clock } = checkWorld();
  const checking = checkIssuerWith({ issuer: idp.issuer }, PRIVATE, runtime);
  expect(clock.holds).toBe(1);
  await checking;
  expect(clock.holds).toBe(0);
});

test("the check ends with a signal of an older library, and leaves nothing on it", async () => {
  await using idp = await startLocalIdp();
  idp.setFault({ kind: "hang" });
  const { runtime } = checkWorld();
  const controller = new OldController();
  const options = { ...PRIVATE, signal: controller.signal };
  const checking = checkIssuerWith({ issuer: idp.issuer }, options, runtime);
  expect(controller.listeners).toBe(1);
  setImmediate(() => controller.abort());
  await expect(checking).rejects.toHaveProperty("name", "AbortError");
  await expect(checkIssuer({ issuer: idp.issuer }, options)).rejects.toHaveProperty(
    "name",
    "AbortError",
  );
  expect(controller.listeners).toBe(0);
});
