import { expect, test } from "vitest";
import { diagnose } from "../../src/doctor/diagnose.js";
import type { DiagnoseOptions } from "../../src/doctor/options.js";

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
