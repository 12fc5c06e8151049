import { describe, expect, test } from "vitest";
import { seededRandom } from "../../bench/support/seeded-random.js";
import type { WebIdentityError } from "../../src/model/errors.js";
import { type LocalIdp, startLocalIdp } from "../../src/testing/index.js";
import { WIRE_ERRORS } from "../../src/testing/sts/wire-error.js";
import { rejection } from "../support/world.js";
import { checkingIn, found, issuerRequests, startPreflightWorld } from "./preflight-world.js";

type Jwk = Readonly<Record<string, unknown>>;

/** Replicas with a key each, behind a balancer that picks one at random for every request. */
async function replicate(idp: LocalIdp, count: number, random: () => number): Promise<string[]> {
  const kids = [idp.kid];
  while (kids.length < count) kids.push(await idp.addKey());
  const pick = () => Math.floor(random() * count);
  idp.setJwks(({ keys }) => ({ keys: [(keys as Jwk[])[pick()]] }));
  return kids;
}

/** One start of a process, behind its own balancer. */
async function start(mode: "advisory" | "strict", tokens: "new" | "one", seed: number) {
  await using world = await startPreflightWorld();
  const random = seededRandom(seed);
  const kids = await replicate(world.idp, 3, random);
  const issue = () => world.idp.issueToken({ key: kids[Math.floor(random() * 3)] as string });
  const first = await issue();
  const token = () => (tokens === "new" ? issue() : Promise.resolve(first));
  const provider = world.provide(checkingIn(mode), { token });
  const credentials = await provider().catch((error: WebIdentityError) => error);
  return "accessKeyId" in credentials;
}

describe("with three replicas that each have a key, behind a balancer that chooses at random,", () => {
  test.each([
    ["advisory", "new"],
    ["advisory", "one"],
    ["strict", "new"],
    ["strict", "one"],
  ] as const)("12 of 12 starts succeed within the budget (%s, %s token)", async (mode, tokens) => {
    const starts = Array.from({ length: 12 }, (_, seed) => start(mode, tokens, seed + 1));
    expect((await Promise.all(starts)).filter(Boolean)).toHaveLength(12);
  });

  test("the error names the replicas if the budget runs out", async () => {
    await using world = await startPreflightWorld();
    await replicate(world.idp, 3, seededRandom(1));
    world.sts.setFault("idp-unreachable");
    const error = (await rejection(
      world.provide(checkingIn("advisory"), {
        token: () => world.idp.issueToken({ header: { kid: "nobody" } }),
      })(),
    )) as WebIdentityError;
    expect(error.code).toBe("ERR_IDP_UNREACHABLE");
    expect(found(error)).toEqual(["suspect jwks-inconsistent", "suspect jwks-key-not-found"]);
    expect(error.message).toMatch(/the JWKS had \d different sets of keys/);
    expect(error.hint).toMatch(/^IdP: share the signing keys between all replicas/);
    expect(world.calls()).toBeGreaterThan(8);
  });
});

describe("replicas with keys of the same kid", () => {
  // The token is of replica 0; which replica responds to which request decides what STS and the issuer check see.
  test.each([
    ["advisory", [1, 2, 1, 0], 2],
    ["strict", [1, 2, 0], 1],
  ] as const)(
    "are not treated as a bad signature when two responses differ (%s)",
    async (...row) => {
      const [mode, responses, calls] = row;
      await using world = await startPreflightWorld();
      const start = () => startLocalIdp({ kid: "same", now: world.clock.now });
      await using first = await start();
      await using second = await start();
      await using third = await start();
      const texts = [first, second, third].map(({ jwksText }) => jwksText);
      const turns = [...responses];
      world.idp.setJwks(() => texts[turns.shift() ?? 0]);
      const token = await first.issueToken({ claims: { iss: world.idp.issuer } });
      const provider = world.provide(checkingIn(mode), { token: async () => token });
      await expect(provider()).resolves.toHaveProperty("accessKeyId");
      expect(world.calls()).toBe(calls);
    },
  );
});

describe("a key that STS refuses in the form of one of three replicas", () => {
  const withZero = (text: unknown) =>
    Buffer.concat([Buffer.alloc(1), Buffer.from(String(text), "base64url")]).toString("base64url");
  const FORMS: Readonly<Record<string, (key: Jwk) => Jwk>> = {
    key_ops: (key) => ({ ...key, key_ops: ["verify"] }),
    "a leading zero octet": (key) => ({ ...key, x: withZero(key.x) }),
  };
  // STS gets the faulty form first; the check gets it never, immediately or later.
  test.each(
    Object.keys(FORMS).flatMap((form) =>
      [
        [1, 1, 1, 0],
        [1, 1, 0, 0, 1, 0],
        [1, 1, 0, 0, 0, 0, 0, 0, 1, 0],
      ].map((turns) => [form, turns] as const),
    ),
  )("does not end the refresh: %s, responses %j", async (form, turns) => {
    await using world = await startPreflightWorld();
    const left = [...turns];
    world.idp.setJwks((right) => {
      const isFaulty = (left.shift() ?? 0) === 1;
      const keys = right.keys as Jwk[];
      return { keys: isFaulty ? keys.map(FORMS[form] as (key: Jwk) => Jwk) : keys };
    });
    await expect(world.provide(checkingIn("advisory"))()).resolves.toHaveProperty("accessKeyId");
    expect(world.calls()).toBe(2);
  });

  test("is named with its form when every attempt meets it", async () => {
    await using world = await startPreflightWorld();
    let responses = 0;
    world.idp.setJwks((right) => {
      responses += 1;
      const keys = right.keys as Jwk[];
      return {
        keys: responses % 2 === 1 ? keys.map((key) => ({ ...key, key_ops: ["verify"] })) : keys,
      };
    });
    world.sts.setFault(WIRE_ERRORS.notValidated);
    const error = await world.fail("advisory");
    expect(error.message).toMatch(/it has key_ops/);
    expect(world.calls()).toBeGreaterThan(8);
  });
});

describe("a discovery document that names a cluster's address", () => {
  /** The first responses to the issuer check name it; STS does not call the issuer. */
  async function fail(wrongResponses: number, refusals: number) {
    const env = { RESILIENT_STS_ALLOW_LOOPBACK_ISSUERS: "true" };
    const world = await startPreflightWorld(undefined, { env });
    world.sts.setFault("idp-unreachable", { times: refusals });
    let requests = 0;
    world.idp.setDiscovery((right) => {
      requests += 1;
      return requests <= wrongResponses ? { ...right, jwks_uri: "https://10.178.0.2/keys" } : right;
    });
    const provider = world.provide({ preflight: { mode: "advisory" } });
    const result = await provider().catch((error: WebIdentityError) => error);
    return { world, result };
  }

  test("does not end the refresh when one replica names it", async () => {
    const { world, result } = await fail(1, 1);
    await using _ = world;
    expect(result).toHaveProperty("accessKeyId");
    expect(world.calls()).toBe(2);
  });

  test("ends it after one call when eight responses agree", async () => {
    const { world, result } = await fail(100, 100);
    await using _ = world;
    expect(found(result as WebIdentityError)).toEqual(["fatal issuer-private"]);
    expect(world.calls()).toBe(1);
    expect(issuerRequests(world.idp)).toHaveLength(8);
  });
});

describe("an audience that STS refuses", () => {
  test("ends the refresh after one call, when eight responses of the issuer agree", async () => {
    await using world = await startPreflightWorld();
    world.sts.setFault(WIRE_ERRORS.notValidated);
    const error = await world.fail("advisory");
    expect(error.code).toBe("ERR_TOKEN_REJECTED");
    expect(found(error)).toEqual([]);
    expect(world.calls()).toBe(1);
    expect(issuerRequests(world.idp).filter(({ document }) => document === "jwks")).toHaveLength(8);
  });
});

describe("a fault that two responses have and the next one doesn't", () => {
  const keys = (change: Jwk) => (idp: LocalIdp, isWrong: () => boolean) =>
    idp.setJwks((right) => ({
      keys: (right.keys as Jwk[]).map((key) => (isWrong() ? { ...key, ...change } : key)),
    }));
  const discovery = (change: Jwk) => (idp: LocalIdp, isWrong: () => boolean) =>
    idp.setDiscovery((right) => (isWrong() ? { ...right, ...change } : right));

  test.each<[string, (idp: LocalIdp, isWrong: () => boolean) => void]>([
    ["a key for encryption", keys({ use: "enc" })],
    ["a key without kid", keys({ kid: undefined })],
    ["a key on an unknown curve", keys({ crv: "secp256k1" })],
    [
      "a JWKS that is not an object",
      (idp, isWrong) => idp.setJwks((right) => (isWrong() ? "[]" : right)),
    ],
    [
      "a JWKS with a byte order mark",
      (idp, isWrong) =>
        idp.setJwks((right) => (isWrong() ? `\uFEFF${JSON.stringify(right)}` : right)),
    ],
    [
      "a discovery document without a required member",
      discovery({ subject_types_supported: undefined }),
    ],
    ["another issuer's discovery document", discovery({ issuer: "https://issuer.invalid" })],
  ])("does not end the refresh: %s", async (_, publish) => {
    await using world = await startPreflightWorld();
    // The first request is of STS, the second one of the issuer check.
    let requests = 0;
    publish(world.idp, () => {
      requests += 1;
      return requests <= 2;
    });
    await expect(world.provide(checkingIn("advisory"))()).resolves.toHaveProperty("accessKeyId");
    expect(world.calls()).toBe(2);
  });
});

describe("a key that is missing from every response", () => {
  test("ends the refresh after one call and eight responses, each on its own connection", async () => {
    await using world = await startPreflightWorld();
    const token = () => world.idp.issueToken({ header: { kid: "nobody" } });
    const error = await world.fail("advisory", token);
    expect(found(error)).toEqual(["fatal jwks-key-not-found"]);
    expect(world.calls()).toBe(1);
    const keyRequests = issuerRequests(world.idp).filter(({ document }) => document === "jwks");
    expect(keyRequests).toHaveLength(8);
    expect(new Set(keyRequests.map(({ connection }) => connection)).size).toBe(8);
  });
});
