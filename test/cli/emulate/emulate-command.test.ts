import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { startDoctorWorld } from "../../support/doctor-world.js";
import { runCli, startCli, waitFor } from "../run-cli.js";

/** Starts the emulation on free ports. Returns the environment that it prints, and stops it by Ctrl-C at the end. */
async function startEmulation(...args: string[]) {
  const child = startCli(["emulate", "--idp-port", "0", "--sts-port", "0", ...args]);
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const script = await waitFor(child, /Ctrl-C stops the servers/);
  const lines = [...script.matchAll(/^export (\w+)='([^']*)'$/gm)];
  const env = Object.fromEntries(lines.map(([, name = "", value = ""]) => [name, value]));
  const stop = async () => {
    child.kill("SIGINT");
    return await ended;
  };
  const tokenFile = env.AWS_WEB_IDENTITY_TOKEN_FILE ?? "";
  return { env, script, tokenFile, stop, [Symbol.asyncDispose]: async () => void (await stop()) };
}

describe("the emulation", () => {
  test("prints an environment in which the doctor finds nothing, and ends cleanly", async () => {
    await using emulation = await startEmulation();
    const { env, tokenFile } = emulation;
    expect(statSync(tokenFile).mode & 0o777).toBe(0o600);
    const { stdout } = await runCli(["doctor", "--allow-private-issuers"], { env });
    expect(stdout).toMatch(/^✓ HEALTHY/);
    expect(await emulation.stop()).toBe(0);
    expect(existsSync(tokenFile)).toBe(false);
  });

  test("prints both region variables, and the variable that lets the issuer check read its issuer", async () => {
    await using emulation = await startEmulation("--region", "eu-north-1");
    expect(emulation.env).toMatchObject({
      AWS_REGION: "eu-north-1",
      AWS_DEFAULT_REGION: "eu-north-1",
      RESILIENT_STS_ALLOW_LOOPBACK_ISSUERS: "true",
    });
  });

  test("simulates the faults of the command line, which the doctor names", async () => {
    await using emulation = await startEmulation("--fault", "idp:missing-key");
    const { env } = emulation;
    const { stdout } = await runCli(["doctor", "--allow-private-issuers", "--json"], { env });
    expect(JSON.parse(stdout)).toMatchObject({ rootCause: { id: "jwks-key-not-found" } });
  });

  test("removes the token file even if it gets two signals", async () => {
    const child = startCli(["emulate", "--idp-port", "0", "--sts-port", "0"]);
    const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
    const script = await waitFor(child, /Ctrl-C stops the servers/);
    const [, file = ""] = /AWS_WEB_IDENTITY_TOKEN_FILE='([^']+)'/.exec(script) ?? [];
    expect(existsSync(file)).toBe(true);
    child.kill("SIGINT");
    child.kill("SIGTERM");
    await ended;
    expect(existsSync(file)).toBe(false);
    expect(existsSync(dirname(file))).toBe(false);
  });

  test("prints a script that has only comments and exports, whatever its options are", async () => {
    const args = ["--role-arn", "a'$(touch x)\n;`id`", "--region", "b\nc"];
    await using emulation = await startEmulation(...args);
    const odd = emulation.script
      .split("\n")
      .filter((line) => !/^(#.*|export \w+='.*'|)$/.test(line));
    expect(odd).toEqual([]);
    expect(emulation.script).toMatch(/^[\n\x20-\x7e]*$/);
  });

  test("renews the token before it expires, and never prints it", async () => {
    await using emulation = await startEmulation("--token-lifetime", "2s");
    const first = readFileSync(emulation.tokenFile, "utf8");
    while (readFileSync(emulation.tokenFile, "utf8") === first) await sleep(50);
    expect(statSync(emulation.tokenFile).mode & 0o777).toBe(0o600);
    expect(emulation.script).not.toContain(first);
  });

  test("does not replace an existing token file", async () => {
    await using world = await startDoctorWorld();
    const file = join(world.folder, "mine");
    writeFileSync(file, "mine");
    const args = ["emulate", "--idp-port", "0", "--sts-port", "0", "--token-file", file];
    const { exitCode, stderr } = await runCli(args);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/^resilient-sts: [^\n]+ already exists; [^\n]+\n$/);
    expect(readFileSync(file, "utf8")).toBe("mine");
  });

  test("names a port that is in use", async () => {
    const server = createServer();
    const port = await new Promise<number>((resolve) => {
      server.listen(0, "127.0.0.1", () => {
        const address = server.address();
        resolve(typeof address === "object" && address !== null ? address.port : 0);
      });
    });
    const { exitCode, stderr } = await runCli(["emulate", "--idp-port", String(port)]);
    server.close();
    expect(exitCode).toBe(2);
    expect(stderr).toBe(`resilient-sts: port ${port} is in use; choose another with --idp-port\n`);
  });
});

describe("a command in the emulation", () => {
  const node = (script: string) => ["--", process.execPath, "-e", script];

  test("starts once the servers respond, and inherited credentials do not override them", async () => {
    const script = `
      const { AWS_ENDPOINT_URL_STS, AWS_WEB_IDENTITY_TOKEN_FILE } = process.env;
      const token = require("node:fs").readFileSync(AWS_WEB_IDENTITY_TOKEN_FILE, "utf8");
      const query = new URLSearchParams({
        Action: "AssumeRoleWithWebIdentity", Version: "2011-06-15", RoleSessionName: "me",
        RoleArn: process.env.AWS_ROLE_ARN, WebIdentityToken: token,
      });
      fetch(AWS_ENDPOINT_URL_STS + "/?" + query).then(({ status }) => {
        console.log(JSON.stringify({ status, env: process.env }));
      });`;
    const { exitCode, stdout, stderr } = await runCli(["emulate", ...node(script)], {
      env: { AWS_ACCESS_KEY_ID: "AKIAINHERITED", AWS_PROFILE: "dev" },
    });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    const { status, env } = JSON.parse(stdout);
    expect(status).toBe(200);
    expect(env).toMatchObject({ AWS_DEFAULT_REGION: "us-east-1", AWS_CONFIG_FILE: "/dev/null" });
    expect(env).not.toHaveProperty("AWS_ACCESS_KEY_ID");
    expect(env).not.toHaveProperty("AWS_PROFILE");
    expect(existsSync(env.AWS_WEB_IDENTITY_TOKEN_FILE)).toBe(false);
  });

  test("determines the exit code, and gets every signal", async () => {
    const { exitCode } = await runCli(["emulate", ...node("process.exit(7)")]);
    expect(exitCode).toBe(7);
    const script = `
      setInterval(() => {}, 1000);
      process.on("SIGTERM", () => { process.exit(3); });
      console.log("running");`;
    const child = startCli(["emulate", ...node(script)]);
    const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
    await waitFor(child, /running/);
    child.kill("SIGTERM");
    expect(await ended).toBe(3);
  });

  test("is required after --, and must exist", async () => {
    const { exitCode, stderr } = await runCli(["emulate", "--"]);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/there is no command after --/);
    expect((await runCli(["emulate", "--", "no-such-command"])).exitCode).toBe(127);
  });
});
