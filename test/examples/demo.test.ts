import { describe, expect, test } from "vitest";
import { findOtherProgram, NEEDED } from "../../examples/demo/other-program.js";
import { findPythonWithBoto3 } from "../support/program.js";
import { ROLE_ARN, startWorld } from "./example-world.js";
import { runExample } from "./run-example.js";

const program = await findOtherProgram();

describe("the demo", { timeout: 90_000 }, () => {
  test.concurrent("gets credentials during an outage in which the stock provider fails, and prints each step", async () => {
    // A PATH without programs: the demo finds only Node.
    const { exitCode, stdout, stderr } = await runExample("demo/main.ts", { PATH: "/nonexistent" });
    expect(stderr).toBe("");
    const lines = [
      /^\[ +\d+\.\d s\] issuer +rate limit: returns 429/m,
      /^\[.* stock +GetCallerIdentity failed: InvalidIdentityTokenException: Couldn't retrieve verification key/m,
      /^\[.* resilient +attempt 1: InvalidIdentityToken: Couldn't retrieve verification key.*\n +the issuer returns 429; next in /m,
      /^\[.* resilient +issuer check: ./m,
      /^\[.* issuer +stops listening/m,
      /^\[.* resilient +attempt \d+: the same; the issuer is down; next in /m,
      /^\[.* issuer +listens again/m,
      /^\[.* resilient +credentials at attempt \d+/m,
      /^\[.* resilient +GetCallerIdentity: arn:aws:sts::123456789012:assumed-role\/checkout\/resilient$/m,
      /^ +attempts +1 +\d+$/m,
      /^ +outcome +InvalidIdentityTokenException +GetCallerIdentity succeeded$/m,
      /^Left out: the same for a program in another language\. It needs Python with boto3 /m,
      /AWS_ROLE_ARN=.*\n.*AWS_WEB_IDENTITY_TOKEN_FILE=.*\n.*npm run demo -- --real/,
    ];
    for (const line of lines) expect(stdout).toMatch(line);
    expect(stdout).not.toContain("\u001b");
    expect(exitCode).toBe(0);
  });

  if (program === undefined) {
    test(`skips the program in another language, because this machine lacks ${NEEDED}`, () => {
      // Debian's boto3 may be too old. Where programs are required, some boto3 must be installed.
      const isInstalled = findPythonWithBoto3() !== undefined;
      expect(isInstalled || process.env.TEST_PROGRAMS !== "required").toBe(true);
    });
  } else {
    test.concurrent("runs a program in another language, which gets credentials only from the endpoint", async () => {
      const { exitCode, stdout } = await runExample("demo/main.ts");
      const { name } = program;
      for (const line of [
        `${name} +GetCallerIdentity failed: InvalidIdentityToken: Couldn't retrieve verification key`,
        `serve +has credentials; ${name} starts with its endpoint`,
        `${name} +GetCallerIdentity: arn:aws:sts::123456789012:assumed-role/checkout/resilient`,
      ]) {
        expect(stdout).toMatch(new RegExp(`^\\[ *[\\d.]+ s\\] ${line}`, "m"));
      }
      expect(stdout).toMatch(
        new RegExp(`^ +same outage +${name} alone +${name} with resilient-sts/serve$`, "m"),
      );
      expect(stdout).toMatch(/^ +outcome +InvalidIdentityToken +GetCallerIdentity succeeded$/m);
      expect(stdout).not.toContain("Left out");
      expect(exitCode).toBe(0);
    });
  }

  test("assumes the environment's role with --real", async () => {
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

  test("names the missing variable and exits with code 1 when --real finds no role", async () => {
    const { exitCode, stdout } = await runExample("demo/main.ts", {}, ["--real"]);
    expect(stdout).toMatch(/ERR_NOT_CONFIGURED: .*AWS_WEB_IDENTITY_TOKEN_FILE/);
    expect(exitCode).toBe(1);
  });
});
