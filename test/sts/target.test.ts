import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test, vi } from "vitest";
import {
  type CallerClientConfig,
  resolveTarget,
  resolveTargets,
  type StsSettings,
} from "../../src/sts/target.js";
import { makeSettings } from "../support/make-target.js";

const folder = mkdtempSync(join(tmpdir(), "sts-target-"));
let files = 0;

/** Points the SDK at a config file of this content. It keeps what it read: every file is a new one. */
function useProfiles(content: string): void {
  files += 1;
  const file = join(folder, `config-${files}`);
  writeFileSync(file, content);
  vi.stubEnv("AWS_CONFIG_FILE", file);
  vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", join(folder, `none-${files}`));
}

beforeEach(() => {
  useProfiles("");
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const target = (
  settings: Partial<StsSettings> = {},
  { caller, env = {} }: { caller?: CallerClientConfig; env?: Record<string, string> } = {},
) => resolveTarget(makeSettings(settings), caller, env);

describe("the region", () => {
  /** Every place that can name one, in the order of precedence. */
  const PLACES = [
    "clientConfig.region",
    "region",
    "parentClientConfig.region",
    "callerClientConfig.region",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "profile",
  ] as const;

  test.each(PLACES.map((place, index) => [place, index] as const))(
    "of %s takes precedence over every later source",
    async (place, index) => {
      const has = (other: (typeof PLACES)[number]) => PLACES.indexOf(other) >= index;
      const named = (other: (typeof PLACES)[number]) => (has(other) ? `from-${other}` : undefined);
      useProfiles(`[default]\nregion = from-profile\n`);
      const variables = Object.fromEntries(
        PLACES.slice(4, 6).flatMap((name) => (has(name) ? [[name, `from-${name}`]] : [])),
      );
      const chosen = await target(
        {
          clientConfig: has("clientConfig.region") ? { region: "from-clientConfig.region" } : {},
          region: named("region"),
          parentClientConfig: { region: named("parentClientConfig.region") },
        },
        { caller: { region: named("callerClientConfig.region") }, env: variables },
      );
      expect(chosen).toMatchObject({ region: `from-${place}`, regionSource: place });
      expect(chosen.config.region).toBe(`from-${place}`);
    },
  );

  test("is us-east-1 if none is configured, and is marked as the default", async () => {
    expect(await target()).toMatchObject({ region: "us-east-1", regionSource: "default" });
  });

  test("may be a function, of the client's config or of the caller's", async () => {
    const region = async () => "eu-north-1";
    expect(await target({ clientConfig: { region } })).toMatchObject({ region: "eu-north-1" });
    expect(await target({}, { caller: { region } })).toMatchObject({ region: "eu-north-1" });
  });

  test.each([1, true, {}, ["eu-west-1"], Symbol("x"), () => "eu-west-1"])(
    "is refused with the name of its option when a function returns %s",
    async (value) => {
      const region = (async () => value) as never;
      for (const option of ["clientConfig", "parentClientConfig"] as const) {
        const error = await target({ [option]: { region } }).catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(TypeError);
        const words = `Expected \`${option}.region\` to be or to return a string, got `;
        expect((error as Error).message.startsWith(words)).toBe(true);
      }
      const env = { AWS_REGION: "eu-west-3" };
      expect(await target({}, { caller: { region }, env })).toMatchObject({ region: "eu-west-3" });
    },
  );

  test("comes from the next source if the calling client has none", async () => {
    const region = async () => Promise.reject(new Error("Region is missing"));
    const env = { AWS_REGION: "eu-west-3" };
    expect(await target({}, { caller: { region }, env })).toMatchObject({ region: "eu-west-3" });
  });

  test("does not come from a variable that is empty or blank", async () => {
    const env = { AWS_REGION: " ", AWS_DEFAULT_REGION: "eu-west-2\n" };
    expect(await target({}, { env })).toMatchObject({ region: "eu-west-2" });
  });

  test("comes from the next source if one is the empty string", async () => {
    const region = { clientConfig: { region: "" }, region: "", parentClientConfig: { region: "" } };
    const env = { AWS_REGION: "eu-west-3" };
    expect(await target(region, { caller: { region: "" }, env })).toMatchObject({
      ...{ region: "eu-west-3", regionSource: "AWS_REGION" },
    });
  });

  test.each(["fips-us-east-1", "us-east-1-fips"])(
    "with the FIPS name %s is the real one, with the FIPS endpoint",
    async (name) => {
      const { region, config } = await target({ region: name });
      expect({ region, config }).toEqual({
        ...{ region: "us-east-1", config: { region: name, useFipsEndpoint: true } },
      });
    },
  );

  test("may contain the letters of FIPS without meaning it", async () => {
    const { region, config } = await target({ region: "eu-fips-1" });
    expect({ region, config }).toEqual({ region: "eu-fips-1", config: { region: "eu-fips-1" } });
  });

  test("is that of the profile that the client or the calling client names", async () => {
    useProfiles("[default]\nregion = eu-west-1\n[profile other]\nregion = eu-central-1\n");
    const byClient = await target({ clientConfig: { profile: "other" } });
    const byCaller = await target({}, { caller: { profile: "other" } });
    expect([byClient.region, byCaller.region]).toEqual(["eu-central-1", "eu-central-1"]);
  });
});

describe("the global endpoint", () => {
  const isGlobal = async (...args: Parameters<typeof target>) =>
    (await target(...args)).config.useGlobalEndpoint;

  test.each([
    ["legacy", true],
    ["LEGACY", true],
    ["regional", undefined],
    ["something", undefined],
    ["", undefined],
  ])("with AWS_STS_REGIONAL_ENDPOINTS=%s has the setting %j", async (mode, expected) => {
    expect(await isGlobal({}, { env: { AWS_STS_REGIONAL_ENDPOINTS: mode } })).toBe(expected);
  });

  test("is used if the profile selects it and the variable does not say otherwise", async () => {
    useProfiles("[default]\nsts_regional_endpoints = legacy\n");
    expect(await isGlobal()).toBe(true);
    expect(await isGlobal({}, { env: { AWS_STS_REGIONAL_ENDPOINTS: "regional" } })).toBeUndefined();
  });

  test("is decided by the client config first", async () => {
    const env = { AWS_STS_REGIONAL_ENDPOINTS: "legacy" };
    expect(await isGlobal({ clientConfig: { useGlobalEndpoint: false } }, { env })).toBeUndefined();
    expect(await isGlobal({ clientConfig: { useGlobalEndpoint: true } })).toBe(true);
  });
});

describe("from the calling client", () => {
  const handler = { handle: async () => ({}) } as unknown as CallerClientConfig["requestHandler"];
  const config = async (...args: Parameters<typeof target>) => (await target(...args)).config;

  test("FIPS, dual-stack, handler, app id and profile are inherited", async () => {
    const caller: CallerClientConfig = {
      useFipsEndpoint: async () => true,
      useDualstackEndpoint: true,
      requestHandler: handler,
      userAgentAppId: "app",
      profile: "p",
    };
    expect(await config({}, { caller })).toEqual({
      ...{ region: "us-east-1", useFipsEndpoint: true, useDualstackEndpoint: true },
      ...{ requestHandler: handler, userAgentAppId: "app", profile: "p" },
    });
  });

  test("an option of the client config or the parent's is not inherited", async () => {
    const caller = { useFipsEndpoint: true, userAgentAppId: "caller" };
    const parentClientConfig = { userAgentAppId: "parent" };
    const clientConfig = { useFipsEndpoint: false };
    expect(await config({ clientConfig, parentClientConfig }, { caller })).toEqual({
      ...{ region: "us-east-1", useFipsEndpoint: false, userAgentAppId: "parent" },
    });
  });

  test("a handler is marked as lent, and one among the provider's options is not", async () => {
    const lent = await target({}, { caller: { requestHandler: handler } });
    const own = await target({ clientConfig: { requestHandler: handler as never } });
    expect([lent.isHandlerLent, own.isHandlerLent]).toEqual([true, false]);
  });

  test("the logger is inherited unless the client config has one", async () => {
    const [own, lent] = [console, { ...console }];
    const caller = { logger: lent };
    expect((await config({}, { caller })).logger).toBe(lent);
    expect((await config({ clientConfig: { logger: own } }, { caller })).logger).toBe(own);
  });

  test("an HTTP/2 handler is not inherited", async () => {
    const h2 = { ...handler, metadata: { handlerProtocol: "h2" } };
    expect(await config({}, { caller: { requestHandler: h2 as never } })).not.toHaveProperty(
      "requestHandler",
    );
  });

  test("neither its endpoint nor its credentials are inherited", async () => {
    const caller = { endpoint: "https://s3.example", credentials: () => {}, region: "eu-west-1" };
    expect(await config({}, { caller })).toEqual({ region: "eu-west-1" });
  });
});

describe("a custom endpoint", () => {
  const endpoint = "http://localhost:9000";
  const isCustom = async (...args: Parameters<typeof target>) =>
    (await target(...args)).customEndpoint;

  test("may come from the config, from either variable and from the profile", async () => {
    expect(await isCustom({ clientConfig: { endpoint } })).toBe(true);
    expect(await isCustom({}, { env: { AWS_ENDPOINT_URL_STS: endpoint } })).toBe(true);
    expect(await isCustom({}, { env: { AWS_ENDPOINT_URL: endpoint } })).toBe(true);
    useProfiles(`[default]\nendpoint_url = ${endpoint}\n`);
    expect(await isCustom()).toBe(true);
  });

  test("is ignored if the environment says so", async () => {
    const env = { AWS_ENDPOINT_URL: endpoint, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "true" };
    expect(await isCustom({}, { env })).toBe(false);
    expect(await isCustom({ clientConfig: { endpoint } }, { env })).toBe(true);
    expect(await isCustom()).toBe(false);
  });

  test("is neither FIPS nor dual-stack nor global, whatever the caller is", async () => {
    const caller = { useFipsEndpoint: true, useDualstackEndpoint: true };
    const env = { AWS_STS_REGIONAL_ENDPOINTS: "legacy" };
    const { config } = await target({ clientConfig: { endpoint } }, { caller, env });
    expect(config).toEqual({ region: "us-east-1", endpoint });
  });

  test("has no regions to fail over to", async () => {
    const settings = makeSettings({ clientConfig: { endpoint }, failoverRegions: ["eu-west-1"] });
    expect(await resolveTargets(settings, undefined, {})).toHaveLength(1);
  });
});

test("failover regions come after the first region, once each, and never use the global endpoint", async () => {
  const failoverRegions = ["eu-central-1", "eu-west-1"];
  const settings = makeSettings({ region: "eu-west-1", failoverRegions });
  const env = { AWS_STS_REGIONAL_ENDPOINTS: "legacy" };
  const targets = await resolveTargets(settings, undefined, env);
  expect(
    targets.map(({ region, config }) => [region, config.region, config.useGlobalEndpoint]),
  ).toEqual([
    ["eu-west-1", "eu-west-1", true],
    ["eu-central-1", "eu-central-1", undefined],
  ]);
  expect(targets.map(({ regionSource }) => regionSource)).toEqual(["region", "failoverRegions"]);
});

test.each([
  ["us-east-1", "fips-us-east-1", 2],
  ["fips-us-east-1", "us-east-1-fips", 1],
  ["us-east-1", "us-east-1", 1],
])("for the region %s, %s makes %i targets as a failover region", async (region, other, count) => {
  const settings = makeSettings({ region, failoverRegions: [other] });
  expect(await resolveTargets(settings, undefined, {})).toHaveLength(count);
});
