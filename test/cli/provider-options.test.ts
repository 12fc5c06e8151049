import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { REDIS_SERVER, startRedisServer } from "../../bench/support/redis-server.js";
import { leaveOut } from "../support/program.js";
import { buildCli } from "./built-cli.js";
import { startCredentialsWorld } from "./credentials-world.js";
import { runCli } from "./run-cli.js";

/** Runs a line of JavaScript in Node as the child, because Node is available wherever these tests run. */
const node = (script: string) => ["--", process.execPath, "-e", script];

describe("a profile", () => {
  /** Writes the profile `work`, which has a web identity and another role than the environment. */
  async function withProfile(world: Awaited<ReturnType<typeof startCredentialsWorld>>) {
    const file = join(world.folder, "config");
    const lines = [
      "[profile work]",
      "role_arn = arn:aws:iam::123456789012:role/of-profile",
      `web_identity_token_file = ${world.tokenFile}`,
      "role_session_name = me",
      "duration_seconds = 1800",
      "region = eu-north-1",
      "[profile keys]",
      "aws_access_key_id = AKIAEXAMPLE",
    ];
    await writeFile(file, `${lines.join("\n")}\n`);
    return { ...world.env, AWS_CONFIG_FILE: file };
  }

  const PRINT_REGION = node("console.log(process.env.AWS_REGION)");

  test("that --profile names overrides the environment", async () => {
    await using world = await startCredentialsWorld();
    const env = await withProfile(world);
    const { stdout } = await runCli(["exec", "--profile", "work", ...PRINT_REGION], { env });
    expect(stdout).toBe("eu-north-1\n");
    const granted = world.sts.requests.at(-1)?.granted;
    expect(granted?.arn).toBe("arn:aws:sts::123456789012:assumed-role/of-profile/me");
    expect(((granted?.expiresAt ?? 0) - Date.now()) / 60_000).toBeCloseTo(30, 0);
  });

  test("that AWS_PROFILE names is used only if the environment names no role and token", async () => {
    await using world = await startCredentialsWorld();
    const { AWS_ROLE_ARN: _, AWS_WEB_IDENTITY_TOKEN_FILE: __, ...env } = await withProfile(world);
    const { stdout } = await runCli(["exec", ...PRINT_REGION], {
      env: { ...env, AWS_PROFILE: "work" },
    });
    expect(stdout).toBe("eu-west-1\n");
    expect(world.sts.requests.at(-1)?.granted?.arn).toContain("/of-profile/me");
    await runCli(["exec", ...node("")], {
      env: { ...(await withProfile(world)), AWS_PROFILE: "work" },
    });
    expect(world.sts.requests.at(-1)?.granted?.arn).toContain("/app/");
  });

  test("without a role is named in the error", async () => {
    await using world = await startCredentialsWorld();
    const { AWS_ROLE_ARN: _, ...env } = await withProfile(world);
    const { exitCode, stderr } = await runCli(["exec", "--profile", "keys", ...node("")], { env });
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/the profile keys has no role_arn; name it with --role-arn/);
  });
});

describe("--store", () => {
  test("with file: lets the second command reuse the credentials of the first", async () => {
    await using world = await startCredentialsWorld();
    const args = ["exec", "--store", `file:${join(world.folder, "store")}`, ...node("")];
    for (const _ of [1, 2]) {
      const { exitCode, stderr } = await runCli(args, world);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    }
    expect(world.calls()).toBe(1);
  });

  if (REDIS_SERVER === undefined) leaveOut("a store in Redis", "redis-server");

  test.runIf(REDIS_SERVER)(
    "with redis:// takes its keys from a private file or the environment",
    async () => {
      await using redis = await startRedisServer();
      await using world = await startCredentialsWorld();
      const file = join(world.folder, "keys");
      const key = `2026-11:${"A".repeat(43)}`;
      await writeFile(file, `${key}\n`, { mode: 0o600 });
      const { url } = redis;
      const byFile = await runCli(
        ["exec", "--store", url, "--store-keys", file, ...node("")],
        world,
      );
      expect({ exitCode: byFile.exitCode, stderr: byFile.stderr }).toEqual({
        exitCode: 0,
        stderr: "",
      });
      const env = { ...world.env, RESILIENT_STS_STORE: url, RESILIENT_STS_STORE_KEYS: key };
      expect((await runCli(["exec", ...node("")], { env })).exitCode).toBe(0);
      expect(world.calls()).toBe(1);
      await chmod(file, 0o644);
      const open = await runCli(["exec", "--store", url, "--store-keys", file, ...node("")], world);
      expect({ exitCode: open.exitCode, stderr: open.stderr }).toEqual({
        exitCode: 2,
        stderr: expect.stringContaining(`run: chmod 600 ${file}`),
      });
    },
  );

  test("with a Redis server that is down changes only the number of STS calls", async () => {
    await using world = await startCredentialsWorld();
    const env = { ...world.env, RESILIENT_STS_STORE_KEYS: `a:${"A".repeat(43)}` };
    const { exitCode } = await runCli(["exec", "--store", "redis://127.0.0.1:1", ...node("")], {
      env,
    });
    expect({ exitCode, calls: world.calls() }).toEqual({ exitCode: 0, calls: 1 });
  });

  test("with redis:// ends with one sentence if the package @redis/client is not installed", async () => {
    await using world = await startCredentialsWorld();
    await using cli = await buildCli({ withPackages: true, without: "@redis/client" });
    const env = { ...world.env, RESILIENT_STS_STORE_KEYS: `a:${"A".repeat(43)}` };
    const { exitCode, stderr } = await cli.run(
      ["exec", "--store", "redis://127.0.0.1:1", ...node("")],
      env,
    );
    expect({ exitCode, stderr }).toEqual({
      exitCode: 2,
      stderr: expect.stringMatching(
        /^resilient-sts: --store redis:\/\/ needs the package @redis\/client, [^\n]*npm install @redis\/client[^\n]*\n$/,
      ),
    });
    expect(world.calls()).toBe(0);
  });

  test.each([
    ["memory", /--store takes file/],
    ["redis://127.0.0.1:1", /needs keys: set RESILIENT_STS_STORE_KEYS/],
    ["redis://user:secret@127.0.0.1:1", /read a password on the command line/],
  ])("is refused with the value %s", async (store, words) => {
    await using world = await startCredentialsWorld();
    const { exitCode, stderr } = await runCli(["exec", "--store", store, ...node("")], world);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(words);
    expect(stderr).not.toContain("secret");
  });
});
