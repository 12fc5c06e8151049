import { generateKeyPairSync, type JsonWebKey } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bareKey, keyFormProblem } from "../../src/model/jwk.js";
import { checkIssuerWith } from "../../src/preflight/issuer-check.js";
import { type LocalIdp, startLocalIdp, startLocalSts } from "../../src/testing/index.js";
import { assumeRole } from "../support/call-sts.js";
import { CERTIFICATE_OF_ANOTHER_KEY } from "../support/certificate.js";
import { checkWorld, found } from "./check-world.js";

type Jwk = Readonly<Record<string, unknown>>;

const RSA = generateKeyPairSync("rsa", { modulusLength: 1_024 }).publicKey.export({
  format: "jwk",
}) as Jwk;
const EC = Object.fromEntries(
  ["P-256", "P-384", "P-521", "secp256k1"].map((namedCurve) => [
    namedCurve,
    generateKeyPairSync("ec", { namedCurve }).publicKey.export({ format: "jwk" }) as Jwk,
  ]),
);

const bytesOf = (text: unknown) => Buffer.from(String(text), "base64url");
const withZero = (text: unknown) =>
  Buffer.concat([Buffer.alloc(1), bytesOf(text)]).toString("base64url");

/** Ways to write a number that libraries take and RFC 7518 does not allow, and what is said of each. */
const WRONG_FORMS: Readonly<Record<string, readonly [(text: string) => string, RegExp]>> = {
  "a leading zero octet": [withZero, /zero octet|octets instead of/],
  padding: [(text) => `${text}==`, /padding character =/],
  "plain base64": [(text) => `+/${text.slice(2)}`, /[+] of plain base64/],
  "a line break": [(text) => `${text.slice(0, 7)}\n${text.slice(7)}`, /a space or a line break/],
  "a blank at its end": [(text) => `${text} `, /a space or a line break/],
};

const changeKeys = (idp: LocalIdp, change: (key: Jwk) => Jwk | readonly Jwk[]) =>
  idp.setJwks(({ keys }) => ({ keys: (keys as Jwk[]).flatMap(change) }));

describe("the form of a key's numbers", () => {
  test("is right as Node writes it", () => {
    for (const jwk of [RSA, EC["P-256"], EC["P-384"], EC["P-521"]]) {
      expect(keyFormProblem(jwk as Jwk)).toBeUndefined();
      expect(bareKey(jwk as Jwk)).toEqual(jwk);
    }
  });

  test("is reported with the member and with what is wrong with it, for any key", () => {
    const key = fc.constantFrom(RSA, EC["P-256"] as Jwk, EC["P-384"] as Jwk, EC["P-521"] as Jwk);
    const form = fc.constantFrom(...Object.values(WRONG_FORMS));
    fc.assert(
      fc.property(key, fc.boolean(), form, (jwk, isFirst, [write, words]) => {
        const names = jwk.kty === "RSA" ? ["n", "e"] : ["x", "y"];
        const name = names[isFirst ? 0 : 1] as string;
        const problem = keyFormProblem({ ...jwk, [name]: write(String(jwk[name])) });
        expect(problem).toMatch(words);
        expect(problem).toMatch(new RegExp(`^its ${name} `));
      }),
    );
  });

  test("is right for any number without a leading zero, and wrong with one", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (octets) => {
        const n = Buffer.from(octets).toString("base64url");
        const isRight = octets[0] !== 0 || octets.length === 1;
        expect(keyFormProblem({ kty: "RSA", n, e: "AQAB" }) === undefined).toBe(isRight);
      }),
    );
  });

  test("never makes another key of it: every form gives the parameters of the right one", () => {
    for (const jwk of [RSA, EC["P-256"], EC["P-384"], EC["P-521"]] as Jwk[]) {
      const names = jwk.kty === "RSA" ? ["n", "e"] : ["x", "y"];
      for (const name of names) {
        const plain = bytesOf(jwk[name]).toString("base64");
        for (const text of [withZero(jwk[name]), plain, `${plain}\n`]) {
          expect(bareKey({ ...jwk, [name]: text })).toEqual(jwk);
        }
      }
    }
    const { x, ...rest } = EC["P-256"] as Jwk;
    const short = { ...rest, x: bytesOf(x).subarray(1).toString("base64url") };
    expect(bytesOf(bareKey(short).x)).toHaveLength(32);
    expect(keyFormProblem(short)).toBe("its x has 31 octets instead of the curve's 32 (RFC 7518)");
  });
});

describe.each(["RS256", "ES256"] as const)(
  "a key of %s in a form that is not allowed",
  (algorithm) => {
    const name = algorithm === "RS256" ? "n" : "y";

    for (const [form, [write, words]] of Object.entries(WRONG_FORMS)) {
      test(`with ${form} is suspected, verifies the token, and the local STS refuses it`, async () => {
        await using idp = await startLocalIdp({ algorithm });
        await using sts = await startLocalSts();
        const token = await idp.issueToken();
        // A form that keeps the number: plain base64 of the same octets, where it is about base64.
        changeKeys(idp, (key) => {
          const text = String(key[name]);
          const isPlain = form === "plain base64";
          const written = isPlain ? bytesOf(text).toString("base64") : write(text);
          return { ...key, [name]: written };
        });
        const { findings, keys } = await checkIssuerWith(
          { token },
          { allowPrivateIssuers: true },
          checkWorld().runtime,
        );
        if (form === "plain base64" && findings.length === 0) return;
        expect(findings).toMatchObject([
          { id: "jwks-key-unusable", severity: "suspect", confirmedBy: "not-validated" },
        ]);
        if (form !== "plain base64") expect(findings[0]?.detail).toMatch(words);
        expect(keys).toMatchObject([{ usable: false, severity: "suspect", matchesToken: true }]);
        const { message } = await assumeRole(sts, token);
        expect(message).toMatch(/^The web identity token provided could not be validated/);
      });
    }

    test("still shows a signature that is not its own", async () => {
      await using idp = await startLocalIdp({ algorithm });
      changeKeys(idp, (key) => ({ ...key, [name]: withZero(key[name]) }));
      const token = await idp.issueToken({ breakSignature: true });
      expect(found(await checkWorld().check(token))).toEqual([
        "fatal signature-invalid",
        "suspect jwks-key-unusable",
      ]);
    });
  },
);

/** Keys that stand alone in a JWKS, with how each row is judged and what is found without a token. */
const ALONE: readonly (readonly [string, Jwk, "fatal" | "suspect" | undefined, RegExp])[] = [
  ["secp256k1", { ...EC.secp256k1, kid: "k" }, "fatal", /curve secp256k1; STS accepts P-256/],
  [
    "a curve with an unknown name",
    { ...EC["P-256"], crv: "p-256", kid: "k" },
    "suspect",
    /"p-256"/,
  ],
  ["P-521", { ...EC["P-521"], kid: "k" }, undefined, /^$/],
  ["use jwt-svid", { ...EC["P-256"], kid: "k", use: "jwt-svid" }, "suspect", /use is "jwt-svid"/],
  ["use enc", { ...EC["P-256"], kid: "k", use: "enc" }, "fatal", /use is enc/],
  ["no kid", { ...EC["P-256"] }, "fatal", /no kid/],
  ["the kid null", { ...EC["P-256"], kid: null }, "suspect", /kid is null/],
  ["the kid 1", { ...EC["P-256"], kid: 1 }, "suspect", /kid is a number/],
  ["an empty kid", { ...EC["P-256"], kid: "" }, undefined, /^$/],
  ["a number for an exponent", { ...RSA, kid: "k", e: 65_537 }, "suspect", /e is a number/],
  ["an empty modulus", { ...RSA, kid: "k", n: "" }, "fatal", /lacks n/],
  ["a modulus of zero", { ...RSA, kid: "k", n: "AA" }, "fatal", /make no key/],
  ["an exponent of zero", { ...RSA, kid: "k", e: "AA" }, "fatal", /make no key/],
  ["an EC point that is none", { ...EC["P-256"], kid: "k", x: "AA" }, "fatal", /make no key/],
  ["no kty", { ...EC["P-256"], kid: "k", kty: undefined }, "suspect", /kty is missing/],
  ["the kty ec", { ...EC["P-256"], kid: "k", kty: "ec" }, "suspect", /kty is "ec", not RSA or EC/],
  ["the kty null", { ...RSA, kid: "k", kty: null }, "suspect", /kty is null/],
  ["the kty OKP", { ...EC["P-256"], kid: "k", kty: "OKP" }, "fatal", /neither an RSA nor an EC/],
  [
    "a modulus of 4,100 characters",
    { ...RSA, kid: "k", n: "A".repeat(4_100) },
    "suspect",
    /no key/,
  ],
  [
    "an EC point in hexadecimal with blanks",
    { ...EC["P-256"], kid: "k", x: "0a 0b" },
    "suspect",
    /./,
  ],
  [
    "no x but a certificate",
    { ...EC["P-256"], kid: "k", x: undefined, x5c: [CERTIFICATE_OF_ANOTHER_KEY] },
    "suspect",
    /lacks x/,
  ],
  [
    "null for n beside a certificate",
    { ...RSA, kid: "k", n: null, x5c: [CERTIFICATE_OF_ANOTHER_KEY] },
    "suspect",
    /lacks n/,
  ],
  [
    "no n but a certificate",
    { ...RSA, kid: "k", n: undefined, x5c: [CERTIFICATE_OF_ANOTHER_KEY] },
    "fatal",
    /lacks n/,
  ],
  [
    "an EC key with a certificate of another key",
    { ...EC["P-256"], kid: "k", x5c: [CERTIFICATE_OF_ANOTHER_KEY] },
    "suspect",
    /certificate of another key/,
  ],
  ["no y", { ...EC["P-256"], kid: "k", y: undefined }, "fatal", /lacks y/],
  ["no crv and no x", { kty: "EC", kid: "k", y: "AQAB" }, "fatal", /lacks crv and x/],
  [
    "a leading zero octet",
    { ...RSA, kid: "k", n: withZero(RSA.n) },
    "suspect",
    /n begins with a zero/,
  ],
  [
    "a certificate of another key",
    { ...RSA, kid: "k", x5c: [CERTIFICATE_OF_ANOTHER_KEY] },
    "fatal",
    /certificate of another key/,
  ],
  [
    "a certificate as text",
    { ...RSA, kid: "k", x5c: CERTIFICATE_OF_ANOTHER_KEY },
    "suspect",
    /list/,
  ],
  ["key_ops", { ...RSA, kid: "k", key_ops: ["verify"] }, "fatal", /key_ops/],
  ["empty key_ops", { ...RSA, kid: "k", key_ops: [] }, "suspect", /unusual key_ops/],
  ["1,024 bits", { ...RSA, kid: "k" }, undefined, /^$/],
];

describe("without a token to compare", () => {
  test.each(ALONE)("a key with %s is judged by the rules for a token's own", async (...row) => {
    const [, jwk, severity, words] = row;
    await using idp = await startLocalIdp();
    idp.setJwks({ keys: [jwk] });
    const { runtime } = checkWorld();
    const options = { allowPrivateIssuers: true };
    const report = await checkIssuerWith({ issuer: idp.issuer }, options, runtime);
    const [key] = report.keys ?? [];
    expect(key).toMatchObject({ usable: severity === undefined, matchesToken: false });
    expect(key?.severity).toBe(severity);
    expect(key?.problem ?? "").toMatch(words);
    expect(found(report)).toEqual(severity === undefined ? [] : [`${severity} jwks-key-unusable`]);
  });

  test("one usable key is enough for an issuer", async () => {
    await using idp = await startLocalIdp();
    changeKeys(idp, (key) => [key, { ...key, kid: "other", use: "enc" }]);
    const { runtime } = checkWorld();
    const options = { allowPrivateIssuers: true };
    const report = await checkIssuerWith({ issuer: idp.issuer }, options, runtime);
    expect(found(report)).toEqual([]);
    expect(report.keys?.map(({ usable }) => usable)).toEqual([true, false]);
  });
});

describe("a use other than sig and enc", () => {
  test("is suspected with a token too, and the local STS accepts it", async () => {
    await using idp = await startLocalIdp();
    await using sts = await startLocalSts();
    changeKeys(idp, (key) => ({ ...key, use: "jwt-svid" }));
    const token = await idp.issueToken();
    const report = await checkWorld().check(token);
    expect(found(report)).toEqual(["suspect jwks-key-unusable"]);
    expect(report.findings[0]?.confirmedBy).toBeUndefined();
    expect(await assumeRole(sts, token)).toMatchObject({ code: "ok" });
  });
});

describe("a curve that STS does not accept", () => {
  test("is not accepted by the local STS either", async () => {
    await using idp = await startLocalIdp({ algorithm: "ES256" });
    await using sts = await startLocalSts();
    const token = await idp.issueToken();
    idp.setJwks({ keys: [{ ...(EC.secp256k1 as JsonWebKey), kid: idp.kid }] });
    expect(found(await checkWorld().check(token))).toEqual(["fatal jwks-key-unusable"]);
    const { message } = await assumeRole(sts, token);
    expect(message).toMatch(/^Couldn't retrieve verification key/);
  });
});

describe("a kty that is missing or in another case", () => {
  test.each([undefined, "rsa", "Rsa"])("keeps no token from STS: %s", async (kty) => {
    await using idp = await startLocalIdp();
    changeKeys(idp, (key) => ({ ...key, kty }));
    expect(found(await checkWorld().check(await idp.issueToken()))).toEqual([
      "suspect jwks-key-unusable",
    ]);
  });
});
