import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { startPlatform } from "../../support/platform-server.js";
import { startCredentialsWorld } from "../credentials-world.js";
import { finished, runCli, startCli, waitFor } from "../run-cli.js";

/** Runs a line of JavaScript in Node as the child, because Node is available wherever these tests run. */
const node = (script: string) => ["--", process.execPath, "-e", script];

const PRINT_ENV = node("console.log(JSON.stringify(process.env))");

describe("the child's environment", () => {
  test("has the endpoint, both region variables, and nothing that overrides the endpoint", async () => {
    await using world = await startCredentialsWorld();
    const { stdout, exitCode } = await runCli(["exec", ...PRINT_ENV], {
      env: {
        ...world.env,
        AWS_ACCESS_KEY_ID: "AKIAINHERITED",
        AWS_SECRET_ACCESS_KEY: "inherited",
        AWS_PROFILE: "dev",
        AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: "/inherited",
        HTTP_PROXY: "http://127.0.0.1:1",
        no_proxy: "example.com",
      },
    });
    expect(exitCode).toBe(0);
    const env = JSON.parse(stdout) as Record<string, string>;
    expect(env).toMatchObject({
      AWS_CONTAINER_CREDENTIALS_FULL_URI: expect.stringMatching(
        /^http:\/\/127\.0\.0\.1:\d+\/v1\/roles\/default$/,
      ),
      AWS_CONTAINER_AUTHORIZATION_TOKEN: expect.stringMatching(/^[\w-]{43}$/),
      AWS_REGION: "eu-west-1",
      AWS_DEFAULT_REGION: "eu-west-1",
      AWS_CONFIG_FILE: "/dev/null",
      AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
      AWS_ENDPOINT_URL_STS: world.sts.url,
      no_proxy: "example.com,127.0.0.1,localhost,::1",
    });
    for (const name of Object.keys(env)) {
      expect(name).not.toMatch(
        /^AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|PROFILE|ROLE_ARN|WEB_IDENTITY_TOKEN_FILE|CONTAINER_CREDENTIALS_RELATIVE_URI|SDK_JS_\w+)$/,
      );
    }
    expect(world.calls()).toBe(1);
  });

  test.each([[["app"]], [["app", "audit"]]])(
    "has a profile for each of the roles %j, and the first as the default",
    async (names) => {
      await using world = await startCredentialsWorld();
      const roles = names.map((name) => [
        "--role",
        `${name}=arn:aws:iam::123456789012:role/${name}`,
      ]);
      const script = `
      const { execSync } = require("node:child_process");
      const config = require("node:fs").readFileSync(process.env.AWS_CONFIG_FILE, "utf8");
      for (const [, command] of config.matchAll(/credential_process = (.*)/g)) {
        const { Version, Expiration, AccessKeyId } = JSON.parse(execSync(command));
        console.log(Version, Expiration.endsWith("Z"), AccessKeyId.slice(0, 4));
      }
      console.log(process.env.AWS_CONTAINER_CREDENTIALS_FULL_URI.split("/").at(-1));`;
      const { stdout, stderr } = await runCli(["exec", ...roles.flat(), ...node(script)], {
        env: world.env,
      });
      expect(stderr).toBe("");
      expect(stdout).toBe(`${"1 true ASIA\n".repeat(names.length)}app\n`);
    },
  );
});

describe("--keep-config", () => {
  test.each([
    ["aws_access_key_id", "AKIAEXAMPLE"],
    ["role_arn", "arn:aws:iam::123456789012:role/other"],
    ["credential_process", "/bin/cat credentials"],
    ["sso_session", "work"],
    ["sso_start_url", "https://example.com"],
    ["source_profile", "base"],
    ["credential_source", "Ec2InstanceMetadata"],
    ["login_session", "arn:aws:iam::123456789012:user/me"],
  ])(
    "is refused when the profile has %s, which would override the endpoint",
    async (key, value) => {
      await using world = await startCredentialsWorld();
      const file = join(world.folder, "config");
      await writeFile(file, `[default]\nregion = eu-west-1\n[profile work]\n${key} = ${value}\n`);
      const env = { ...world.env, AWS_CONFIG_FILE: file };
      const args = ["exec", "--keep-config", ...PRINT_ENV];
      const refused = await runCli(args, { env: { ...env, AWS_PROFILE: "work" } });
      expect({ exitCode: refused.exitCode, calls: world.calls() }).toEqual({
        exitCode: 2,
        calls: 0,
      });
      expect(refused.stderr).toContain(`the profile work has ${key}`);
      // The default profile has no credentials, so the command gets the files.
      const { stdout } = await runCli(args, { env });
      expect(JSON.parse(stdout)).toMatchObject({ AWS_CONFIG_FILE: file });
    },
  );

  test("is refused when the credentials file has keys for the default profile", async () => {
    await using world = await startCredentialsWorld();
    const file = join(world.folder, "credentials");
    await writeFile(file, "[default]\naws_access_key_id = AKIAEXAMPLE\n");
    const { exitCode, stderr } = await runCli(["exec", "--keep-config", ...PRINT_ENV], {
      env: { ...world.env, AWS_SHARED_CREDENTIALS_FILE: file },
    });
    expect(exitCode).toBe(2);
    expect(stderr).toContain("the profile default has aws_access_key_id");
  });
});

describe("exec, when the child ends,", () => {
  test.each([0, 7, 255])("exits with the child's exit code %i", async (code) => {
    await using world = await startCredentialsWorld();
    const { exitCode, stdout, stderr } = await runCli(
      ["exec", ...node(`process.exit(${code})`)],
      world,
    );
    expect({ exitCode, stdout, stderr }).toEqual({ exitCode: code, stdout: "", stderr: "" });
  });

  test("exits with 128 plus the number of the signal that ended the child", async () => {
    await using world = await startCredentialsWorld();
    const { exitCode } = await runCli(
      ["exec", ...node("process.kill(process.pid, 'SIGKILL')")],
      world,
    );
    expect(exitCode).toBe(137);
  });

  test("leaves no file behind", async () => {
    await using world = await startCredentialsWorld();
    await runCli(["exec", ...node("")], world);
    expect(
      (await readdir(world.folder)).filter((name) => name.startsWith("resilient-sts")),
    ).toEqual([]);
  });
});

test.each(["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR2"] as const)(
  "%s reaches the child, which handles it",
  async (signal) => {
    await using world = await startCredentialsWorld();
    const script = `
    setInterval(() => {}, 1000);
    process.on("${signal}", () => { process.exit(3); });
    console.log("running");`;
    const child = startCli(["exec", ...node(script)], world);
    await waitFor(child, /running/);
    child.kill(signal);
    expect((await finished(child)).exitCode).toBe(3);
  },
);

test("the child inherits standard input and output", async () => {
  await using world = await startCredentialsWorld();
  const echo = node("process.stdin.pipe(process.stdout); console.error('to stderr')");
  const { stdout, stderr } = await runCli(["exec", ...echo], {
    env: world.env,
    stdin: "as it is\0\n",
  });
  expect({ stdout, stderr }).toEqual({ stdout: "as it is\0\n", stderr: "to stderr\n" });
});

test.each([
  ["15m", 900],
  ["20m", 1_200],
  ["1.5h", 5_400],
  ["12h", 43_200],
])("--duration %s requests a session of %i s", async (duration, seconds) => {
  await using world = await startCredentialsWorld();
  const { exitCode, stderr } = await runCli(["exec", "--duration", duration, ...node("")], world);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  const session = world.sts.requests.at(-1)?.granted;
  const lifetimeSeconds = ((session?.expiresAt ?? 0) - Date.now()) / 1_000;
  expect(Math.round(lifetimeSeconds / 60)).toBe(seconds / 60);
});

describe("without credentials", () => {
  test("exec does not start the child, and the error says who must change what", async () => {
    await using world = await startCredentialsWorld();
    world.sts.setFault("access-denied");
    const { exitCode, stdout, stderr } = await runCli(
      ["exec", ...node("console.log('started')")],
      world,
    );
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toMatch(/^resilient-sts: ERR_ACCESS_DENIED: .*trust policy/);
  });

  test("exec starts the child with --no-wait", async () => {
    await using world = await startCredentialsWorld();
    world.sts.setFault("access-denied");
    const { exitCode, stdout } = await runCli(
      ["exec", "--no-wait", ...node("console.log('started')")],
      world,
    );
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "started\n" });
  });

  test.each([
    ["that the environment indicates", []],
    [
      "that an option names",
      ["--token-source", "githubActions", "--audience", "sts.amazonaws.com"],
    ],
  ])("exec gets the token from the source %s", async (_, options) => {
    await using world = await startCredentialsWorld();
    const token = await world.idp.issueToken();
    await using github = await startPlatform({ body: JSON.stringify({ value: token }) });
    const { AWS_WEB_IDENTITY_TOKEN_FILE: __, ...env } = world.env;
    const { exitCode, stderr } = await runCli(["exec", ...options, ...node("")], {
      env: {
        ...env,
        ACTIONS_ID_TOKEN_REQUEST_URL: `${github.url}/?a=b`,
        ACTIONS_ID_TOKEN_REQUEST_TOKEN: "bearer",
      },
    });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(github.requests.map(({ line }) => line)).toEqual([
      "GET /?a=b&audience=sts.amazonaws.com",
    ]);
    expect(world.calls()).toBe(1);
  });

  test("exec ends with 3 and the reason if the token source has no token", async () => {
    await using world = await startCredentialsWorld();
    const args = ["exec", "--token-source", "bitbucket", ...node("")];
    const { exitCode, stderr } = await runCli(args, world);
    expect(exitCode).toBe(3);
    expect(stderr).toContain("oidc: true");
  });

  test("exec ends with 3 if there is no token", async () => {
    await using world = await startCredentialsWorld();
    const { AWS_WEB_IDENTITY_TOKEN_FILE: _, ...env } = world.env;
    const { exitCode, stderr } = await runCli(["exec", ...node("")], { env });
    expect(exitCode).toBe(3);
    expect(stderr).toMatch(
      /there is no token; name its file with --token-file or its source with --token-source/,
    );
  });
});

describe("wrong usage ends with 2 and says what to do", () => {
  test.each([
    [["exec"], /put it after --/],
    [["exec", "--token-source", "github", "--", "true"], /--token-source takes one of auto, /],
    [
      ["exec", "--token-source", "auto", "--token-file", "a", "--", "true"],
      /--token-file and --token-source can't be used together/,
    ],
    [["exec", "--"], /there is no command after --/],
    [["exec", "true"], /Unexpected argument/],
    [["exec", "--role", "app", "--", "true"], /--role takes a name and a role/],
    [["exec", "--role", "a=b", "--role", "a=c", "--", "true"], /names a twice/],
    [["exec", "--role", "a=b", "--role-arn", "c", "--", "true"], /can't be used together/],
    [["exec", "--duration", "1m", "--", "true"], /--duration takes a time from/],
    [["exec", "--", "true"], /there is no role/],
  ])("%j", async (args, words) => {
    const { exitCode, stderr, stdout } = await runCli(args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toMatch(words);
  });

  test("exec ends with 127 for a command that does not exist, as a shell does", async () => {
    await using world = await startCredentialsWorld();
    const { exitCode, stderr } = await runCli(["exec", "--", "no-such-command"], world);
    expect(exitCode).toBe(127);
    expect(stderr).toMatch(/there is no command "no-such-command"/);
  });
});
