import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  fromTokenFile,
  fromWebIdentity,
  fromWebToken,
} from "../../src/provider/create-provider.js";
import type { WebIdentityInit } from "../../src/provider/options.js";
import { resolveOptions } from "../../src/provider/validate-options.js";

/** What the types forbid, and a JavaScript user may pass all the same. */
const resolve = (init: unknown) => resolveOptions(init as WebIdentityInit);
const SECRET = "eyJhbGciOiJSUzI1NiJ9.c2VjcmV0.c2VjcmV0";

const NO_NUMBERS = ["5", "", null, Number.NaN, true, {}, [], 5n, Symbol("s"), () => 5, SECRET];
const NO_STRINGS = ["", null, 5, true, {}, [], () => "x"];
const NO_BOOLEANS = ["true", 1, 0, null, {}, SECRET];
const NO_OBJECTS = ["x", 5, true, null, [], SECRET];
const NO_REGIONS = [" eu-west-1", "eu-west-1\n", "eu west 1", '"eu-west-1"', "'eu-west-1'"];
const NO_FUNCTIONS = ["x", 5, null, {}, [], SECRET];

const nested = (group: string, key: string, values: readonly unknown[]) =>
  [`${group}.${key}`, values.map((value) => ({ [group]: { [key]: value } }))] as const;
const flat = (name: string, values: readonly unknown[]) =>
  [name, values.map((value) => ({ [name]: value }))] as const;

const BAD: readonly (readonly [option: string, inits: readonly object[]])[] = [
  nested("retry", "maxAttempts", [...NO_NUMBERS, 0, -1, 1.5, 1_001, Number.POSITIVE_INFINITY]),
  nested("retry", "baseDelayMs", [...NO_NUMBERS, -1, 2 ** 31]),
  nested("retry", "maxDelayMs", [...NO_NUMBERS, -1, 2 ** 31]),
  nested("retry", "budgetMs", [...NO_NUMBERS, 0, -1, 2 ** 31, Number.POSITIVE_INFINITY]),
  ["retry.baseDelayMs", [{ retry: { baseDelayMs: 11, maxDelayMs: 10 } }]],
  ["retry.attempts", [{ retry: { attempts: 3 } }]],
  flat("retry", NO_OBJECTS),
  flat("callerTimeoutMs", [...NO_NUMBERS, 0, -5, 2_147_483_648]),
  flat("attemptTimeoutMs", [...NO_NUMBERS, 0, 99, 300_001, -5, Number.POSITIVE_INFINITY]),
  nested("refresh", "advisoryWindowSeconds", [...NO_NUMBERS, -1, 43_201]),
  nested("refresh", "mandatoryWindowSeconds", [...NO_NUMBERS, -1, 43_201]),
  nested("refresh", "aheadOfTime", NO_BOOLEANS),
  [
    "refresh.mandatoryWindowSeconds",
    [{ refresh: { advisoryWindowSeconds: 60, mandatoryWindowSeconds: 61 } }],
  ],
  [
    "refresh.advisoryWindowSeconds",
    [{ durationSeconds: 900, refresh: { advisoryWindowSeconds: 900 } }],
  ],
  ["refresh.window", [{ refresh: { window: 3 } }]],
  flat("refresh", NO_OBJECTS),
  flat("preflight", [...NO_OBJECTS, "", "on", "Advisory", { mode: "x" }, { mode: null }]),
  nested("preflight", "audiences", ["x", 5, {}, [5], [null]]),
  nested("preflight", "allowedIssuers", ["x", 5, {}, [5]]),
  nested("preflight", "allowPrivateIssuers", NO_BOOLEANS),
  nested("preflight", "timeoutMs", [...NO_NUMBERS, 0, 60_001]),
  ["preflight.timeout", [{ preflight: { timeout: 3 } }]],
  flat("failoverRegions", ["eu-west-1", 5, {}, [5], null]),
  flat("serveExpired", NO_BOOLEANS),
  flat("retryAccessDenied", NO_BOOLEANS),
  flat("validateToken", NO_BOOLEANS),
  flat("region", [...NO_STRINGS, ...NO_REGIONS]),
  nested("clientConfig", "region", NO_REGIONS),
  ["failoverRegions", NO_REGIONS.map((region) => ({ failoverRegions: [region] }))],
  nested("clientConfig", "endpoint", ["sts.local", "sts.local:443", "ftp://sts.local", "", SECRET]),
  flat("roleSessionName", NO_STRINGS),
  flat("policy", NO_STRINGS),
  flat("providerId", NO_STRINGS),
  flat("durationSeconds", [...NO_NUMBERS, 0, -1, -900, 900.5, Number.POSITIVE_INFINITY, 2 ** 60]),
  flat("clientConfig", NO_OBJECTS),
  flat("parentClientConfig", NO_OBJECTS),
  flat("logger", NO_OBJECTS),
  flat("roleAssumerWithWebIdentity", NO_FUNCTIONS),
  flat("onEvent", NO_FUNCTIONS),
  flat("policyArns", ["x", {}, 5, null, SECRET, ["arn:aws:iam::aws:policy/ReadOnlyAccess"]]),
  flat("clientPlugins", ["x", {}, 5, null, SECRET, [null]]),
  flat("signal", [{}, null, "x", new AbortController(), { aborted: false }]),
];

describe("a value that can never work is a TypeError that names the option", () => {
  test.each(BAD)("%s", (option, inits) => {
    expect(inits.length).toBeGreaterThan(0);
    for (const init of inits) {
      expect(() => resolve(init), String(Object.values(init)[0])).toThrow(TypeError);
      expect(() => resolve(init)).toThrow(`\`${option}`);
    }
  });

  test("and never contains a string that could be a token or a secret", () => {
    for (const [, inits] of BAD) {
      for (const init of inits) {
        expect(() => resolve(init)).not.toThrow(SECRET);
      }
    }
    expect(() => resolve({ policyArns: "hunter2" })).not.toThrow("hunter2");
    expect(() => resolve({ preflight: { mode: SECRET } })).toThrow(
      /`preflight\.mode`.*got a string\.$/,
    );
  });
});

test.each([
  [{ retry: { maxAttempts: "5" } }, /`retry\.maxAttempts` .* 1 to 1000, got the string "5"\.$/],
  [{ durationSeconds: "900" }, /`durationSeconds` .* 1 or more, got the string "900"\.$/],
  [{ serveExpired: "true" }, /`serveExpired` to be a boolean, got the string "true"\.$/],
  [{ preflight: "Strict" }, /"advisory", "strict" or "off", or an object, got the string "Strict"/],
  [
    { preflight: false },
    /`preflight` to be "advisory", "strict" or "off", or an object, got false/,
  ],
  [{ region: "https://sts" }, /`region` to be a region name such as eu-west-1/],
  [{ region: "-eu" }, /`region` .* got the string "-eu"\.$/],
  [{ region: "eu west 1" }, /`region` .* such as eu-west-1, .* got the string "eu west 1"\.$/],
  [{ region: "eu-west-1", failoverRegions: ["cn-north-1"] }, /got eu-west-1, cn-north-1\.$/],
])("a short word in place of a number, a mode or a region is shown: %j", (init, message) => {
  expect(() => resolve(init)).toThrow(message);
});

describe("options", () => {
  test("all have a default", () => {
    expect(resolve({})).toEqual({
      retry: { maxAttempts: 25, baseDelayMs: 500, maxDelayMs: 4_000, budgetMs: 60_000 },
      attemptTimeoutMs: 10_000,
      callerTimeoutMs: undefined,
      failoverRegions: [],
      hedgeAfterMs: undefined,
      preflight: { mode: "advisory" },
      refresh: expect.objectContaining({ aheadOfTime: true }),
      serveExpired: false,
      retryAccessDenied: false,
      validateToken: true,
    });
  });

  test("that are undefined count as absent, at any depth", () => {
    const absent = (keys: readonly string[]) =>
      Object.fromEntries(keys.map((key) => [key, undefined]));
    const init = {
      ...absent(["attemptTimeoutMs", "region", "signal", "onEvent", "logger", "policyArns"]),
      ...absent(["serveExpired", "clientConfig", "failoverRegions", "hedgeAfterMs", "policy"]),
      retry: absent(["maxAttempts", "baseDelayMs", "maxDelayMs", "budgetMs"]),
      refresh: absent(["advisoryWindowSeconds", "mandatoryWindowSeconds", "aheadOfTime"]),
      preflight: absent(["mode", "audiences", "timeoutMs"]),
    };
    expect(resolve(init)).toMatchObject({ ...resolve({}), preflight: { mode: "advisory" } });
  });

  test("are accepted at their limits", () => {
    for (const init of [
      { retry: { maxAttempts: 1, baseDelayMs: 0, maxDelayMs: 0, budgetMs: 1 } },
      { retry: { maxAttempts: 1_000, maxDelayMs: 2 ** 31 - 1, budgetMs: 2 ** 31 - 1 } },
      { attemptTimeoutMs: 100 },
      { attemptTimeoutMs: 300_000 },
      { refresh: { advisoryWindowSeconds: 0, mandatoryWindowSeconds: 0 } },
      { refresh: { advisoryWindowSeconds: 43_200, mandatoryWindowSeconds: 43_200 } },
      // Other implementations have other limits, and the endpoint is known only at the first call.
      { durationSeconds: 1 },
      { durationSeconds: 365 * 24 * 3_600 },
      { preflight: "off" },
      { preflight: { mode: "strict", audiences: [] } },
    ]) {
      expect(() => resolve(init)).not.toThrow();
    }
  });

  test("accept a base delay above the default maximum", () => {
    expect(resolve({ retry: { baseDelayMs: 9_000 } }).retry.baseDelayMs).toBe(9_000);
  });

  test("of the SDK's other providers are ignored, as the SDK ignores them", () => {
    const shared = {
      profile: "x",
      filepath: "y",
      mfaCodeProvider: async () => "1",
      ssoRegion: "z",
    };
    expect(() => fromTokenFile({ ...shared } as object)).not.toThrow();
  });
});

describe("a factory", () => {
  const factories: readonly (readonly [string, (init: never) => unknown, object])[] = [
    ["fromTokenFile", fromTokenFile, {}],
    ["fromWebToken", fromWebToken, { webIdentityToken: SECRET, roleArn: "arn" }],
    ["fromWebIdentity", fromWebIdentity, { token: async () => SECRET, roleArn: "arn" }],
  ];
  const values = fc.oneof(
    fc.anything({ maxDepth: 2 }),
    fc.constantFrom<unknown>(SECRET, "", null, "strict", 5, -1, Number.NaN, {}, [], true, () => {}),
  );
  const names = BAD.map(([option]) => option.split(".")[0] as string);
  const keys = fc.constantFrom(
    ...names,
    "token",
    "roleArn",
    "webIdentityToken",
    "webIdentityTokenFile",
  );
  const inits = fc.oneof(values, fc.dictionary(keys, values));

  test.each(factories)(
    "%s returns a provider or throws a TypeError, whatever it is given",
    (_, create, base) => {
      fc.assert(
        fc.property(inits, fc.boolean(), (garbage, isFilled) => {
          const isObject = typeof garbage === "object" && garbage !== null;
          const init = isFilled && isObject ? { ...base, ...garbage } : garbage;
          try {
            const provider = create(init as never) as { memoized?: unknown; close?: () => void };
            expect([typeof provider, provider.memoized]).toEqual(["function", true]);
            provider.close?.();
          } catch (error) {
            expect(error).toBeInstanceOf(TypeError);
            expect(String(error)).not.toContain(SECRET);
          }
        }),
        { numRuns: 500 },
      );
    },
  );

  test.each(factories.slice(1))("%s names a required option that is missing", (_, create, base) => {
    for (const [name] of Object.entries(base)) {
      for (const value of [undefined, null, "", 5]) {
        expect(() => create({ ...base, [name]: value } as never)).toThrow(`\`${name}\``);
      }
    }
  });
});

const roleArn = "arn:aws:iam::123456789012:role/app";

describe("failoverRegions", () => {
  test.each<[string, WebIdentityInit]>([
    ["the region's partition", { region: "eu-west-1", failoverRegions: ["cn-north-1"] }],
    [
      "clientConfig's",
      { clientConfig: { region: "us-gov-west-1" }, failoverRegions: ["us-east-1"] },
    ],
    ["one partition among themselves", { failoverRegions: ["us-iso-east-1", "us-isob-east-1"] }],
  ])("are a TypeError unless they are of %s", (_, init) => {
    expect(() => resolveOptions(init)).toThrow(TypeError);
    expect(() => resolveOptions(init)).toThrow(/`failoverRegions` to be of one AWS partition/);
  });

  test("must be of the same partition as clientConfig.region, whatever the region option says", () => {
    const clientConfig = { region: "us-gov-west-1" };
    const init = { region: "us-east-1", clientConfig, failoverRegions: ["us-gov-east-1"] };
    expect(resolveOptions(init).failoverRegions).toEqual(["us-gov-east-1"]);
  });

  test("may come with a region that is known only at the first call", () => {
    const clientConfig = { region: async () => "cn-north-1" };
    expect(() =>
      resolveOptions({ clientConfig, failoverRegions: ["cn-northwest-1"] }),
    ).not.toThrow();
    expect(() => resolveOptions({ failoverRegions: ["cn-northwest-1"] })).not.toThrow();
  });

  test("are a TypeError with a role assumer, which may call any service", () => {
    const init = {
      roleAssumerWithWebIdentity: async () => ({ accessKeyId: "a", secretAccessKey: "b" }),
      failoverRegions: ["eu-central-1"],
    };
    expect(() => resolveOptions(init)).toThrow(/`failoverRegions` .*`roleAssumerWithWebIdentity`/);
  });

  test("are a TypeError with an endpoint, which is the same in every region", () => {
    const init = {
      clientConfig: { endpoint: "http://127.0.0.1:1" },
      failoverRegions: ["eu-west-1"],
    };
    expect(() => resolveOptions(init)).toThrow(/`failoverRegions` .*`clientConfig.endpoint`/);
    expect(() => resolveOptions({ ...init, failoverRegions: [] })).not.toThrow();
  });

  test("are refused when the provider is created, and not at the first call", () => {
    const init = { roleArn, token: async () => "", region: "eu-west-1" };
    expect(() => fromWebIdentity({ ...init, failoverRegions: ["cn-north-1"] })).toThrow(TypeError);
  });
});

describe("hedgeAfterMs", () => {
  test("is a TypeError when the first call has timed out by then", () => {
    const failoverRegions = ["eu-central-1"];
    for (const init of [{ hedgeAfterMs: 10_000 }, { hedgeAfterMs: 500, attemptTimeoutMs: 500 }]) {
      expect(() => resolveOptions({ ...init, failoverRegions })).toThrow(
        /`hedgeAfterMs` to be less than `attemptTimeoutMs`, got \d+/,
      );
    }
    const init = { hedgeAfterMs: 10_000, attemptTimeoutMs: 20_000, failoverRegions };
    expect(resolveOptions(init).hedgeAfterMs).toBe(10_000);
  });

  test("is a TypeError without another region", () => {
    for (const failoverRegions of [undefined, []]) {
      const init = { hedgeAfterMs: 200, failoverRegions };
      expect(() => resolveOptions(init)).toThrow(
        /`failoverRegions` to be set together with `hedgeAfterMs`/,
      );
    }
  });

  test.each([9, 60_001, Number.NaN, -1, "200"])("is a TypeError when it is %s", (hedgeAfterMs) => {
    const init = { hedgeAfterMs: hedgeAfterMs as number, failoverRegions: ["eu-west-1"] };
    expect(() => resolveOptions(init)).toThrow(/`hedgeAfterMs` to be a number from 10 to 60000/);
  });

  test.each([10, 60_000])("is accepted: %s", (hedgeAfterMs) => {
    const init = { hedgeAfterMs, attemptTimeoutMs: 60_001, failoverRegions: ["eu-west-1"] };
    expect(resolveOptions(init)).toMatchObject(init);
  });
});
