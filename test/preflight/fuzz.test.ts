import fc from "fast-check";
import { expect, test } from "vitest";
import { checkDiscovery } from "../../src/preflight/discovery.js";
import { readKeySet } from "../../src/preflight/key-set.js";
import { type Subject, subjectOfIssuer, subjectOfToken } from "../../src/preflight/subject.js";
import { judgeKey, keyTable } from "../../src/preflight/token-key.js";
import { startLocalIdp } from "../../src/testing/index.js";
import { webUrls } from "../support/arbitraries.js";
import { anySignal, checkWorld, found } from "./check-world.js";

const ISSUER = "https://issuer.invalid";
const anything = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom(null, "", "sig", "enc", "RSA", "EC", "AQAB", "P-256", ISSUER, "__proto__"),
  fc.base64String({ maxLength: 60 }),
);
const name = fc.constantFrom(
  ...["kid", "kty", "n", "e", "crv", "x", "y", "use", "key_ops", "alg", "x5c"],
  ...["__proto__", "constructor", "toString"],
);
const jwk = fc.oneof(anything, fc.dictionary(name, anything));
const jwks = fc.oneof(
  anything,
  fc.record({ keys: fc.oneof(anything, fc.array(jwk, { maxLength: 130 })) }),
);
const discovery = fc.dictionary(
  fc.constantFrom(
    ...["issuer", "jwks_uri", "response_types_supported", "subject_types_supported"],
    ...["id_token_signing_alg_values_supported", "__proto__", "error"],
  ),
  fc.oneof(anything, webUrls),
);
const document = (value: fc.Arbitrary<unknown>) =>
  fc.oneof(
    { weight: 8, arbitrary: value.map((json) => Buffer.from(JSON.stringify(json))) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
    { weight: 1, arbitrary: fc.string().map((text) => Buffer.from(text)) },
  );
const subject: fc.Arbitrary<Subject> = fc.record({
  issuer: fc.constant(ISSUER),
  needsKey: fc.boolean(),
  kid: fc.option(fc.constantFrom("RSA", "sig", "__proto__", "", null), { nil: undefined }),
  alg: fc.option(fc.constantFrom("RS256", "ES256", "ES512"), { nil: undefined }),
  token: fc.option(fc.constantFrom("e30.e30.AAAA", "x"), { nil: undefined }),
});

/** The limit that was promised, in milliseconds of this process's own work. */
const LIMIT_MS = 1_000;

async function inTime<T>(work: () => T | Promise<T>): Promise<T> {
  const start = process.cpuUsage();
  const result = await work();
  expect(process.cpuUsage(start).user / 1000).toBeLessThan(LIMIT_MS);
  return result;
}

test("no discovery document makes the check throw", async () => {
  await fc.assert(
    fc.asyncProperty(document(discovery), async (body) => {
      const { findings, jwksUrl } = await inTime(() => checkDiscovery(body, ISSUER, ISSUER));
      expect(findings.length > 0 || jwksUrl !== undefined).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});

test("no JWKS makes the check throw", async () => {
  await fc.assert(
    fc.asyncProperty(document(jwks), subject, async (body, wanted) => {
      const read = await inTime(() => readKeySet(body, ISSUER));
      const { keySet } = read;
      if (keySet === undefined) {
        expect(read.findings).not.toEqual([]);
        return;
      }
      const { findings } = await inTime(() => judgeKey(keySet, wanted));
      const rows = await inTime(() => keyTable(keySet, wanted));
      JSON.stringify([findings, rows]);
    }),
    { numRuns: 2_000 },
  );
});

test("every text is a subject, or a finding says why it is not", () => {
  const part = fc.oneof(
    fc.string(),
    fc
      .dictionary(fc.constantFrom("iss", "kid", "alg"), anything)
      .map((json) => JSON.stringify(json)),
  );
  const encoded = part.map((text) => Buffer.from(text).toString("base64url"));
  const token = fc.oneof(
    fc.string(),
    fc.tuple(encoded, encoded, encoded).map((all) => all.join(".")),
  );
  fc.assert(
    fc.property(token, (text) => {
      const read = subjectOfToken(text);
      expect("severity" in read || read.issuer !== "").toBe(true);
    }),
    { numRuns: 2_000 },
  );
});

test("every issuer name is checked, or a finding says why it is not", () => {
  const piece = fc.constantFrom(...[..."\0\u0001\t\n /:8\\?#@%[]\u00a0é"], "https://", ISSUER);
  const issuer = fc
    .tuple(fc.constantFrom("", ISSUER), fc.array(piece, { maxLength: 4 }))
    .map(([beginning, rest]) => [beginning, ...rest]);
  fc.assert(
    fc.property(issuer, (parts) => {
      const read = subjectOfIssuer(parts.join(""), undefined);
      expect("severity" in read || read.issuer !== "").toBe(true);
    }),
    { numRuns: 2_000 },
  );
});

const DEEP = 250_000;
const MONSTERS: Readonly<Record<string, string>> = {
  "deep nesting": `${"[".repeat(DEEP)}${"]".repeat(DEEP)}`,
  "deep nesting in a key": `{"keys":[{"kid":${"[".repeat(DEEP)}${"]".repeat(DEEP)}}]}`,
  "an open end": "[".repeat(DEEP),
  "objects without an end": "{".repeat(2 * DEEP),
  "a string without an end": `{"${"x".repeat(2 * DEEP)}`,
  "escapes without an end": `{"${"\\\\".repeat(DEEP)}`,
  "many keys": JSON.stringify({ keys: Array.from({ length: 40_000 }, () => ({ kty: "" })) }),
  "many RSA keys": JSON.stringify({
    keys: Array.from({ length: 1_000 }, (_, kid) => ({
      kty: "RSA",
      kid: `${kid}`,
      n: "x".repeat(342),
      e: "AQAB",
    })),
  }),
  "a large modulus": JSON.stringify({
    keys: [{ kty: "RSA", kid: "k", n: "x".repeat(500_000), e: "AQAB" }],
  }),
  "a large exponent": JSON.stringify({
    keys: [{ kty: "RSA", kid: "k", n: "x".repeat(250_000), e: "x".repeat(249_999) }],
  }),
  "a large certificate": JSON.stringify({
    keys: [{ kty: "RSA", kid: "k", n: "x".repeat(342), e: "AQAB", x5c: ["A".repeat(500_000)] }],
  }),
};

for (const [monster, text] of Object.entries(MONSTERS)) {
  test(`${monster} is checked within a second`, async () => {
    await using idp = await startLocalIdp();
    const token = await idp.issueToken({ header: { kid: "k" } });
    for (const serve of ["setDiscovery", "setJwks"] as const) {
      idp.setDiscovery();
      idp[serve](text);
      const report = await inTime(() => checkWorld().preflight.check(token, anySignal()));
      expect(found(report).length).toBeGreaterThan(0);
    }
  });
}
