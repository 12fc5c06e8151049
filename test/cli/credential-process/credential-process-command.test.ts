import { execFile } from "node:child_process";
import { chmod, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findProgram, leaveOut } from "../../support/program.js";
import { type BuiltCli, buildCli } from "../built-cli.js";
import { startCredentialsWorld } from "../credentials-world.js";

const run = promisify(execFile);
const PROCESS = ["credential-process"];

let cli: BuiltCli;
beforeAll(async () => {
  cli = await buildCli({ withPackages: true });
});
afterAll(() => cli[Symbol.asyncDispose]());

type World = Awaited<ReturnType<typeof startCredentialsWorld>>;

const get = ({ env }: World, ...args: string[]) => cli.run([...PROCESS, ...args], env);

const storeOf = ({ folder }: World) => join(folder, "resilient-sts");

/** Rewrites the stored credentials as if the session of an hour had this much time left. */
async function age(world: World, leftMinutes: number): Promise<void> {
  const names = await readdir(storeOf(world));
  const name = names.find((one) => one.endsWith(".credentials.json")) ?? "";
  const file = join(storeOf(world), name);
  const record = JSON.parse(await readFile(file, "utf8"));
  const expiresAt = Date.now() + leftMinutes * 60_000;
  const value = { ...record.value, issuedAt: expiresAt - 3_600_000, expiresAt };
  await writeFile(file, JSON.stringify({ ...record, until: expiresAt, value }));
}

describe("the response of credential-process", () => {
  test("is one JSON document, and nothing else is written", async () => {
    await using world = await startCredentialsWorld();
    const { exitCode, stdout, stderr } = await get(world);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout.endsWith("}\n")).toBe(true);
    const [session] = world.sts.requests;
    expect(JSON.parse(stdout)).toEqual({
      Version: 1,
      AccessKeyId: session?.granted?.accessKeyId,
      SecretAccessKey: expect.any(String),
      SessionToken: expect.any(String),
      Expiration: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      AccountId: "123456789012",
    });
  });

  test("is shared by all processes with the same settings, and by no others", async () => {
    await using world = await startCredentialsWorld();
    const first = await get(world);
    expect(await get(world)).toEqual(first);
    expect(world.calls()).toBe(1);
    await get(world, "--duration", "30m");
    expect(world.calls()).toBe(2);
    await get(world, "--cache", "off");
    expect(world.calls()).toBe(3);
    // Another user logged in: the file has the token of another subject.
    await writeFile(world.tokenFile, await world.idp.issueToken({ subject: "another" }));
    await get(world);
    expect(world.calls()).toBe(4);
  });

  test("loads no package if it is stored", async () => {
    await using world = await startCredentialsWorld();
    const first = await get(world);
    // No package can be loaded from there, neither the AWS SDK nor jose.
    await using alone = await buildCli({ withPackages: false });
    expect(await alone.run(PROCESS, world.env)).toEqual(first);
    const { exitCode, stderr } = await alone.run([...PROCESS, "--cache", "off"], world.env);
    expect({ exitCode, stderr }).toEqual({
      exitCode: 1,
      stderr: expect.stringContaining("Cannot find module"),
    });
  });

  test("is not shared through a directory that other users can write", async () => {
    await using world = await startCredentialsWorld();
    await mkdir(storeOf(world), { mode: 0o700 });
    await chmod(storeOf(world), 0o777);
    const { exitCode, stdout, stderr } = await get(world);
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout).Version).toBe(1);
    expect(stderr).toMatch(/^resilient-sts: the cache is not used: .* run: chmod go-rwx/);
    expect(await readdir(storeOf(world))).toEqual([]);
  });

  test("ends the command without a stack trace if its output pipe was closed", async () => {
    await using world = await startCredentialsWorld();
    const line = `"${process.execPath}" "${cli.script}" credential-process 2>&1 >&- | cat`;
    const { stdout } = await run("sh", ["-c", line], {
      env: { PATH: process.env.PATH, ...world.env },
    });
    expect(stdout).not.toMatch(/\bat .*:\d+:\d+/);
  });
});

describe("processes with the same settings", () => {
  test("get the same refusal, in the same words", async () => {
    await using world = await startCredentialsWorld();
    world.sts.setFault("access-denied");
    const first = await get(world);
    expect({ exitCode: first.exitCode, stdout: first.stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(first.stderr).toMatch(/^resilient-sts: ERR_ACCESS_DENIED: .*trust policy/);
    expect(await get(world)).toEqual(first);
    expect(world.calls()).toBe(1);
  });

  test("refresh immediately if the process that was refreshing was killed", async () => {
    await using world = await startCredentialsWorld();
    world.sts.setFault("hang", { times: 1 });
    const killed = execFile(process.execPath, [cli.script, ...PROCESS], {
      env: { PATH: process.env.PATH, ...world.env },
    });
    const ended = new Promise((resolve) => killed.once("close", resolve));
    await expect.poll(world.calls, { timeout: 15_000 }).toBe(1);
    killed.kill("SIGKILL");
    await ended;
    const { exitCode } = await get(world);
    expect({ exitCode, calls: world.calls() }).toEqual({ exitCode: 0, calls: 2 });
  }, 60_000);
});

describe("credentials that expire soon", () => {
  test("are replaced", async () => {
    await using world = await startCredentialsWorld();
    const first = await get(world);
    await age(world, 15);
    const second = await get(world);
    expect(second.exitCode).toBe(0);
    expect(second.stdout).not.toBe(first.stdout);
    expect(await get(world)).toEqual(second);
    expect(world.calls()).toBe(2);
  });

  test("are printed with one line that says why they were not replaced", async () => {
    await using world = await startCredentialsWorld();
    const { AccessKeyId } = JSON.parse((await get(world)).stdout);
    await age(world, 15);
    world.sts.setFault("access-denied");
    const { exitCode, stdout, stderr } = await get(world);
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ AccessKeyId });
    expect(stderr).toMatch(
      /^resilient-sts: these credentials are valid for 1\d min.*ERR_ACCESS_DENIED.*\n$/,
    );
    // For a while, the next process does not call STS.
    const next = await get(world);
    expect({ exitCode: next.exitCode, calls: world.calls() }).toEqual({ exitCode: 0, calls: 2 });
  });

  test("that have expired are not printed", async () => {
    await using world = await startCredentialsWorld();
    await get(world);
    await age(world, -1);
    world.sts.setFault("access-denied");
    const { exitCode, stdout } = await get(world);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
  });

  test("of a session of 15 minutes are not replaced in its first half", async () => {
    await using world = await startCredentialsWorld();
    await get(world, "--duration", "15m");
    await get(world, "--duration", "15m");
    expect(world.calls()).toBe(1);
  });
});

describe("the exit code of credential-process", () => {
  test.each([
    [2, ["--duration", "1m"], {}, /--duration takes a time from/],
    [2, ["--min-ttl", "soon"], {}, /--min-ttl takes a time/],
    [2, [], { AWS_ROLE_ARN: "" }, /there is no role/],
    [3, [], { AWS_WEB_IDENTITY_TOKEN_FILE: "" }, /there is no token/],
    [3, [], { AWS_WEB_IDENTITY_TOKEN_FILE: "/nonexistent/token" }, /\/nonexistent\/token/],
    [4, ["--timeout", "1s"], { AWS_ENDPOINT_URL_STS: "http://127.0.0.1:1" }, /ERR_STS_UNAVAILABLE/],
  ])("is %i for %j %j", async (code, args, changed, words) => {
    await using world = await startCredentialsWorld();
    const { exitCode, stdout, stderr } = await cli.run([...PROCESS, ...args], {
      ...world.env,
      ...(changed as Record<string, string>),
    });
    expect({ exitCode, stdout }).toEqual({ exitCode: code, stdout: "" });
    expect(stderr).toMatch(words);
  });
});

/** A config file with the lines of `--print-config`, and the variables that make an SDK use it. */
async function profileOf(world: World, ...args: string[]) {
  const lines = await cli.run([...PROCESS, "--print-config", ...args], world.env);
  expect({ exitCode: lines.exitCode, stderr: lines.stderr }).toEqual({ exitCode: 0, stderr: "" });
  const file = join(world.folder, "config");
  await writeFile(file, lines.stdout);
  return {
    lines: lines.stdout,
    env: {
      PATH: process.env.PATH,
      AWS_CONFIG_FILE: file,
      AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
      AWS_PROFILE: "app",
      AWS_EC2_METADATA_DISABLED: "true",
      AWS_ENDPOINT_URL_STS: world.env.AWS_ENDPOINT_URL_STS,
      XDG_RUNTIME_DIR: world.folder,
    },
  };
}

describe("credential-process, run by the profile that it uses itself,", () => {
  /** A profile with these lines, whose command counts how often it runs. */
  async function countedProfile({ folder, env }: World, lines: string, args: string) {
    const [config = "", command = "", runs = ""] = ["config", "command", "runs"].map((name) =>
      join(folder, name),
    );
    await writeFile(
      command,
      `#!/bin/sh\necho >>"${runs}"\nexec "${process.execPath}" "${cli.script}" credential-process ${args}\n`,
    );
    await chmod(command, 0o700);
    await writeFile(config, `[profile dev]\ncredential_process = ${command}\n${lines}\n`);
    const { AWS_ROLE_ARN: _, AWS_WEB_IDENTITY_TOKEN_FILE: __, ...others } = env;
    return {
      command,
      env: {
        ...others,
        PATH: `${folder}:${process.env.PATH}`,
        AWS_CONFIG_FILE: config,
        AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
        AWS_PROFILE: "dev",
      },
      runs: async () => (await readFile(runs, "utf8")).length,
    };
  }

  test("gets its role and token file from the profile, in one process", async () => {
    await using world = await startCredentialsWorld();
    const { AWS_ROLE_ARN: role, AWS_WEB_IDENTITY_TOKEN_FILE: file } = world.env;
    const lines = `role_arn = ${role}\nweb_identity_token_file = ${file}`;
    const profile = await countedProfile(world, lines, "--profile dev");
    const { stdout } = await run(profile.command, [], { env: profile.env });
    expect(JSON.parse(stdout).Version).toBe(1);
    expect(await profile.runs()).toBe(1);
  });

  test("ends immediately with an error if the program of its token source uses the profile", async () => {
    await using world = await startCredentialsWorld();
    const args = `--token-source buildkite --role-arn ${world.env.AWS_ROLE_ARN}`;
    const profile = await countedProfile(world, "", args);
    const agent = join(world.folder, "buildkite-agent");
    await writeFile(agent, `#!/bin/sh\nexec "${profile.command}"\n`);
    await chmod(agent, 0o700);
    const env = { ...profile.env, BUILDKITE_JOB_ID: "1", BUILDKITE_AGENT_ACCESS_TOKEN: "secret" };
    await expect(run(profile.command, [], { env })).rejects.toMatchObject({
      code: 3,
      stderr: expect.stringContaining("the profile calls itself, which is not allowed"),
    });
    expect(await profile.runs()).toBe(2);
  });
});

describe("the profile that --print-config prints", () => {
  test("names Node, the program and the token file by absolute paths", async () => {
    await using world = await startCredentialsWorld();
    const { lines } = await profileOf(world, "--duration", "30m");
    const words = [process.execPath, cli.script, "credential-process"];
    const options = ["--duration", "30m", "--role-arn", world.env.AWS_ROLE_ARN];
    expect(lines).toBe(
      [
        "[profile app]",
        "region = eu-west-1",
        `credential_process = ${[...words, ...options, "--token-file", world.tokenFile].join(" ")}`,
        "",
      ].join("\n"),
    );
  });

  test("works for the JavaScript SDK, even with blanks and quotes in a path", async () => {
    await using world = await startCredentialsWorld();
    const odd = join(world.folder, "it's a $HOME `x` token");
    await writeFile(odd, await world.idp.issueToken());
    const { env } = await profileOf(world, "--token-file", odd);
    const script = `
      import { fromProcess } from "@aws-sdk/credential-providers";
      const { accessKeyId } = await fromProcess()();
      console.log(accessKeyId);`;
    const { stdout } = await run(process.execPath, ["--input-type=module", "-e", script], { env });
    expect(stdout).toMatch(/^ASIA\w+\n$/);
    expect(world.calls()).toBe(1);
  });

  const python = findProgram("python3");
  const aws = findProgram("aws");
  if (python === undefined || aws === undefined) {
    leaveOut("the profile for Python and the AWS CLI", "python3 or aws");
    return;
  }

  test("works for the AWS CLI and boto3 in processes of their own, with one STS call", async () => {
    await using world = await startCredentialsWorld();
    const { env } = await profileOf(world);
    const boto = "import boto3; print(boto3.Session().get_credentials().access_key)";
    const ids = [
      (await run(python, ["-c", boto], { env })).stdout.trim(),
      (await run(python, ["-c", boto], { env })).stdout.trim(),
    ];
    expect(ids[0]).toMatch(/^ASIA/);
    expect(ids[1]).toBe(ids[0]);
    const { stdout } = await run(aws, ["configure", "list"], { env });
    expect(stdout).toContain(ids[0]?.slice(-4));
    expect(stdout).toMatch(/custom-process/);
    expect(world.calls()).toBe(1);
  }, 60_000);

  test("shows the user why there are no credentials", async () => {
    await using world = await startCredentialsWorld();
    const { env } = await profileOf(world);
    world.sts.setFault("access-denied");
    const boto = "import boto3; boto3.Session().get_credentials().access_key";
    await expect(run(python, ["-c", boto], { env })).rejects.toMatchObject({
      stderr: expect.stringMatching(/ERR_ACCESS_DENIED.*trust policy/),
    });
  }, 60_000);
});
