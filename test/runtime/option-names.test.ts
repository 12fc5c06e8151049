import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { diagnose } from "../../src/doctor/index.js";
import { checkIssuer, fromTokenFile, fromWebIdentity, fromWebToken } from "../../src/index.js";
import { instrument } from "../../src/opentelemetry/index.js";
import { serveCredentials } from "../../src/serve/index.js";
import { fileStore, redisStore } from "../../src/stores/index.js";
import { startLocalIdp, startLocalSts } from "../../src/testing/index.js";
import { githubActions, gitlab, kubernetesTokenRequest } from "../../src/token-sources/index.js";

type Options = Readonly<Record<string, unknown>>;

const ROLE = { roleArn: "arn:aws:iam::123456789012:role/app" };
const inFactory = (group: string) => (wrong: Options) => fromTokenFile({ [group]: wrong });
const issuer = "https://issuer.invalid";
const redis = { client: { eval: async () => null }, keys: [], namespace: "n" };
const withKey = (entry: Options) => redisStore({ ...redis, keys: [entry] } as never);

/** Every object of options: its names, and a call that gets one more member. */
const CALLS: readonly [string, readonly string[], (wrong: Options) => unknown][] = [
  [
    "fromTokenFile",
    [
      ...["webIdentityTokenFile", "roleArn", "roleSessionName", "durationSeconds", "policyArns"],
      ...["clientConfig", "retry", "attemptTimeoutMs", "failoverRegions", "hedgeAfterMs"],
      ...["preflight", "refresh", "serveExpired", "retryAccessDenied", "validateToken", "onEvent"],
    ],
    fromTokenFile,
  ],
  [
    "fromWebToken",
    ["webIdentityToken"],
    (wrong) => fromWebToken({ webIdentityToken: "t", ...ROLE, ...wrong }),
  ],
  [
    "fromWebIdentity",
    ["attemptTimeoutMs"],
    (wrong) => fromWebIdentity({ token: async () => "t", ...ROLE, ...wrong }),
  ],
  ["retry", ["maxAttempts", "baseDelayMs", "maxDelayMs", "budgetMs"], inFactory("retry")],
  [
    "refresh",
    ["advisoryWindowSeconds", "mandatoryWindowSeconds", "aheadOfTime"],
    inFactory("refresh"),
  ],
  [
    "preflight",
    ["audiences", "timeoutMs", "allowedIssuers", "allowPrivateIssuers"],
    inFactory("preflight"),
  ],
  [
    "checkIssuer",
    ["timeoutMs", "allowedIssuers", "allowPrivateIssuers", "fresh"],
    (wrong) => checkIssuer({ issuer }, wrong),
  ],
  ["the input of checkIssuer", ["issuer"], (wrong) => checkIssuer({ issuer, ...wrong })],
  [
    "diagnose",
    [
      "tokenFile",
      "tokenSource",
      "roleArn",
      "failoverRegions",
      "issuer",
      "endpointUrl",
      "assume",
      "redact",
    ],
    (wrong) => diagnose({ issuer, ...wrong }),
  ],
  ["fileStore", ["directory"], fileStore],
  ["redisStore", ["client", "namespace"], (wrong) => redisStore({ ...redis, ...wrong } as never)],
  ["githubActions", ["audience", "timeoutMs"], githubActions],
  ["gitlab", ["variable", "timeoutMs"], gitlab],
  ["kubernetesTokenRequest", ["audience", "timeoutMs"], kubernetesTokenRequest],
  [
    "serveCredentials",
    ["listen", "tokenDirectory"],
    (wrong) => serveCredentials({ roles: {}, ...wrong }),
  ],
  ["instrument", ["meterProvider", "tracerProvider"], instrument],
  ["startLocalIdp", ["algorithm", "headers"], startLocalIdp],
  ["startLocalSts", ["providers", "idpTimeoutMs", "credentialLifetimeSeconds"], startLocalSts],
];

/** A name with one letter doubled, left out, or in the other case. */
function misspelled(name: string, at: number, how: number): string {
  const index = at % name.length;
  const letter = name.charAt(index);
  const other = letter === letter.toUpperCase() ? letter.toLowerCase() : letter.toUpperCase();
  const instead = ["", letter + letter, other][how % 3] ?? "";
  return name.slice(0, index) + instead + name.slice(index + 1);
}

async function errorOf(call: () => unknown): Promise<unknown> {
  try {
    const value = await call();
    (value as { close?: () => void } | undefined)?.close?.();
    return value;
  } catch (error) {
    return error;
  }
}

describe("a misspelled name", () => {
  test.each(CALLS)(
    "of %s is a TypeError with the name that was probably meant",
    async (_, names, call) => {
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(...names),
          fc.nat(30),
          fc.nat(2),
          async (name, at, how) => {
            const wrong = misspelled(name, at, how);
            fc.pre(!names.includes(wrong));
            const error = await errorOf(() => call({ [wrong]: 1 }));
            expect(error).toBeInstanceOf(TypeError);
            expect(String(error)).toMatch(
              new RegExp(`Unknown option .*${wrong}\`.*did you mean .*${name}`),
            );
          },
        ),
        { numRuns: 30 },
      );
    },
  );

  test("of a key of a store is refused without the key", () => {
    const secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I";
    const error = () => withKey({ id: "a", key: secret, keyy: secret });
    expect(error).toThrow("Unknown option `keys[0].keyy`; did you mean `key`?");
  });
});

describe("a name that is not an option", () => {
  test.each([
    ["retries", {}, "`retries`; did you mean `retry`?"],
    ["budgetMs", 100, "`budgetMs`; did you mean `retry.budgetMs`?"],
    ["aheadOfTime", true, "`aheadOfTime`; did you mean `refresh.aheadOfTime`?"],
    ["maxRetries", 3, "`maxRetries`; did you mean `retry.maxAttempts`?"],
    ["timeoutMs", 3, "`timeoutMs`; did you mean `attemptTimeoutMs`?"],
    ["color", 3, "`color`; known are webIdentityTokenFile, roleArn, "],
  ])("%s is a TypeError that helps", (name, value, words) => {
    expect(() => fromTokenFile({ [name]: value })).toThrow(words);
  });

  test("is ignored without a value", () => {
    expect(() => fromTokenFile({ color: undefined } as object)).not.toThrow();
  });

  test("shows no token, and no more than 60 characters", () => {
    const token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl";
    for (const name of [token, "x".repeat(5_000)]) {
      const error = () => fromTokenFile({ [name]: 1 });
      expect(error).toThrow(/^Unknown option `.{1,61}`; known are /);
      expect(error).not.toThrow("eyJzdWIi");
    }
  });
});
