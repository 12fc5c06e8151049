import { describe, expect, test } from "vitest";
import type { StsFault, TokenRequest } from "../../src/testing/index.js";
import { secretsOf, Witness } from "../support/leak-search.js";
import { REGION, startWorld, type World } from "../support/world.js";

const SUBJECT = "system:serviceaccount:payments:very-secret-subject";

/** Calls a provider, records everything that it shows, and returns the secrets that this contains. */
async function leaksOf(
  world: World,
  token: () => unknown,
  secrets: Readonly<Record<string, string>>,
  more: object = {},
): Promise<string[]> {
  using witness = new Witness();
  const init = witness.init({ endpoint: world.sts.url, region: REGION });
  const source = async () => token() as string;
  const retry = { maxAttempts: 3 };
  const provider = world.provide({ ...init, retry, ...more }, { token: source });
  const credentials = await witness.call(provider);
  if (credentials !== undefined) await witness.call(provider);
  expect(witness.count).toBeGreaterThan(4);
  const { secretAccessKey = "", sessionToken = "" } = credentials ?? {};
  return witness.find({ ...secrets, secretAccessKey, sessionToken, subject: SUBJECT });
}

const FAULTS: StsFault[] = [
  "idp-unreachable",
  "throttled",
  "sts-unavailable",
  "token-expired",
  "token-early",
  "token-rejected",
  "access-denied",
  "region-disabled",
  "request-invalid",
  "unknown",
  "reset",
  "html",
  "empty-200",
];

describe("no surface shows a token or a secret", () => {
  test("when the refresh succeeds", async () => {
    await using world = await startWorld();
    const token = await world.idp.issueToken({ subject: SUBJECT });
    expect(await leaksOf(world, () => token, secretsOf(token))).toEqual([]);
  });

  test.each(FAULTS)("when STS responds with %s", async (fault) => {
    await using world = await startWorld();
    const token = await world.idp.issueToken({ subject: SUBJECT });
    world.sts.setFault(fault);
    expect(await leaksOf(world, () => token, secretsOf(token))).toEqual([]);
  });

  test.each<[string, (token: string) => string]>([
    ["as it is", (token) => token],
    [
      "as a form parameter",
      (token) => `Action=X&WebIdentityToken=${encodeURIComponent(token)}&Y=1`,
    ],
    ["in quotes", (token) => `'${token}'`],
    ["twice", (token) => `${token} ${token}`],
    ["in part", (token) => token.slice(0, -10)],
    ["after a long text", (token) => `${"x ".repeat(300)}${token}`],
    ["at the end of the shown text", (token) => `${"x".repeat(440)} ${token}`],
    ["as a bearer token", (token) => `Authorization: Bearer ${token}`],
    ["as its signature alone", (token) => `bad signature ${token.split(".")[2]}`],
    ["as its payload alone", (token) => `bad payload ${token.split(".")[1]}`],
  ])("when STS repeats the token %s", async (_, echo) => {
    await using world = await startWorld();
    const token = await world.idp.issueToken({ subject: SUBJECT });
    const text = echo(token);
    for (const fault of [
      { code: "InvalidIdentityToken", message: text, httpStatus: 400 },
      { code: "ValidationError", message: `Value '${text}' is wrong`, httpStatus: 400 },
      { code: text, message: "no", httpStatus: 403 },
      {
        code: "Throttling",
        message: "Rate exceeded",
        httpStatus: 400,
        headers: { "x-amzn-requestid": text, "retry-after": text },
      },
    ]) {
      world.sts.failNext(fault);
    }
    for (let round = 0; round < 4; round += 1) {
      expect(await leaksOf(world, () => token, secretsOf(token))).toEqual([]);
    }
  });
});

describe("no surface shows an unusable token", () => {
  test.each<[string, TokenRequest]>([
    ["expired", { expiresInSeconds: -3600 }],
    ["without a claim", { claims: { iat: undefined } }],
    ["with an unknown algorithm", { header: { alg: "HS256" } }],
    ["with critical headers", { header: { crit: ["x"] } }],
    ["with two audiences", { audience: ["a", "b"] }],
    ["too long", { claims: { groups: "x".repeat(20_000) } }],
  ])("%s", async (_, request) => {
    await using world = await startWorld();
    const token = await world.idp.issueToken({ subject: SUBJECT, ...request });
    expect(await leaksOf(world, () => token, secretsOf(token))).toEqual([]);
  });

  test.each<[string, (token: string) => unknown]>([
    ["JSON around it", (token) => JSON.stringify({ value: token })],
    ["an object around it", (token) => ({ value: token })],
    ["a list", (token) => [token]],
    ["a buffer", (token) => Buffer.from(token)],
    ["five parts", (token) => `${token}.${token.split(".")[1]}.x`],
    ["two parts", (token) => token.split(".").slice(0, 2).join(".")],
    ["blanks in it", (token) => token.replace(".", " . ")],
    ["a header line", (token) => `Bearer ${token}`],
  ])("with %s", async (_, wrap) => {
    await using world = await startWorld();
    const token = await world.idp.issueToken({ subject: SUBJECT });
    expect(await leaksOf(world, () => wrap(token), secretsOf(token))).toEqual([]);
  });

  test.each<[string, (token: string) => unknown]>([
    ["a message", (token) => new Error(`cannot use ${token}`)],
    ["a name", (token) => Object.assign(new Error("no"), { name: token })],
    ["a code", (token) => Object.assign(new Error("no"), { code: token })],
    ["a cause", (token) => new Error("no", { cause: new Error(token) })],
    ["a field", (token) => Object.assign(new Error("no"), { request: { body: token } })],
    ["many errors", (token) => new AggregateError([new Error(token)], "no")],
    ["a string", (token) => token],
    ["an object", (token) => ({ token, toString: () => token })],
    ["a TypeError", (token) => new TypeError(`fetch failed for ${token}`)],
  ])("when its source throws it in %s", async (_, thrown) => {
    await using world = await startWorld();
    const token = await world.idp.issueToken({ subject: SUBJECT });
    const source = () => {
      throw thrown(token);
    };
    expect(await leaksOf(world, source, secretsOf(token))).toEqual([]);
    expect(world.calls()).toBe(0);
  });
});
