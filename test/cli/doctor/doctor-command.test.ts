import { readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { Diagnosis } from "../../../src/doctor/diagnosis.js";
import { startDoctorWorld } from "../../support/doctor-world.js";
import { finished, runCli, startCli } from "../run-cli.js";

const ARGS = ["doctor", "--allow-private-issuers"];

describe("the doctor's exit code", () => {
  test("is 0 in a healthy world, and standard error stays empty", async () => {
    await using world = await startDoctorWorld();
    const { exitCode, stdout, stderr } = await runCli(ARGS, { env: world.env });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toMatch(/^✓ HEALTHY/);
    expect(stdout).toContain("✓ the signature verifies with it");
  });

  test("is 1 if there is a finding, and the report names it first", async () => {
    await using world = await startDoctorWorld();
    await world.idp.rotateKeys({ publish: false });
    const token = await world.idp.issueToken();
    const { exitCode, stdout } = await runCli([...ARGS, "--token", "-"], {
      env: world.env,
      stdin: `${token}\n`,
    });
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/^✗ BROKEN/);
    expect(stdout).toContain("jwks-key-not-found (fatal)");
  });

  test("is 1 if there is nothing to check", async () => {
    // No server listens there, and no name needs resolving.
    const env = { AWS_ENDPOINT_URL_STS: "http://127.0.0.1:1" };
    const { exitCode, stdout } = await runCli(["doctor"], { env });
    expect(exitCode).toBe(1);
    expect(stdout).toContain("token-unreadable");
  });

  test("is 130 after Ctrl-C, which a terminal sends to the whole process group", async () => {
    await using world = await startDoctorWorld();
    world.idp.setFault({ kind: "hang" });
    const child = startCli(ARGS, { env: world.env, ownGroup: true });
    const end = finished(child);
    while (world.idp.requests.length === 0) await sleep(20);
    process.kill(-(child.pid ?? 0), "SIGINT");
    const { exitCode, stdout, stderr } = await end;
    expect({ exitCode, stdout }).toEqual({ exitCode: 130, stdout: "" });
    expect(stderr).toBe("resilient-sts: stopped by Ctrl-C\n");
  });

  test("is 141 without a message if its output pipe was closed", async () => {
    await using world = await startDoctorWorld();
    const child = startCli([...ARGS, "--json"], { env: world.env });
    child.stdout?.destroy();
    const { exitCode, stderr } = await finished(child);
    expect({ exitCode, stderr }).toEqual({ exitCode: 141, stderr: "" });
  });
});

describe("an unusable token ends the doctor with 2 and one line", () => {
  test.each([
    ["a file that does not exist", async () => {}, /there is no such file/],
    [
      "a file of 20 MB",
      (file: string) => writeFile(file, "").then(() => truncate(file, 20e6)),
      /64 KiB/,
    ],
    [
      "bytes that are not text",
      (file: string) => writeFile(file, Buffer.from([0xff, 0xfe])),
      /UTF-8/,
    ],
  ] as const)("%s", async (_name, make, words) => {
    await using world = await startDoctorWorld();
    const file = join(world.folder, "odd");
    await make(file);
    const { exitCode, stdout, stderr } = await runCli([...ARGS, "--token-file", file]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toMatch(/^resilient-sts: [^\n]+\n$/);
    expect(stderr).toMatch(words);
  });

  test.each([
    ["an empty input", "", /standard input is empty/],
    ["an input of 20 MB", "a".repeat(20e6), /64 KiB/],
    ["an input that is not text", Buffer.from([0xff, 0xfe]), /UTF-8/],
  ])("%s", async (_name, stdin, words) => {
    const { exitCode, stdout, stderr } = await runCli([...ARGS, "--token", "-"], { stdin });
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toMatch(/^resilient-sts: [^\n]+\n$/);
    expect(stderr).toMatch(words);
  });
});

describe("the token of the doctor", () => {
  test("comes from the named source", async () => {
    await using world = await startDoctorWorld();
    const env = { ...world.env, BITBUCKET_STEP_OIDC_TOKEN: world.token };
    const args = [...ARGS, "--token-source", "bitbucket", "--audience", "sts.amazonaws.com"];
    const { exitCode, stdout } = await runCli(args, { env });
    expect(exitCode).toBe(0);
    expect(stdout).toContain("from the token source bitbucket()");
  });

  test("is reported as not in use where the workload has other credentials", async () => {
    const { exitCode, stdout } = await runCli(["doctor"], {
      env: {
        AWS_ENDPOINT_URL_STS: "http://127.0.0.1:1",
        AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://169.254.170.23/v1/credentials",
      },
    });
    expect(exitCode).toBe(1);
    expect(stdout.replace(/\s+/g, " ")).toContain(
      "This workload gets its credentials from EKS Pod Identity; web identity is not in use.",
    );
  });

  test.each([
    [["--token-source", "github"], /--token-source takes one of auto, webIdentityTokenFile/],
    [
      ["--token-source", "auto", "--token", "-"],
      /--token and --token-source can't be used together/,
    ],
    [
      ["--audience", "a", "--issuer", "https://a"],
      /--issuer and --audience can't be used together/,
    ],
  ])("is refused with exit code 2 for the options %j", async (options, words) => {
    const { exitCode, stderr } = await runCli(["doctor", ...options]);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(words);
  });
});

describe("--json", () => {
  test("prints nothing else to standard output", async () => {
    await using world = await startDoctorWorld();
    world.sts.setFault("access-denied");
    const html = join(world.folder, "report.html");
    const { exitCode, stdout } = await runCli([...ARGS, "--json", "--html", html], {
      env: world.env,
    });
    const diagnosis = JSON.parse(stdout) as Diagnosis;
    expect(exitCode).toBe(1);
    expect(diagnosis).toMatchObject({ schemaVersion: 1, verdict: "broken" });
    expect(diagnosis.facts.settings).toContainEqual({
      name: "region",
      value: "eu-west-1",
      source: "AWS_REGION",
    });
  });

  test("masks with --redact what the page masks", async () => {
    await using world = await startDoctorWorld();
    const html = join(world.folder, "report.html");
    const args = [...ARGS, "--json", "--html", html];
    const options = { env: world.env };
    const outputs = async (...more: string[]) => {
      const { stdout } = await runCli([...args, ...more], options);
      return [stdout, await readFile(html, "utf8")];
    };
    const masked = ["123456789012", "test-subject"];
    const seen = (texts: string[]) =>
      texts.map((text) => masked.filter((one) => text.includes(one)));
    expect(seen(await outputs())).toEqual([masked, masked]);
    expect(seen(await outputs("--redact"))).toEqual([[], []]);
  });
});

test("a page that can't be written does not suppress the diagnosis", async () => {
  await using world = await startDoctorWorld();
  const { exitCode, stdout, stderr } = await runCli([...ARGS, "--html", "/dev/full"], {
    env: world.env,
  });
  expect(exitCode).toBe(3);
  expect(stdout).toMatch(/^✓ HEALTHY/);
  expect(stderr).toBe(`resilient-sts: can't write "/dev/full": ENOSPC\n`);
});

test("--commands prints AWS's steps with the real URLs, and does not call AssumeRoleWithWebIdentity", async () => {
  await using world = await startDoctorWorld();
  const { exitCode, stdout } = await runCli([...ARGS, "--commands"], { env: world.env });
  expect(exitCode).toBe(0);
  expect(stdout).toContain(` -i --url '${world.idp.jwksUrl}' |`);
  expect(stdout).toContain(`-Uri '${world.idp.discoveryUrl}'`);
  expect(world.sts.requests.filter(({ outcome }) => outcome === "ok")).toEqual([]);
});
