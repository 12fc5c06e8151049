import { STSClient } from "@aws-sdk/client-sts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkRequest } from "../../src/sts/check-request.js";
import { resolveEndpoint } from "../../src/sts/sts-client.js";
import { resolveTargets } from "../../src/sts/target.js";
import { makeSettings } from "../support/make-target.js";

const KNOWN = [
  ...["us-east-1", "eu-west-1", "ap-southeast-7", "cn-north-1", "us-gov-west-1", "us-iso-east-1"],
  ...["us-isob-east-1", "eu-isoe-west-1", "eusc-de-east-1", "aws-global", "aws-cn-global"],
  ...["aws-us-gov-global", "aws-fips", "fips-aws-global", "fips-dkr-us-east-1"],
];
const label = fc.stringMatching(/^[a-zA-Z0-9]([a-zA-Z0-9-]{0,28}[a-zA-Z0-9])?$/);
const plain = fc.oneof(fc.constantFrom(...KNOWN), label);
const region = fc.oneof(
  plain,
  plain.map((name) => `fips-${name}`),
  plain.map((name) => `${name}-fips`),
);

/** The host that a client of the SDK asks, or `undefined` where it refuses to. */
const hostOf = async (config: ConstructorParameters<typeof STSClient>[0]) => {
  const client = new STSClient({ ...config, maxAttempts: 1 });
  return await resolveEndpoint(client).then(
    ({ url }) => url.host,
    () => undefined,
  );
};

const request = (partition: string) => ({
  RoleArn: `arn:${partition}:iam::123456789012:role/app`,
  RoleSessionName: "session",
});

describe("a region name that the SDK's own STS client accepts", () => {
  test("leads to the same host, as the region and as a failover region", async () => {
    await fc.assert(
      fc.asyncProperty(region, fc.boolean(), async (name, useDualstackEndpoint) => {
        const stock = await hostOf({ region: name, useDualstackEndpoint });
        const settings = { region: name, clientConfig: { useDualstackEndpoint } };
        const [first] = await resolveTargets(makeSettings(settings), undefined, {});
        expect(await hostOf(first.config)).toBe(stock);
        const failover = { region: "ap-south-9", failoverRegions: [name] };
        const all = await resolveTargets(makeSettings({ ...settings, ...failover }), undefined, {});
        expect(await hostOf(all[1]?.config ?? first.config)).toBe(stock);
      }),
      {
        numRuns: 200,
        examples: [
          ["US-EAST-1", false],
          ["fips-us-gov-west-1", true],
        ],
      },
    );
  });

  test.each([
    ["fips-us-gov-west-1", "aws-us-gov"],
    ["us-gov-west-1-fips", "aws-us-gov"],
    ["fips-us-east-1", "aws"],
    ["aws-global", "aws"],
    ["fips-aws-global", "aws"],
    ["aws-cn-global", "aws-cn"],
    ["mars-north-1", "aws-cn"],
    ["mars", "aws-new"],
    ["CN-NORTH-1", "aws-cn"],
  ])("such as %s accepts a role of %s", async (name, partition) => {
    const [target] = await resolveTargets(makeSettings({ region: name }), undefined, {});
    expect(await checkRequest(request(partition), target)).toEqual([]);
  });

  test.each([
    ["fips-us-gov-west-1", "aws"],
    ["aws-global", "aws-cn"],
    ["fips-us-east-1", "aws-us-gov"],
    ["eu-west-99", "aws-cn"],
  ])("such as %s does not accept a role of %s", async (name, partition) => {
    const [target] = await resolveTargets(makeSettings({ region: name }), undefined, {});
    expect(await checkRequest(request(partition), target)).toMatchObject([
      { id: "role-partition-mismatch" },
    ]);
  });

  test.each(["AWS_REGION", "AWS_DEFAULT_REGION"])(
    "may come from %s, or from the calling client",
    async (variable) => {
      const env = { [variable]: "fips-us-gov-west-1" };
      const expected = { region: "us-gov-west-1", config: { useFipsEndpoint: true } };
      const [byEnvironment] = await resolveTargets(makeSettings(), undefined, env);
      expect(byEnvironment).toMatchObject(expected);
      const caller = { region: async () => "us-gov-west-1-fips" };
      const [byCaller] = await resolveTargets(makeSettings(), caller, {});
      expect(byCaller).toMatchObject(expected);
    },
  );
});

describe("regions to fail over to", () => {
  test("stay FIPS if the first region has a FIPS name", async () => {
    const settings = makeSettings({ region: "fips-us-east-1", failoverRegions: ["us-west-2"] });
    const targets = await resolveTargets(settings, undefined, {});
    expect(await Promise.all(targets.map(({ config }) => hostOf(config)))).toEqual([
      "sts-fips.us-east-1.amazonaws.com",
      "sts-fips.us-west-2.amazonaws.com",
    ]);
  });

  test("leave out the first region under another name", async () => {
    const settings = makeSettings({
      region: "us-east-1-fips",
      failoverRegions: ["fips-us-east-1", "us-east-1", "us-west-2-fips"],
    });
    const targets = await resolveTargets(settings, undefined, {});
    expect(targets.map(({ region: name }) => name)).toEqual(["us-east-1", "us-west-2"]);
  });
});
