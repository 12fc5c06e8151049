import { readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { Diagnosis } from "../../../src/doctor/diagnosis.js";
import { startDoctorWorld } from "../../support/doctor-world.js";
import { finished, runCli, startCli } from "../run-cli.js";

const ARGS = ["doctor", "--allow-private-issuers"];

describe("the doctor's exit code", () => {
  test("is 0 in a healthy world, and standard error stays silent", async () => {
    await using world = await startDoctorWorld();
    const { exitCode, stdout, stderr } = await runCli(ARGS, { env: world.env });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toMatch(/^✓ HEALTHY/);
    expect(stdout).toContain("✓ the signature verifies with it");
  });

  test("is 1 when something is found, which it names first", async () => {
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

  test("is 1 with nothing to look at", async () => {
    // Nobody listens there, and no name has to be resolved.
    const env = { AWS_ENDPOINT_URL_STS: "http://127.0.0.1:1" };
    const { exitCode, stdout } = await runCli(["doctor"], { env });
    expect(exitCode).toBe(1);
    expect(stdout).toContain("token-unreadable");
  });

  test("is 130 after Ctrl-C, which a terminal tells the whole process group", async () => {
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

  test("is 141 when the reader of its output has ended, without a word", async () => {
    await using world = await startDoctorWorld();
    const child = startCli([...ARGS, "--json"], { env: world.env });
    child.stdout?.destroy();
    const { exitCode, stderr } = await finished(child);
    expect({ exitCode, stderr }).toEqual({ exitCode: 141, stderr: "" });
  });
});

describe("a token that cannot be one ends with 2 and one line", () => {
  test.each([
    ["a file that is not there", async () => {}, /there is no such file/],
    [
      "a file of 20 MB",
      (file: string) => writeFile(file, "").then(() => truncate(file, 20e6)),
      /64 KiB/,
    ],
    [
      "bytes that are no text",
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
    ["an input that is no text", Buffer.from([0xff, 0xfe]), /UTF-8/],
  ])("%s", async (_name, stdin, words) => {
    const { exitCode, stdout, stderr } = await runCli([...ARGS, "--token", "-"], { stdin });
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toMatch(/^resilient-sts: [^\n]+\n$/);
    expect(stderr).toMatch(words);
  });
});

describe("the token", () => {
  test("comes from the source that is named", async () => {
    await using world = await startDoctorWorld();
    const env = { ...world.env, BITBUCKET_STEP_OIDC_TOKEN: world.token };
    const args = [...ARGS, "--token-source", "bitbucket", "--audience", "sts.amazonaws.com"];
    const { exitCode, stdout } = await runCli(args, { env });
    expect(exitCode).toBe(0);
    expect(stdout).toContain("from the token source bitbucket()");
  });

  test("is not in use where the workload has credentials of another kind", async () => {
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
    [["--token-source", "auto", "--token", "-"], /--token and --token-source exclude each other/],
    [["--audience", "a", "--issuer", "https://a"], /--issuer and --audience exclude each other/],
  ])("of wrong options ends with 2: %j", async (options, words) => {
    const { exitCode, stderr } = await runCli(["doctor", ...options]);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(words);
  });
});

describe("--json", () => {
  test("has standard output to itself", async () => {
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

  test("masks what --redact asks for, as the page does", async () => {
    await using world = await startDoctorWorld();
    const html = join(world.folder, "report.html");
    const args = [...ARGS, "--json", "--html", html];
    const options = { env: world.env };
    const told = async (...more: string[]) => {
      const { stdout } = await runCli([...args, ...more], options);
      return [stdout, await readFile(html, "utf8")];
    };
    const masked = ["123456789012", "test-subject"];
    const seen = (texts: string[]) =>
      texts.map((text) => masked.filter((one) => text.includes(one)));
    expect(seen(await told())).toEqual([masked, masked]);
    expect(seen(await told("--redact"))).toEqual([[], []]);
  });
});

test("a page that cannot be written costs nobody the diagnosis", async () => {
  await using world = await startDoctorWorld();
  const { exitCode, stdout, stderr } = await runCli([...ARGS, "--html", "/dev/full"], {
    env: world.env,
  });
  expect(exitCode).toBe(3);
  expect(stdout).toMatch(/^✓ HEALTHY/);
  expect(stderr).toBe('resilient-sts: cannot write "/dev/full": ENOSPC\n');
});

test("--commands spells AWS's steps with the real URLs, and asks STS for nothing", async () => {
  await using world = await startDoctorWorld();
  const { exitCode, stdout } = await runCli([...ARGS, "--commands"], { env: world.env });
  expect(exitCode).toBe(0);
  expect(stdout).toContain(` -i --url '${world.idp.jwksUrl}' |`);
  expect(stdout).toContain(`-Uri '${world.idp.discoveryUrl}'`);
  expect(world.sts.requests.filter(({ outcome }) => outcome === "ok")).toEqual([]);
});
