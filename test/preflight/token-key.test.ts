import { generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { checkDiscovery } from "../../src/preflight/discovery.js";
import { readKeySet } from "../../src/preflight/key-set.js";
import type { Subject } from "../../src/preflight/subject.js";
import { findTokenKey, judgeKey } from "../../src/preflight/token-key.js";
import { CERTIFICATE_OF_ANOTHER_KEY } from "../support/certificate.js";

type Jwk = Readonly<Record<string, unknown>>;

const RSA = generateKeyPairSync("rsa", { modulusLength: 1_024 }).publicKey.export({
  format: "jwk",
}) as Jwk;
const ec = (namedCurve: string) =>
  generateKeyPairSync("ec", { namedCurve }).publicKey.export({ format: "jwk" }) as Jwk;
const [P256, P384, P521] = [ec("P-256"), ec("P-384"), ec("P-521")];

const setOf = (...keys: readonly Jwk[]) => {
  const { keySet } = readKeySet(Buffer.from(JSON.stringify({ keys })), "https://issuer.invalid");
  if (keySet === undefined) throw new Error("expected a key set");
  return keySet;
};

describe("the key of a token", () => {
  test.each([
    ["ES256", P256, P384],
    ["ES384", P384, P521],
    ["ES512", P521, P256],
    ["RS256", RSA, P256],
    ["ES256", P256, RSA],
  ])("signed with %s is of its type and on its curve", (alg, fit, unfit) => {
    const find = (jwk: Jwk) => findTokenKey(setOf({ ...jwk, kid: "k" }), { kid: "k", alg });
    expect(find(fit)).toMatchObject({ kind: "found" });
    expect(find(unfit)).toMatchObject({ kind: "unusable", problem: { isCertain: true } });
  });

  test("is any type of key where there is no token", () => {
    for (const jwk of [RSA, P256, P521]) {
      const found = findTokenKey(setOf({ ...jwk, kid: "k" }), { kid: "k", alg: undefined });
      expect(found.kind).toBe("found");
    }
  });

  test("is the last one with its kid, and no other one, even if it would fit", () => {
    const set = setOf({ ...P384, kid: "k" }, { ...P256, kid: "other" }, { ...P256, kid: "k" });
    const found = findTokenKey(set, { kid: "k", alg: "ES256" });
    expect(found).toMatchObject({ kind: "found", entry: set.entries[2] });
    expect(findTokenKey(set, { kid: "nobody", alg: "ES256" })).toEqual({ kind: "missing" });
  });

  test("is missing among no keys, and ambiguous among several where the token has no kid", () => {
    const wanted = { kid: undefined, alg: "ES256" };
    expect(findTokenKey({ ...setOf(P256), entries: [] }, wanted)).toEqual({ kind: "missing" });
    const two = setOf({ ...P256, kid: "a" }, { ...P256, kid: "b" });
    expect(findTokenKey(two, wanted)).toEqual({ kind: "ambiguous", isCertain: true });
    const unusable = setOf({ ...P256, kid: "a", use: "enc" }, { ...P256, kid: "b", use: "enc" });
    expect(findTokenKey(unusable, wanted)).toEqual({ kind: "ambiguous", isCertain: true });
  });

  test.each<[string, Jwk[]]>([
    ["one of another type", [P256, RSA]],
    ["one on another curve", [P256, P384]],
    ["one in an unusual form", [P256, { ...P256, use: "other" }]],
    [
      "two in an unusual form",
      [
        { ...P256, use: "other" },
        { ...P256, use: "other" },
      ],
    ],
  ])("is not certainly ambiguous among two keys with %s", (_, keys) => {
    const set = setOf(...keys.map((key, index) => ({ ...key, kid: `${index}` })));
    const found = findTokenKey(set, { kid: undefined, alg: "ES256" });
    expect(found).toEqual({ kind: "ambiguous", isCertain: false });
  });

  test.each<[string, Jwk]>([
    ["by its form", { use: "enc" }],
    ["by its certificate", { x5c: [CERTIFICATE_OF_ANOTHER_KEY] }],
    ["by its parameters", { x: "AA" }],
  ])("may be the usable one of two, where the other is unusable %s", (_, change) => {
    const set = setOf({ ...P256, kid: "a" }, { ...P256, ...change, kid: "b" });
    const wanted = { kid: undefined, alg: "ES256" };
    expect(findTokenKey(set, wanted)).toEqual({ kind: "ambiguous", isCertain: false });
  });

  test("is certainly unusable if no usable one has its kid", () => {
    const enc = { ...P256, kid: "k", use: "enc" };
    const find = (...keys: Jwk[]) => findTokenKey(setOf(...keys), { kid: "k", alg: "ES256" });
    expect(find(enc, enc)).toMatchObject({ kind: "unusable", problem: { isCertain: true } });
    expect(find({ ...P256, kid: "k" }, enc)).toMatchObject({ problem: { isCertain: false } });
  });
});

describe("too many keys", () => {
  const subject = (alg: string | undefined): Subject => ({
    issuer: "https://issuer.invalid",
    needsKey: alg !== undefined,
    kid: "k",
    alg,
    token: undefined,
  });
  const many = (jwk: Jwk, count: number) =>
    setOf(
      ...Array.from({ length: count }, (_, index) => ({ ...jwk, kid: index ? `${index}` : "k" })),
    );
  const found = async (jwk: Jwk, count: number, alg: string | undefined) =>
    (await judgeKey(many(jwk, count), subject(alg))).findings.map(
      ({ severity, id, evidence }) => `${severity} ${id} ${evidence.keyType}`,
    );

  test.each([
    [RSA, "RS256", "fatal jwks-too-many-keys RSA"],
    [RSA, undefined, "suspect jwks-too-many-keys RSA"],
    [P256, "ES256", "fatal jwks-too-many-keys EC"],
    [P256, undefined, "suspect jwks-too-many-keys EC"],
  ])("are 101 of a type: %#", async (jwk, alg, expected) => {
    expect(await found(jwk, 101, alg)).toEqual([expected]);
    expect(await found(jwk, 100, alg)).toEqual([]);
  });

  test("of the other type are advice", async () => {
    const set = setOf(
      ...Array.from({ length: 101 }, (_, index) => ({ ...P256, kid: `${index}` })),
      { ...RSA, kid: "k" },
    );
    const { findings } = await judgeKey(set, subject("RS256"));
    expect(findings).toMatchObject([{ severity: "advice", id: "jwks-too-many-keys" }]);
  });
});

describe("a discovery document", () => {
  const ISSUER = "https://issuer.invalid";
  const right = {
    issuer: ISSUER,
    jwks_uri: `${ISSUER}/jwks`,
    response_types_supported: ["code"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: ["RS256"],
  };
  const check = (document: unknown, issuer = ISSUER) =>
    checkDiscovery(Buffer.from(JSON.stringify(document)), issuer, `${issuer}/discovery`);
  const found = (document: unknown, issuer = ISSUER) =>
    check(document, issuer).findings.map(({ severity, id }) => `${severity} ${id}`);

  test("that has the issuer or one of its members is a broken document, not an error page", () => {
    expect(found({ error: "not_found" })).toEqual(["suspect discovery-not-json"]);
    expect(found({ error: "not_found", issuer: ISSUER })).toEqual([
      "fatal discovery-field-missing",
    ]);
    expect(found({ error: "not_found", jwks_uri: right.jwks_uri })).toEqual([
      "suspect discovery-issuer-mismatch",
      "fatal discovery-field-missing",
    ]);
    expect(found({})).toEqual([
      "suspect discovery-issuer-mismatch",
      "fatal discovery-field-missing",
    ]);
  });

  test("with null for a member is only suspected: null is not absent", () => {
    const withNull = { ...right, subject_types_supported: null };
    expect(found(withNull)).toEqual(["suspect discovery-field-missing"]);
    expect(found({ ...withNull, jwks_uri: undefined })).toEqual(["fatal discovery-field-missing"]);
  });

  test("names its JWKS in 2,048 characters at most, and in no other form than an https URL", () => {
    const url = (length: number) => `${ISSUER}/`.padEnd(length, "k");
    expect(check({ ...right, jwks_uri: url(2_048) }).jwksUrl?.href).toBe(url(2_048));
    expect(check({ ...right, jwks_uri: url(2_049) }).jwksUrl).toBeUndefined();
    expect(found({ ...right, jwks_uri: url(2_049) })).toEqual(["suspect discovery-field-missing"]);
    expect(found({ ...right, jwks_uri: 1 })).toEqual(["suspect discovery-field-missing"]);
    expect(found({ ...right, jwks_uri: "/jwks" })).toEqual(["suspect discovery-field-missing"]);
  });

  test("that writes its issuer in another Unicode form is only suspected, and no refusal makes that certain", () => {
    const [composed, decomposed] = ["https://issuer.invalid/é", "https://issuer.invalid/e\u0301"];
    expect(found({ ...right, issuer: decomposed }, composed)).toEqual([
      "suspect discovery-issuer-mismatch",
    ]);
    const confirmed = (issuer: string) =>
      check({ ...right, issuer }, composed).findings[0]?.confirmedBy;
    expect(confirmed(decomposed)).toBeUndefined();
    expect(confirmed(`${composed}/`)).toBe("verification-key");
  });

  test.each<[unknown, readonly string[]]>([
    [["PS256"], ["advice discovery-algorithms-unsupported"]],
    [["none", "HS256", "EdDSA"], ["advice discovery-algorithms-unsupported"]],
    [["PS256", "ES384"], []],
    [[], []],
    ["PS256", []],
  ])("that lists the algorithms %j gives %j", (listed, expected) => {
    expect(found({ ...right, id_token_signing_alg_values_supported: listed })).toEqual(expected);
  });
});
