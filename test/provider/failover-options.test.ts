import { describe, expect, test } from "vitest";
import { fromWebIdentity } from "../../src/index.js";
import type { WebIdentityInit } from "../../src/provider/options.js";
import { resolveOptions } from "../../src/provider/validate-options.js";

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

  test("are a TypeError with a role assumer, which may ask any service", () => {
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
        /`failoverRegions` to be given with `hedgeAfterMs`/,
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
