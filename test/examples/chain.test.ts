import { describe, expect, it } from "vitest";
import { ROLE_ARN, startWorld } from "./example-world.js";
import { runExample } from "./run-example.js";

describe("examples/chain", { timeout: 90_000 }, () => {
  it("takes the web identity where one is configured", async () => {
    await using world = await startWorld();
    const { exitCode, stdout } = await runExample("chain.ts", {
      AWS_ENDPOINT_URL_STS: world.sts.url,
      AWS_ROLE_ARN: ROLE_ARN,
      AWS_WEB_IDENTITY_TOKEN_FILE: world.tokenFile,
      AWS_ROLE_SESSION_NAME: "chained",
    });
    expect(stdout).toBe("This is arn:aws:sts::123456789012:assumed-role/app/chained\n");
    expect(exitCode).toBe(0);
  });

  it("moves on to the next provider where none is", async () => {
    await using world = await startWorld();
    await runExample("chain.ts", {
      AWS_ENDPOINT_URL_STS: world.sts.url,
      AWS_ACCESS_KEY_ID: "AKIADEVELOPER",
      AWS_SECRET_ACCESS_KEY: "secret",
    });
    expect(world.sts.requests.map(({ action, accessKeyId }) => [action, accessKeyId])).toEqual([
      ["GetCallerIdentity", "AKIADEVELOPER"],
    ]);
  });

  it("ends with a configured web identity that fails, whatever else there is", async () => {
    await using world = await startWorld();
    world.sts.setFault("access-denied");
    const { exitCode, stderr } = await runExample("chain.ts", {
      AWS_ENDPOINT_URL_STS: world.sts.url,
      AWS_ROLE_ARN: ROLE_ARN,
      AWS_WEB_IDENTITY_TOKEN_FILE: world.tokenFile,
      AWS_ACCESS_KEY_ID: "AKIADEVELOPER",
      AWS_SECRET_ACCESS_KEY: "secret",
    });
    expect(stderr).toMatch(/^ERR_ACCESS_DENIED: /m);
    expect(exitCode).toBe(1);
    expect(world.sts.requests.map(({ action }) => action)).toEqual(["AssumeRoleWithWebIdentity"]);
  });
});
