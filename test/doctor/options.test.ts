import { describe, expect, test } from "vitest";
import { diagnose } from "../../src/doctor/diagnose.js";
import type { DiagnoseOptions } from "../../src/doctor/options.js";
import { healthy, REGION, ROLE_ARN, Site } from "../support/matrix-world.js";

test.each<[string, unknown]>([
  ["roleArn", { roleArn: 1 }],
  ["tokenFile", { tokenFile: "" }],
  ["assume", { assume: "no" }],
  ["region", { region: "eu west" }],
  ["region", { region: "EU-WEST-1" }],
  ["failoverRegions", { failoverRegions: "eu-west-1" }],
  ["failoverRegions", { failoverRegions: ["EU-WEST-1"] }],
  ["endpointUrl", { endpointUrl: "localhost:4566" }],
  ["timeoutMs", { timeoutMs: 10 }],
  ["timeoutMs", { timeoutMs: "5000" }],
  ["onProgress", { onProgress: true }],
  ["signal", { signal: {} }],
  ["issuer", { issuer: "https://issuer.invalid", token: "t" }],
  ["options", null],
])("an invalid option is a TypeError that names it: %s", async (name, options) => {
  const running = diagnose(options as DiagnoseOptions);
  await expect(running).rejects.toThrow(TypeError);
  await expect(running).rejects.toThrow(name);
});

describe("a wrong setting", () => {
  test("is the cause if it is an endpoint without a scheme, which the SDK would read as another host", async () => {
    const env = { AWS_ENDPOINT_URL_STS: "localhost:4566", AWS_REGION: REGION };
    await using site = new Site();
    const { idp } = await healthy(site);
    const token = await idp.issueToken();
    const settings = { token, roleArn: ROLE_ARN, allowPrivateIssuers: true, env };
    const { verdict, rootCause, facts } = await diagnose(settings);
    expect(rootCause?.detail).toContain('"localhost:4566" is not an http or https URL.');
    expect(verdict).toBe("broken");
    expect(facts.sts).toEqual([]);
  });

  test("is reported in one sentence if it is an invalid region name", async () => {
    const env = { AWS_REGION: "eu west" };
    const { findings } = await diagnose({ roleArn: ROLE_ARN, env });
    const detail = findings.find(({ id }) => id === "sts-request-invalid")?.detail;
    expect(detail).toMatch(/eu west.*[^.]\.$/);
  });

  test("is never shown if it is a token in place of the path of its file", async () => {
    await using site = new Site();
    const { idp, sts } = await healthy(site);
    const token = await idp.issueToken();
    const env = { AWS_WEB_IDENTITY_TOKEN_FILE: token, AWS_ENDPOINT_URL_STS: sts.url };
    const diagnosis = await diagnose({ roleArn: ROLE_ARN, region: REGION, env });
    expect(diagnosis.rootCause?.title).toContain("The path of the token file is a token");
    expect(JSON.stringify(diagnosis)).not.toContain(token.split(".")[1]);
  });
});

test("a failover region of another partition is a TypeError, even if the environment sets the region", async () => {
  const options = { failoverRegions: ["cn-north-1"], assume: false };
  const running = diagnose({ ...options, env: { AWS_REGION: REGION } });
  await expect(running).rejects.toThrow(/`failoverRegions` to be of one AWS partition/);
});
