import { describe, expect, test } from "vitest";
import { rejection } from "../support/world.js";
import { startRegions } from "./region-world.js";

describe("the host of the second region", () => {
  test.each<[string, object, [string, string]]>([
    ["its own", {}, ["sts.us-east-1.amazonaws.com", "sts.us-west-2.amazonaws.com"]],
    [
      "FIPS where the first one's is",
      { useFipsEndpoint: true },
      ["sts-fips.us-east-1.amazonaws.com", "sts-fips.us-west-2.amazonaws.com"],
    ],
    [
      "dual-stack where the first one's is",
      { useDualstackEndpoint: true },
      ["sts.us-east-1.api.aws", "sts.us-west-2.api.aws"],
    ],
    [
      "both",
      { useDualstackEndpoint: true, useFipsEndpoint: true },
      ["sts-fips.us-east-1.api.aws", "sts-fips.us-west-2.api.aws"],
    ],
    [
      "regional even where the first one's is the global one",
      { useGlobalEndpoint: true },
      ["sts.amazonaws.com", "sts.us-west-2.amazonaws.com"],
    ],
  ])("is %s", async (_, clientConfig, hosts) => {
    await using world = await startRegions(["us-east-1", "us-west-2"]);
    world.stss[0]?.setFault("sts-unavailable");
    await world.provide({ clientConfig })();
    expect(world.router.hosts).toEqual(hosts);
  });

  test("is regional with AWS_STS_REGIONAL_ENDPOINTS=legacy too", async () => {
    await using world = await startRegions(["us-east-1", "us-west-2"]);
    world.stss[0]?.setFault("sts-unavailable");
    await world.provide({}, { env: { AWS_STS_REGIONAL_ENDPOINTS: "legacy" } })();
    expect(world.router.hosts).toEqual(["sts.amazonaws.com", "sts.us-west-2.amazonaws.com"]);
  });

  test("uses FIPS when the calling client does", async () => {
    await using world = await startRegions(["us-east-1", "us-west-2"]);
    world.stss[0]?.setFault("sts-unavailable");
    await world.provide()({ callerClientConfig: { useFipsEndpoint: async () => true } });
    expect(world.router.hosts).toEqual([
      "sts-fips.us-east-1.amazonaws.com",
      "sts-fips.us-west-2.amazonaws.com",
    ]);
  });

  test("is a FIPS host when the first region's name is a FIPS name", async () => {
    await using world = await startRegions(["us-gov-west-1", "us-gov-east-1"]);
    world.stss[0]?.setFault("sts-unavailable");
    const provider = world.provide(
      { region: "fips-us-gov-west-1" },
      { roleArn: "arn:aws-us-gov:iam::123456789012:role/app" },
    );
    await provider();
    expect(world.router.hosts).toEqual([
      // There the regional endpoint is the FIPS one.
      "sts.us-gov-west-1.amazonaws.com",
      "sts.us-gov-east-1.amazonaws.com",
    ]);
    expect(provider.status().region).toBe("us-gov-east-1");
  });

  test("is in the same partition outside the commercial one", async () => {
    await using world = await startRegions(["us-gov-west-1", "us-gov-east-1"]);
    world.stss[0]?.setFault("sts-unavailable");
    await world.provide({}, { roleArn: "arn:aws-us-gov:iam::123456789012:role/app" })();
    expect(world.called()).toEqual(["us-gov-west-1", "us-gov-east-1"]);
  });
});

describe("a region of another partition", () => {
  test("is not called, even if only the environment names the first region", async () => {
    await using world = await startRegions(["cn-north-1", "eu-west-1"]);
    world.stss[0]?.setFault("sts-unavailable");
    const env = { AWS_REGION: "cn-north-1" };
    const roleArn = "arn:aws-cn:iam::123456789012:role/app";
    const provider = world.provide({ region: undefined }, { env, roleArn });
    expect(await rejection(provider())).toMatchObject({
      code: "ERR_REQUEST_INVALID",
      message: expect.stringContaining("eu-west-1"),
      findings: [{ id: "role-partition-mismatch", evidence: { region: "eu-west-1" } }],
    });
    expect(world.called()).toEqual([]);
  });
});

describe("a custom endpoint", () => {
  test("in the environment is the only one called, with failoverRegions or without", async () => {
    await using world = await startRegions(["us-east-1", "us-west-2"]);
    const [first] = world.stss;
    const url = first?.url ?? "";
    first?.failNext("sts-unavailable", { times: 2 });
    const provider = world.provide({}, { env: { AWS_ENDPOINT_URL_STS: url } });
    await provider();
    expect(provider.status().regions.map(({ region }) => region)).toEqual(["us-east-1"]);
    expect(world.router.hosts).toEqual(Array(3).fill("127.0.0.1"));
  });
});
