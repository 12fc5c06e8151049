import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type KeyFacts, readStoredValue, storeKey } from "../../src/stores/store-entry.js";
import { someCredentials } from "../support/stored-credentials.js";

const CLAIMS = {
  iss: "https://issuer.example.com",
  sub: "system:serviceaccount:shop:app",
  aud: ["sts.amazonaws.com"],
  iat: 1_767_000_000,
  exp: 1_767_003_600,
  jti: "b4c1",
};

const FACTS: KeyFacts = {
  claims: CLAIMS,
  roleArn: "arn:aws:iam::123456789012:role/app",
  roleSessionName: undefined,
  durationSeconds: undefined,
  policy: undefined,
  policyArns: undefined,
  endpoint: "eu-west-1",
};

const withClaims = (claims: Record<string, unknown>): KeyFacts => ({
  ...FACTS,
  claims: { ...CLAIMS, ...claims },
});

describe("two processes share one entry", () => {
  test.each<[string, KeyFacts]>([
    [
      "when they have different tokens of the same subject",
      withClaims({ iat: 1, exp: 2, nbf: 1, jti: "x" }),
    ],
    ["when their claims are in another order", { ...FACTS, claims: reversed(CLAIMS) }],
    [
      "when their tokens name different pods",
      withClaims({ "kubernetes.io": { pod: { name: "app-5d9", uid: "1" } } }),
    ],
    [
      "when they have default session names of the SDK, made at different times",
      { ...FACTS, roleSessionName: "aws-sdk-js-session-1767000000000" },
    ],
    ["when one has no policies, and the other an empty list of them", { ...FACTS, policyArns: [] }],
    [
      "when they run on different instances of Google",
      withClaims({ google: { compute_engine: { id: "7" } } }),
    ],
  ])("%s", (_, facts) => {
    expect(storeKey(facts)).toBe(storeKey(FACTS));
  });

  test("when they have the same policies in another order", () => {
    const policyArns = [{ arn: "arn:aws:iam::aws:policy/A" }, { arn: "arn:aws:iam::aws:policy/B" }];
    expect(storeKey({ ...FACTS, policyArns })).toBe(
      storeKey({ ...FACTS, policyArns: policyArns.toReversed() }),
    );
  });
});

/** Each differs from all others, and from `FACTS`, in a fact that decides which credentials STS returns. */
const DIFFERENT: readonly (readonly [string, KeyFacts])[] = [
  ["issuers", withClaims({ iss: "https://other.example.com" })],
  ["subjects", withClaims({ sub: "system:serviceaccount:shop:other" })],
  ["audiences", withClaims({ aud: ["other"] })],
  ["authorized parties", withClaims({ azp: "client" })],
  ["authentication methods", withClaims({ amr: ["mfa"] })],
  ["session tags", withClaims({ "https://aws.amazon.com/tags": { principal_tags: { t: ["a"] } } })],
  [
    "values of a tag",
    withClaims({ "https://aws.amazon.com/tags": { principal_tags: { t: ["b"] } } }),
  ],
  ["source identities", withClaims({ "https://aws.amazon.com/source_identity": "ann" })],
  ["GitHub workflows", withClaims({ job_workflow_ref: "o/r/.github/workflows/d.yml@main" })],
  ["Google organizations", withClaims({ google: { organization_number: "9" } })],
  ["roles", { ...FACTS, roleArn: "arn:aws:iam::123456789012:role/other" }],
  ["session names", { ...FACTS, roleSessionName: "app-7" }],
  ["session names, one of them `default`", { ...FACTS, roleSessionName: "default" }],
  ["durations", { ...FACTS, durationSeconds: 900 }],
  ["policies", { ...FACTS, policy: "{}" }],
  ["managed policies", { ...FACTS, policyArns: [{ arn: "arn:aws:iam::aws:policy/A" }] }],
  ["endpoints", { ...FACTS, endpoint: "eu-central-1" }],
];

describe("two processes do not share an entry", () => {
  test.each(DIFFERENT)("when they have different %s", (_, facts) => {
    const others = [FACTS, ...DIFFERENT.map(([, other]) => other)].filter((one) => one !== facts);
    expect(others.map(storeKey)).not.toContain(storeKey(facts));
  });

  test("when they have different subjects or session names, whatever these are", () => {
    const pair = fc.tuple(fc.string(), fc.string());
    fc.assert(
      fc.property(pair, pair, (one, other) => {
        fc.pre(one[0] !== other[0] || one[1] !== other[1]);
        const [first, second] = [one, other].map(([sub, roleSessionName]) =>
          storeKey({ ...withClaims({ sub }), roleSessionName }),
        );
        expect(first).not.toBe(second);
      }),
    );
  });
});

describe("a stored value", () => {
  const value = { ...someCredentials("key"), accountId: "123456789012", region: "eu-west-1" };

  test("is returned when every request can carry it", () => {
    expect(readStoredValue(value)).toEqual(value);
  });

  test.each([
    ["accessKeyId", "ASIA\u0000"],
    ["accessKeyId", "ASIA EXAMPLE"],
    ["sessionToken", "token\r\nx-amz-meta: a"],
    ["sessionToken", "tok\u00e9n"],
    ["sessionToken", "a".repeat(100_000)],
    ["secretAccessKey", "  \n"],
    ["accountId", "1234\u001b[31m"],
    ["credentialScope", "eu west"],
    ["region", "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"],
    ["region", "x".repeat(64)],
  ])("is refused with %s %j, and the problem does not repeat it", (name, text) => {
    const read = readStoredValue({ ...value, [name]: text });
    expect(read).toEqual({
      problem: expect.stringMatching(/^it is too long|^its \w+ can't be used/),
    });
    expect(JSON.stringify(read)).not.toContain(text);
  });
});

test("a key contains no claim in clear text", () => {
  expect(storeKey(FACTS)).toMatch(/^[\w-]{43}$/);
});

function reversed(claims: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(claims).toReversed());
}
