import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkToken } from "../../src/token/check.js";
import {
  base64url,
  CLAIMS,
  check,
  fromJson,
  HEADER,
  ids,
  makeToken,
  NOW,
  SIGNATURE,
} from "../support/make-token.js";

describe("a token that STS accepts", () => {
  test("has no finding, and its facts are reported", () => {
    const { findings, facts, validInMs } = check(makeToken());
    expect(findings).toEqual([]);
    expect(validInMs).toBeUndefined();
    expect(facts).toEqual({
      issuer: CLAIMS.iss,
      audience: CLAIMS.aud,
      kid: "key-1",
      alg: "RS256",
      iat: CLAIMS.iat,
      exp: CLAIMS.exp,
      subjectHash: expect.stringMatching(/^[0-9a-f]{16}$/),
    });
  });

  test("has facts with the first ten of its audiences, and only those that are strings", () => {
    const audience = (aud: unknown) => check(makeToken({ aud, azp: "a" })).facts?.audience;
    expect(audience(["a", 5, "b"])).toEqual(["a", "b"]);
    const many = Array.from({ length: 11 }, (_, number) => `audience-${number}`);
    expect(audience(many)).toEqual(many.slice(0, 10));
    expect(audience(5)).toBeUndefined();
  });

  test.each(["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"])("is signed with %s", (alg) => {
    expect(ids(makeToken({}, { alg }))).toEqual([]);
  });

  test("needs neither kid nor typ, nor a known typ", () => {
    expect(ids(makeToken({}, { kid: undefined, typ: undefined }))).toEqual([]);
    expect(ids(makeToken({}, { typ: "at+jwt" }))).toEqual([]);
  });

  test("may contain other claims, and text of any kind", () => {
    const claims = {
      "https://aws.amazon.com/tags": { principal_tags: {} },
      name: "Zoë 🦆",
      x: null,
    };
    expect(ids(makeToken(claims))).toEqual([]);
  });
});

describe("a token signed with another algorithm", () => {
  test.each([["none"], ["HS256"], ["PS256"], ["EdDSA"], ["ES256K"], ["rs256"], ["RS256 "], [""]])(
    "is refused when alg is %j",
    (alg) => {
      expect(ids(makeToken({}, { alg }))).toEqual(["token-algorithm-unsupported!"]);
    },
  );

  test.each([[undefined], [null], [5], [["RS256"]], [{}], [true]])(
    "is refused when alg is %j and not a string",
    (alg) => {
      expect(ids(makeToken({}, { alg }))).toEqual(["token-algorithm-unsupported!"]);
    },
  );

  test("has a finding that names the algorithm, printable and shortened", () => {
    const alg = `X\u001b[31m\n${"y".repeat(500)}`;
    const [finding] = check(makeToken({}, { alg })).findings;
    expect(JSON.stringify(finding)).not.toMatch(/\\u001b|\\n|y{50}/);
    expect(finding?.evidence.alg).toMatch(/^X \[31m y+…$/);
  });
});

describe("a token's size", () => {
  const padded = (length: number) => {
    const short = makeToken({ pad: "" }).length;
    // Base64url makes 4 characters of 3 bytes: the padding comes close, the signature fills the rest.
    const token = makeToken({ pad: "p".repeat(Math.floor(((length - short) * 3) / 4) - 3) });
    return token + "A".repeat(length - token.length);
  };

  test("is accepted at 20,000 characters, and too large at 20,001", () => {
    expect(padded(20_000)).toHaveLength(20_000);
    expect(ids(padded(20_000))).toEqual([]);
    expect(ids(padded(20_001))).toEqual(["token-too-large!"]);
  });

  test.each([
    ["-----BEGIN CERTIFICATE-----\nMIIB", "PEM certificate"],
    ["<!DOCTYPE html><html>", "HTML"],
    ['{"keys":[', "JSON"],
  ])("is not a larger file that begins with %j", (beginning, words) => {
    const { findings } = check(beginning.padEnd(30_000, "a"));
    expect(findings).toMatchObject([
      { id: "token-malformed", severity: "fatal", detail: expect.stringContaining(words) },
    ]);
  });

  test("is the only finding for one that is much too large", () => {
    const { findings, facts } = check("x".repeat(20_000_000));
    expect(findings.map(({ id, evidence }) => [id, evidence.length])).toEqual([
      ["token-too-large", 20_000_000],
    ]);
    expect(facts).toBeUndefined();
  });
});

test("a time that is too large for JavaScript is suspected: STS was not observed with it", () => {
  const [header, claims = "", signature] = makeToken({ exp: 12345 }).split(".");
  const text = Buffer.from(claims, "base64url").toString().replace('"exp":12345', '"exp":1e400');
  const payload = Buffer.from(text).toString("base64url");
  expect(ids(`${header}.${payload}.${signature}`)).toEqual(["token-claim-invalid"]);
});

describe("the checks", () => {
  const jsonParts = fc.json({ maxDepth: 2 }).map((json) => base64url(json));
  const anyText = fc.oneof(
    fc.string({ unit: "binary", maxLength: 300 }),
    fc.array(jsonParts, { minLength: 1, maxLength: 5 }).map((parts) => parts.join(".")),
    fc.array(fc.stringMatching(/^[\w-]{0,20}$/), { maxLength: 6 }).map((parts) => parts.join(".")),
  );
  const names = fc.constantFrom("iss", "sub", "aud", "azp", "iat", "nbf", "exp", "__proto__", "x");
  const values = fc.oneof(fc.anything({ maxDepth: 2 }), fc.double(), fc.bigInt().map(String));
  const anyClaims = fc.dictionary(names, values);
  const anyHeader = fc.dictionary(fc.constantFrom("alg", "kid", "crit", "typ"), values);

  test("never throw, for any text at any time", () => {
    fc.assert(
      fc.property(anyText, fc.double(), (text, now) => {
        expect(Array.isArray(checkToken(text, { now }).findings)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test("never throw for any claims and header, and never show the token", () => {
    fc.assert(
      fc.property(anyClaims, anyHeader, (claims, header) => {
        const token = fromJson(toJson({ ...CLAIMS, ...claims }), toJson({ ...HEADER, ...header }));
        const shown = JSON.stringify(check(token));
        for (const part of token.split(".")) expect(shown).not.toContain(part);
      }),
      { numRuns: 500 },
    );
  });

  test("never show text that is not a token, because it may be another secret", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9+/=._~-]{12,200}$/), (secret) => {
        fc.pre(!"token-malformed".includes(secret));
        expect(JSON.stringify(check(secret))).not.toContain(secret);
      }),
    );
  });

  test("never show a subject, a nonce or an email address", () => {
    const secret = "private-private-private";
    const shown = JSON.stringify(check(makeToken({ sub: secret, nonce: secret, email: secret })));
    expect(shown).not.toContain(secret);
  });

  test("state in every finding what is wrong, with which value, and what to do", () => {
    const broken = [
      makeToken({ sub: undefined, exp: 1.5, aud: ["a", "b"] }, { alg: "none", crit: ["x"] }),
      makeToken({ exp: 1 }),
      makeToken({ nbf: 9e9 }),
      makeToken({ aud: "other", exp: CLAIMS.iat + 30 }),
      "opaque",
      "x".repeat(20_001),
    ];
    for (const finding of broken.flatMap((token) => check(token).findings)) {
      expect(finding.title, finding.id).toMatch(/^\S.+\.$/);
      expect(finding.detail, finding.id).toMatch(/^\S.+\.$/);
      expect(finding.remedy, finding.id).toMatch(/^(Workload|IdP|AWS account|Network): \S/);
    }
  });

  test("hide the signature, also of a token that is valid otherwise", () => {
    expect(JSON.stringify(checkToken(makeToken({ aud: "other" }), { now: NOW }))).not.toContain(
      SIGNATURE,
    );
  });
});

/** JSON of any value. Leaves out what JSON can't express. */
function toJson(value: object): string {
  return JSON.stringify(value, (_, entry: unknown) =>
    typeof entry === "bigint" ? `${entry}` : entry,
  );
}
