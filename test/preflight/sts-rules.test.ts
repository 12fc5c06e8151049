import { afterEach, beforeEach, expect, test } from "vitest";
import { type LocalIdp, startLocalIdp, type TokenRequest } from "../../src/testing/index.js";
import { CERTIFICATE_OF_ANOTHER_KEY } from "../support/certificate.js";
import { checkWorld, found } from "./check-world.js";

type Jwk = Readonly<Record<string, unknown>>;

let idp: LocalIdp;
let rsa: string;
let ec: string;

beforeEach(async () => {
  idp = await startLocalIdp({ kid: "rsa" });
  rsa = idp.kid;
  ec = await idp.addKey({ algorithm: "ES256", kid: "ec" });
});
afterEach(() => idp.close());

const changeRsa = (change: (key: Jwk) => Jwk | readonly Jwk[]) =>
  idp.setJwks(({ keys }) => ({
    keys: (keys as Jwk[]).flatMap((key) => (key.kty === "RSA" ? change(key) : key)),
  }));

const checkIssuerOf = async (request: TokenRequest = {}) =>
  found(await checkWorld().check(await idp.issueToken(request)));

for (const algorithm of ["RS256", "RS384", "RS512"] as const) {
  test(`${algorithm} is verified with any RSA key`, async () => {
    expect(await checkIssuerOf({ algorithm })).toEqual([]);
  });
}

for (const algorithm of ["ES256", "ES384", "ES512"] as const) {
  test(`${algorithm} is verified`, async () => {
    const key = await idp.addKey({ algorithm });
    expect(await checkIssuerOf({ key })).toEqual([]);
  });
}

test("the key's alg does not count", async () => {
  changeRsa((key) => ({ ...key, alg: "RS512" }));
  expect(await checkIssuerOf()).toEqual([]);
});

test("a key needs no alg, use or x5t", async () => {
  changeRsa(({ kty, kid, n, e }) => ({ kty, kid, n, e }));
  expect(await checkIssuerOf()).toEqual([]);
});

test("the last of two keys with the same kid is the token's", async () => {
  const other = await idp.addKey({ algorithm: "RS256", kid: "other" });
  const keys = JSON.parse(idp.jwksText).keys as Jwk[];
  const right = keys.find(({ kid }) => kid === rsa) as Jwk;
  const wrong = { ...keys.find(({ kid }) => kid === other), kid: rsa };
  idp.setJwks({ keys: [wrong, right] });
  expect(await checkIssuerOf()).toEqual([]);
  idp.setJwks({ keys: [right, right] });
  expect(await checkIssuerOf()).toEqual([]);
  idp.setJwks({ keys: [right, wrong] });
  expect(await checkIssuerOf()).toEqual(["fatal signature-invalid"]);
});

test("the only key is that of a token without kid", async () => {
  idp.setJwks(({ keys }) => ({ keys: (keys as Jwk[]).slice(0, 1) }));
  expect(await checkIssuerOf({ header: { kid: undefined } })).toEqual([]);
  expect(await checkIssuerOf({ header: { kid: "" } })).toEqual([]);
});

test("several keys are ambiguous for a token without kid", async () => {
  await idp.addKey({ algorithm: "RS256", kid: "rsa-2" });
  for (const kid of [undefined, ""]) {
    expect(await checkIssuerOf({ header: { kid } })).toEqual(["fatal jwks-key-ambiguous"]);
  }
});

test("ambiguity is only suspected if one of several keys is usable", async () => {
  idp.setJwks(({ keys }) => ({
    keys: (keys as Jwk[]).map((key) => (key.kty === "EC" ? { ...key, use: "enc" } : key)),
  }));
  expect(await checkIssuerOf({ header: { kid: undefined } })).toEqual([
    "suspect jwks-key-ambiguous",
  ]);
});

const UNUSABLE: Readonly<Record<string, (key: Jwk) => Jwk>> = {
  "use enc": (key) => ({ ...key, use: "enc" }),
  "key_ops sign": (key) => ({ ...key, key_ops: ["sign"] }),
  "key_ops verify": (key) => ({ ...key, key_ops: ["verify"] }),
  "only x5c": ({ n: _, e: __, ...key }) => ({ ...key, x5c: [CERTIFICATE_OF_ANOTHER_KEY] }),
  "x5c of another key": (key) => ({ ...key, x5c: [CERTIFICATE_OF_ANOTHER_KEY] }),
  "no n": (key) => ({ ...key, n: undefined }),
  "another type": (key) => ({ ...key, kty: "oct" }),
};

for (const [name, change] of Object.entries(UNUSABLE)) {
  test(`a key with ${name} is unusable`, async () => {
    changeRsa(change);
    expect(await checkIssuerOf()).toEqual(["fatal jwks-key-unusable"]);
    expect(await checkIssuerOf({ key: ec })).toEqual([]);
  });
}

test("an unusable key after a usable one with the same kid is not certain", async () => {
  for (const change of Object.values(UNUSABLE)) {
    changeRsa((key) => [key, change(key)]);
    expect(await checkIssuerOf()).toEqual(["suspect jwks-key-unusable"]);
    changeRsa((key) => [change(key), key]);
    expect(await checkIssuerOf()).toEqual([]);
  }
});

test("the only key is unusable without a kid, whether or not the token has one", async () => {
  idp.setJwks(({ keys }) => ({ keys: [{ ...(keys as Jwk[])[0], kid: undefined }] }));
  expect(await checkIssuerOf()).toEqual(["fatal jwks-key-unusable"]);
  expect(await checkIssuerOf({ header: { kid: undefined } })).toEqual(["fatal jwks-key-unusable"]);
});

test("a key whose certificate is unreadable is not certain", async () => {
  changeRsa((key) => ({ ...key, x5c: ["bm8gY2VydGlmaWNhdGU="] }));
  expect(await checkIssuerOf()).toEqual(["suspect jwks-key-unusable"]);
});

test("a key of another type than the token's algorithm is unusable", async () => {
  expect(await checkIssuerOf({ header: { kid: ec } })).toEqual(["fatal jwks-key-unusable"]);
});

test("100 RSA keys and 100 EC keys are usable, and no RSA key of 101", async () => {
  const copies = (key: Jwk, count: number) =>
    Array.from({ length: count }, (_, index) => ({ ...key, kid: `${key.kty}-${index}` }));
  const fill = (rsaKeys: number) =>
    idp.setJwks(({ keys }) => ({
      keys: (keys as Jwk[]).flatMap((key) => [
        ...copies(key, key.kty === "RSA" ? rsaKeys - 1 : 99),
        key,
      ]),
    }));
  fill(100);
  expect(await checkIssuerOf()).toEqual([]);
  fill(101);
  expect(await checkIssuerOf()).toEqual(["fatal jwks-too-many-keys"]);
  expect(await checkIssuerOf({ key: ec })).toEqual(["advice jwks-too-many-keys"]);
});

test("a broken signature is reported", async () => {
  expect(await checkIssuerOf({ breakSignature: true })).toEqual(["fatal signature-invalid"]);
  expect(await checkIssuerOf({ key: ec, breakSignature: true })).toEqual([
    "fatal signature-invalid",
  ]);
});

for (const member of [
  "jwks_uri",
  "response_types_supported",
  "subject_types_supported",
  "id_token_signing_alg_values_supported",
]) {
  test(`the discovery document needs ${member}`, async () => {
    idp.setDiscovery((right) => ({ ...right, [member]: undefined }));
    expect(await checkIssuerOf()).toEqual(["fatal discovery-field-missing"]);
  });
}

test("the discovery document needs nothing else", async () => {
  idp.setDiscovery((right) => ({
    ...right,
    claims_supported: undefined,
    response_types_supported: ["code"],
    authorization_endpoint: "urn:kubernetes:programmatic_authorization",
  }));
  expect(await checkIssuerOf()).toEqual([]);
});

for (const [name, change] of Object.entries({
  "a slash more": (issuer: string) => `${issuer}/`,
  "another case": (issuer: string) => issuer.replace("http", "HTTP"),
  "another path": (issuer: string) => `${issuer}/realm`,
})) {
  test(`an issuer with ${name} is another issuer`, async () => {
    idp.setDiscovery((right) => ({ ...right, issuer: change(String(right.issuer)) }));
    expect(await checkIssuerOf()).toEqual(["suspect discovery-issuer-mismatch"]);
  });
}

test("an issuer may end with a slash", async () => {
  await using slashed = await startLocalIdp({ path: "/" });
  expect(found(await checkWorld().check(await slashed.issueToken()))).toEqual([]);
});

for (const header of [
  { "cache-control": "no-cache" },
  { "cache-control": "private, no-store" },
  { pragma: "no-cache" },
]) {
  test(`${JSON.stringify(header)} is advised against`, async () => {
    idp.setHeaders(header);
    expect(await checkIssuerOf()).toEqual(["advice jwks-not-cacheable"]);
  });
}
