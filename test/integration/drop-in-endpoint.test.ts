import { HeadBucketCommand, S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";
import { fromWebToken as stockFromWebToken } from "@aws-sdk/credential-provider-web-identity";
import type { Logger } from "@smithy/types";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type FromWebTokenInit, fromWebToken } from "../../src/index.js";
import { type LocalIdp, startLocalIdp } from "../../src/testing/index.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { ROLE_ARN } from "../support/world.js";
import { RecordingHandler } from "./recording-handler.js";

let idp: LocalIdp;
let token: string;
beforeAll(async () => {
  idp = await startLocalIdp({ algorithm: "ES256" });
  token = await idp.issueToken();
});
afterAll(() => idp.close());

type Settings = Partial<FromWebTokenInit>;
type Variables = Readonly<Record<string, string>>;

const ours = (settings: Settings = {}) =>
  fromWebToken({ webIdentityToken: token, roleArn: ROLE_ARN, preflight: "off", ...settings });

/** The host that a provider of ours asks when a caller with this config needs credentials. */
async function hostOf(settings: Settings, caller: object, variables: Variables): Promise<string> {
  const handler = new RecordingHandler();
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  await ours(settings)({ callerClientConfig: { requestHandler: handler, ...caller } });
  // The call is never signed: the credentials for that are what it is made to get.
  for (const { headers } of handler.requests) expect(headers).not.toHaveProperty("authorization");
  return handler.hosts.join();
}

const LEGACY = { AWS_STS_REGIONAL_ENDPOINTS: "legacy" };

describe("the endpoint", () => {
  test.each<[string, string, Settings, object, Variables]>([
    ["us-east-1, without any setting", "sts.us-east-1.amazonaws.com", {}, {}, {}],
    [
      "AWS_DEFAULT_REGION",
      "sts.eu-north-1.amazonaws.com",
      {},
      {},
      { AWS_DEFAULT_REGION: "eu-north-1" },
    ],
    [
      "AWS_REGION before AWS_DEFAULT_REGION",
      "sts.eu-west-2.amazonaws.com",
      {},
      {},
      { AWS_REGION: "eu-west-2", AWS_DEFAULT_REGION: "eu-north-1" },
    ],
    [
      "the caller's region before the environment's",
      "sts.ap-south-1.amazonaws.com",
      {},
      { region: async () => "ap-south-1" },
      { AWS_REGION: "eu-west-2" },
    ],
    [
      "parentClientConfig.region before the caller's",
      "sts.ca-central-1.amazonaws.com",
      { parentClientConfig: { region: "ca-central-1" } },
      { region: "ap-south-1" },
      {},
    ],
    [
      "the region option before parentClientConfig.region",
      "sts.sa-east-1.amazonaws.com",
      { region: "sa-east-1", parentClientConfig: { region: "ca-central-1" } },
      {},
      {},
    ],
    [
      "clientConfig.region before everything",
      "sts.us-west-2.amazonaws.com",
      { clientConfig: { region: "us-west-2" }, region: "sa-east-1" },
      { region: "ap-south-1" },
      { AWS_REGION: "eu-west-2" },
    ],
    [
      "the caller's FIPS",
      "sts-fips.us-west-2.amazonaws.com",
      {},
      { region: "us-west-2", useFipsEndpoint: async () => true },
      {},
    ],
    [
      "the caller's dual-stack",
      "sts.us-west-2.api.aws",
      {},
      { region: "us-west-2", useDualstackEndpoint: true },
      {},
    ],
    [
      "both",
      "sts-fips.us-west-2.api.aws",
      {},
      { region: "us-west-2", useDualstackEndpoint: true, useFipsEndpoint: true },
      {},
    ],
    [
      "no FIPS when clientConfig says so",
      "sts.us-west-2.amazonaws.com",
      { clientConfig: { useFipsEndpoint: false } },
      { region: "us-west-2", useFipsEndpoint: true },
      {},
    ],
    [
      "FIPS by the environment",
      "sts-fips.us-east-1.amazonaws.com",
      {},
      {},
      { AWS_USE_FIPS_ENDPOINT: "true" },
    ],
    ["the global one for legacy", "sts.amazonaws.com", { region: "eu-west-1" }, {}, LEGACY],
    [
      "the regional one for legacy in a region that the global one never served",
      "sts.eu-south-1.amazonaws.com",
      { region: "eu-south-1" },
      {},
      LEGACY,
    ],
    [
      "the regional one for regional",
      "sts.eu-west-1.amazonaws.com",
      { region: "eu-west-1" },
      {},
      { AWS_STS_REGIONAL_ENDPOINTS: "regional" },
    ],
    [
      "that of AWS_ENDPOINT_URL_STS",
      "sts.internal.example",
      { region: "eu-west-1" },
      {},
      { AWS_ENDPOINT_URL_STS: "https://sts.internal.example" },
    ],
    [
      "of the region's own partition",
      "sts.cn-north-1.amazonaws.com.cn",
      { region: "cn-north-1", roleArn: "arn:aws-cn:iam::123456789012:role/app" },
      {},
      {},
    ],
  ])("is %s", async (_, host, settings, caller, variables) => {
    expect(await hostOf(settings, caller, variables)).toBe(host);
  });

  test.each<[string, string, string]>([
    ["region", "sts.eu-central-1.amazonaws.com", "region = eu-central-1"],
    ["sts_regional_endpoints", "sts.amazonaws.com", "sts_regional_endpoints = legacy"],
  ])("follows the profile's %s", async (_, host, line) => {
    using folder = temporaryFolder();
    vi.stubEnv("AWS_CONFIG_FILE", folder.write("config", `[profile work]\n${line}\n`));
    expect(await hostOf({ clientConfig: { profile: "work" } }, {}, {})).toBe(host);
    expect(await hostOf({}, {}, { AWS_PROFILE: "work" })).toBe(host);
  });

  test("is reported in an event when the provider had to guess it", async () => {
    const types: string[] = [];
    const onEvent = ({ type }: { type: string }) => types.push(type);
    await hostOf({ onEvent }, {}, {});
    await hostOf({ onEvent, region: "us-east-1" }, {}, {});
    expect(types.filter((type) => type === "region.defaulted")).toHaveLength(1);
  });
});

describe("a client that the credentials are for", () => {
  const askFrom = async (config: S3ClientConfig, settings?: Settings) => {
    const client = new S3Client({ ...config, credentials: ours(settings) });
    await client.send(new HeadBucketCommand({ Bucket: "bucket" }));
  };

  test("lends its region, FIPS, request handler and application id", async () => {
    const requestHandler = new RecordingHandler();
    await askFrom({
      region: "us-west-2",
      useFipsEndpoint: true,
      userAgentAppId: "shop",
      requestHandler,
    });
    expect(requestHandler.hosts).toEqual([
      "sts-fips.us-west-2.amazonaws.com",
      "bucket.s3-fips.us-west-2.amazonaws.com",
    ]);
    expect(requestHandler.requests[0]?.headers["user-agent"]).toContain("app/shop");
    expect(requestHandler.requests[1]?.headers.authorization).toContain("ASIAEXAMPLE");
    expect(requestHandler.requests[1]?.headers["x-amz-security-token"]).toBe("session");
  });

  test("lends its logger to the STS client", async () => {
    const logger = {
      debug: vi.fn(),
      info: vi.fn(),
      warn: vi.fn(),
      error: vi.fn(),
    } satisfies Logger;
    await askFrom({ region: "us-west-2", logger, requestHandler: new RecordingHandler() });
    const commands = logger.info.mock.calls.map(
      ([line]) => (line as { commandName?: string }).commandName,
    );
    expect(commands).toContain("AssumeRoleWithWebIdentityCommand");
  });

  test("does not lend what clientConfig sets itself", async () => {
    const [callers, own] = [new RecordingHandler(), new RecordingHandler()];
    const clientConfig = { requestHandler: own, userAgentAppId: "own", region: "eu-west-3" };
    await askFrom({ region: "us-west-2", requestHandler: callers }, { clientConfig });
    expect(own.hosts).toEqual(["sts.eu-west-3.amazonaws.com"]);
    expect(own.requests[0]?.headers["user-agent"]).toContain("app/own");
    expect(callers.hosts).toEqual(["bucket.s3.us-west-2.amazonaws.com"]);
  });

  test("does not lend an HTTP/2 handler, as with the SDK's own provider", async () => {
    const requestHandler = new RecordingHandler({ metadata: { handlerProtocol: "h2" } });
    vi.stubEnv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1");
    const init = { webIdentityToken: token, roleArn: ROLE_ARN, region: "eu-west-1" };
    const properties = { callerClientConfig: { requestHandler, region: async () => "eu-west-1" } };
    await expect(stockFromWebToken(init)(properties as never)).rejects.toThrow();
    await expect(ours({ retry: { maxAttempts: 1 } })(properties)).rejects.toMatchObject({
      code: "ERR_STS_UNAVAILABLE",
      attempts: [{ code: "ECONNREFUSED" }],
    });
    expect(requestHandler.requests).toEqual([]);
  });
});
