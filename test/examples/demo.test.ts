import { describe, expect, it } from "vitest";
import { ROLE_ARN, startWorld } from "./example-world.js";
import { runExample } from "./run-example.js";

describe("demo", { timeout: 90_000 }, () => {
  it("rides out the storm that ends the stock provider, and tells it line by line", async () => {
    const { exitCode, stdout, stderr } = await runExample("demo/main.ts");
    expect(stderr).toBe("");
    const lines = [
      /^\[ +\d+\.\d s\] issuer +rate-limits: 429/m,
      /^\[.* stock +GetCallerIdentity failed: InvalidIdentityTokenException: Couldn't retrieve verification key/m,
      /^\[.* resilient +attempt 1: InvalidIdentityToken: Couldn't retrieve verification key.*\n +the issuer answers 429; next in /m,
      /^\[.* resilient +pre-flight: ./m,
      /^\[.* issuer +stops listening/m,
      /^\[.* resilient +attempt \d+: the same; the issuer is down; next in /m,
      /^\[.* issuer +listens again/m,
      /^\[.* resilient +credentials at attempt \d+/m,
      /^\[.* resilient +GetCallerIdentity: arn:aws:sts::123456789012:assumed-role\/checkout\/resilient$/m,
      /^ +attempts +1 +\d+$/m,
      /^ +outcome +InvalidIdentityTokenException +GetCallerIdentity answered$/m,
      /AWS_ROLE_ARN=.*\n.*AWS_WEB_IDENTITY_TOKEN_FILE=.*\n.*npm run demo -- --real/,
    ];
    for (const line of lines) expect(stdout).toMatch(line);
    expect(stdout).not.toContain("\u001b");
    expect(exitCode).toBe(0);
  });

  it("--real assumes the role of the environment", async () => {
    await using world = await startWorld();
    world.sts.failNext("throttled");
    const env = {
      AWS_ENDPOINT_URL_STS: world.sts.url,
      AWS_ROLE_ARN: ROLE_ARN,
      AWS_WEB_IDENTITY_TOKEN_FILE: world.tokenFile,
      AWS_ROLE_SESSION_NAME: "real",
    };
    const { exitCode, stdout } = await runExample("demo/main.ts", env, ["--real"]);
    expect(stdout).toMatch(/attempt 1: Throttling: Rate exceeded\n +verdict throttled; next in /);
    expect(stdout).toContain("GetCallerIdentity: arn:aws:sts::123456789012:assumed-role/app/real");
    expect(exitCode).toBe(0);
  });

  it("--real without a role says what is missing and exits with 1", async () => {
    const { exitCode, stdout } = await runExample("demo/main.ts", {}, ["--real"]);
    expect(stdout).toMatch(/ERR_NOT_CONFIGURED: .*AWS_WEB_IDENTITY_TOKEN_FILE/);
    expect(exitCode).toBe(1);
  });
});
