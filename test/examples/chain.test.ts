import { describe, expect, test } from "vitest";
import { temporaryFolder } from "../support/temporary-folder.js";
import { ROLE_ARN, startSmallServer, startWorld } from "./example-world.js";
import { runExample } from "./run-example.js";

const PROFILE = `[profile dev]
aws_access_key_id = ASIAMACHINE
aws_secret_access_key = secret
aws_session_token = token
`;

describe("the example chain.ts", { timeout: 90_000 }, () => {
  test("uses the web identity if one is configured", async () => {
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

  test("uses the next provider if no web identity is configured", async () => {
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

  test.each<[string, (url: string, configFile: string) => Record<string, string>]>([
    [
      "a container, as on ECS and with EKS Pod Identity",
      (url) => ({ AWS_CONTAINER_CREDENTIALS_FULL_URI: `${url}/container` }),
    ],
    [
      "an EC2 instance",
      (url) => ({
        AWS_EC2_METADATA_DISABLED: "false",
        AWS_EC2_METADATA_SERVICE_ENDPOINT: url,
      }),
    ],
    ["a profile", (_, configFile) => ({ AWS_CONFIG_FILE: configFile, AWS_PROFILE: "dev" })],
  ])("gets credentials from %s, as the SDK's own chain does", async (_, variables) => {
    await using world = await startWorld();
    using folder = temporaryFolder();
    await using machine = await startSmallServer(({ url, method }, response) => {
      const keys = {
        ...{ Code: "Success", AccessKeyId: "ASIAMACHINE", SecretAccessKey: "secret" },
        ...{ Token: "token", Expiration: "2099-01-01T00:00:00Z" },
      };
      if (method === "PUT") response.end("metadata-token");
      else if (url?.endsWith("/security-credentials/")) response.end("role");
      else response.end(JSON.stringify(keys));
    });
    await runExample("chain.ts", {
      AWS_ENDPOINT_URL_STS: world.sts.url,
      ...variables(machine.url, folder.write("config", PROFILE)),
    });
    expect(world.sts.requests.map(({ action, accessKeyId }) => [action, accessKeyId])).toEqual([
      ["GetCallerIdentity", "ASIAMACHINE"],
    ]);
  });

  test("fails when a configured web identity fails, even if other credentials exist", async () => {
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
