import { STSClient, type STSClientConfig } from "@aws-sdk/client-sts";
import { expect, it } from "vitest";
import { resolveEndpoint } from "../../src/sts/endpoint-url.js";

it.each<[string, STSClientConfig, string, boolean]>([
  ["a region", { region: "eu-west-1" }, "https://sts.eu-west-1.amazonaws.com/", false],
  [
    "another partition",
    { region: "cn-north-1" },
    "https://sts.cn-north-1.amazonaws.com.cn/",
    false,
  ],
  [
    "FIPS",
    { region: "us-east-1", useFipsEndpoint: true },
    "https://sts-fips.us-east-1.amazonaws.com/",
    false,
  ],
  [
    "dual stack",
    { region: "eu-west-1", useDualstackEndpoint: true },
    "https://sts.eu-west-1.api.aws/",
    false,
  ],
  [
    "the global endpoint",
    { region: "eu-west-1", useGlobalEndpoint: true },
    "https://sts.amazonaws.com/",
    true,
  ],
  [
    "a region without the global endpoint",
    { region: "eu-south-1", useGlobalEndpoint: true },
    "https://sts.eu-south-1.amazonaws.com/",
    false,
  ],
  [
    "an endpoint of one's own",
    { region: "eu-west-1", endpoint: "http://127.0.0.1:4566/sts" },
    "http://127.0.0.1:4566/sts",
    false,
  ],
  [
    "the global endpoint in so many words",
    { region: "eu-west-1", endpoint: "https://sts.amazonaws.com" },
    "https://sts.amazonaws.com/",
    true,
  ],
])("asks the SDK where the calls go: %s", async (_, config, url, isGlobal) => {
  const client = new STSClient(config);
  const resolved = await resolveEndpoint(client);
  expect({ url: resolved.url.href, isGlobal: resolved.isGlobal }).toEqual({ url, isGlobal });
  client.destroy();
});

it("names the regional host beside the global one", async () => {
  const client = new STSClient({ region: "eu-west-1", useGlobalEndpoint: true });
  expect((await resolveEndpoint(client)).regionalHost).toBe("sts.eu-west-1.amazonaws.com");
});
