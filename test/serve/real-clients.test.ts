import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { childEnvironment } from "../../src/cli/child-command.js";
import { fromTokenFile } from "../../src/index.js";
import { serveCredentials } from "../../src/serve/serve-credentials.js";
import { ROLE_ARN } from "../cli/credentials-world.js";
import { PROGRAMS } from "../support/bundle-programs.js";
import { findPythonWithBoto3, leaveOut } from "../support/program.js";
import { ROOT } from "../support/sources.js";
import { type ClientWorld, runProgram, startClientWorld } from "./client-world.js";
import {
  ENDPOINT_CLIENTS,
  MINUTES_LEFT,
  PROCESS_CLIENTS,
  type RealClient,
  type RequestCount,
} from "./real-clients.js";

const run = promisify(execFile);
const REGION = "eu-west-1";

/** A server for the role of a world, and how often clients have asked it. */
async function serveRole({ tokenFile, sts }: ClientWorld) {
  const provider = fromTokenFile({
    webIdentityTokenFile: tokenFile,
    roleArn: ROLE_ARN,
    clientConfig: { endpoint: sts.url, region: REGION },
    refresh: { advisoryWindowSeconds: 1_200 },
  });
  let calls = 0;
  const counted = () => {
    calls += 1;
    return provider();
  };
  const server = await serveCredentials({ roles: { app: counted } });
  await provider();
  return {
    env: server.env(),
    // The first call is the server's own, before any client asks.
    requestCount: () => calls - 1,
    async [Symbol.asyncDispose]() {
      await server.close();
      provider.close();
    },
  };
}

/** A profile for the role of a world, and how often clients have run its command. */
async function makeProfile({ folder, tokenFile, sts }: ClientWorld) {
  const [command, config, runs] = ["command", "profiles", "runs"].map((name) => join(folder, name));
  const options = [
    ...["--role-arn", ROLE_ARN, "--token-file", tokenFile, "--region", REGION],
    ...["--endpoint-url", sts.url, "--cache", join(folder, "cache")],
  ];
  const program = `"${process.execPath}" "${join(PROGRAMS, "cli.mjs")}"`;
  await writeFile(
    command ?? "",
    `#!/bin/sh\necho >>"${runs}"\nexec ${program} credential-process ${options.join(" ")}\n`,
  );
  await chmod(command ?? "", 0o700);
  const profile = `[profile dev]\nregion = ${REGION}\ncredential_process = ${command}\n`;
  const keys = "[default]\naws_access_key_id = AKIAINHERITED\naws_secret_access_key = inherited\n";
  await writeFile(config ?? "", `${keys}${profile}`);
  await writeFile(runs ?? "", "");
  return {
    env: {
      AWS_CONFIG_FILE: config ?? "",
      AWS_PROFILE: "dev",
      // It comes first for boto3 and the AWS CLI.
      AWS_DEFAULT_PROFILE: "dev",
      // The AWS SDK for Go v1, which rclone uses, reads the file only with this.
      AWS_SDK_LOAD_CONFIG: "1",
      NO_PROXY: "127.0.0.1",
    },
    requestCount: () => readFileSync(runs ?? "", "utf8").length,
  };
}

function withoutKeys(env: Readonly<Record<string, string>>): Record<string, string> {
  // Keys in the environment win over a profile of AWS_PROFILE with every SDK, as a user expects.
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/_KEY(_ID)?$/.test(name)));
}

function bounds(requestCount: RequestCount): readonly [number, number] {
  return typeof requestCount === "number" ? [requestCount, requestCount] : requestCount;
}

describe.each(MINUTES_LEFT.map((minutes, index) => ({ minutes, index })))(
  "with credentials that are valid for $minutes minutes",
  { timeout: 60_000 },
  ({ minutes, index }) => {
    let world: ClientWorld;
    let role: Awaited<ReturnType<typeof serveRole>>;
    let profile: Awaited<ReturnType<typeof makeProfile>>;
    beforeAll(async () => {
      world = await startClientWorld(minutes);
      [role, profile] = await Promise.all([serveRole(world), makeProfile(world)]);
    });
    afterAll(async () => {
      await role[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
    });

    /** Runs a client, and holds it to what it asks for and to whose requests it makes. */
    async function hold(
      { command = [], requestCounts }: RealClient,
      env: Readonly<Record<string, string>>,
      requestCount: () => number,
    ): Promise<void> {
      const before = { requestCount: requestCount(), signed: world.signed().length };
      await runProgram(command, env);
      const signed = world.signed().slice(before.signed);
      expect(signed).toEqual(Array(5).fill({ isGranted: true }));
      expect(world.proxied).toEqual([]);
      const [least, most] = bounds(requestCounts[index] ?? 0);
      expect(requestCount() - before.requestCount).toBeGreaterThanOrEqual(least);
      expect(requestCount() - before.requestCount).toBeLessThanOrEqual(most);
    }

    describe("the endpoint is called as often as the guide says by", () => {
      for (const client of ENDPOINT_CLIENTS) {
        if (!client.command) leaveOut("requests to the endpoint", client.name);
        else {
          test(client.name, async () => {
            const env = childEnvironment(world.env, {
              ...{ region: REGION, keepsConfig: false, configFile: undefined },
              credentials: role.env,
            });
            await hold(client, env, role.requestCount);
          });
        }
      }
    });

    describe("a credential_process is run as often as the guide says by", () => {
      for (const client of PROCESS_CLIENTS) {
        if (!client.command) leaveOut("runs of credential_process", client.name);
        else {
          test(client.name, async () => {
            const env = { ...withoutKeys(world.env), ...profile.env };
            await hold(client, env, profile.requestCount);
          });
        }
      }
    });

    test("all of them together cost STS one session for each way", () => {
      const sessions = world.sts.requests.filter(({ granted }) => granted !== undefined);
      expect(sessions).toHaveLength(2);
    });
  },
);

describe("the guide", () => {
  test.each([
    ["requests to the endpoint", ENDPOINT_CLIENTS],
    ["runs of a credential_process", PROCESS_CLIENTS],
  ])("has the number of %s for each client", async (_, clients) => {
    const guide = await readFile(join(ROOT, "docs/reach.md"), "utf8");
    const rows = guide.split("\n").map((line) => line.replace(/ +/g, " "));
    const words = (requestCount: RequestCount) =>
      bounds(requestCount).filter((n, at, all) => n !== all[at - 1]);
    for (const { name, requestCounts } of clients) {
      const cells = requestCounts.map((requestCount) => words(requestCount).join(" to "));
      expect(rows).toContain(`| ${[name, ...cells].join(" | ")} |`);
    }
  });
});

const python = findPythonWithBoto3();
if (python === undefined) leaveOut("an error that boto3 shows", "python3 with boto3");
else {
  test("boto3 shows why there are no credentials, and who must change what", async () => {
    const message =
      "STS refused the token. IAM: add sts.amazonaws.com to the provider's audiences.";
    const roles = { app: () => Promise.reject(new Error(message)) };
    await using server = await serveCredentials({ roles });
    const script = "import boto3; boto3.Session().get_credentials().get_frozen_credentials()";
    const env = childEnvironment(process.env, {
      ...{ region: REGION, keepsConfig: false, configFile: undefined },
      credentials: server.env(),
    });
    const failed = run(python, ["-c", script], { env });
    await expect(failed).rejects.toMatchObject({ stderr: expect.stringContaining(message) });
  });
}
