import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { type LocalSts, startLocalIdp, startLocalSts } from "../../src/testing/index.js";
import { findProgram, leaveOut } from "../support/program.js";

const run = promisify(execFile);
const ROLE_ARN = "arn:aws:iam::123456789012:role/app";

interface AwsOutput {
  readonly Credentials: Readonly<
    Record<"AccessKeyId" | "SecretAccessKey" | "SessionToken", string>
  >;
  readonly AssumedRoleUser: { readonly Arn: string };
}

const aws = findProgram("aws");
if (aws === undefined) leaveOut("the local STS with the AWS CLI", "aws");
else describe("the AWS CLI, which is botocore,", { timeout: 60_000 }, () => testProgram(aws));

function testProgram(program: string): void {
  /** Runs `aws sts …` with no settings but these; rejects with its output. */
  async function runSts(sts: LocalSts, args: readonly string[], env: Record<string, string> = {}) {
    const where = ["--endpoint-url", sts.url, "--region", "eu-west-1", "--output", "json"];
    const { stdout } = await run(program, ["sts", ...args, ...where], {
      env: {
        PATH: process.env.PATH,
        AWS_CONFIG_FILE: "/nonexistent/config",
        AWS_SHARED_CREDENTIALS_FILE: "/nonexistent/credentials",
        AWS_EC2_METADATA_DISABLED: "true",
        AWS_MAX_ATTEMPTS: "2",
        ...env,
      },
    });
    return JSON.parse(stdout) as unknown;
  }

  const assume = (token: string, ...more: string[]) => [
    "assume-role-with-web-identity",
    ...["--role-arn", ROLE_ARN, "--role-session-name", "cli", "--web-identity-token", token],
    ...more,
  ];

  test("gets credentials, and is the assumed role with them", async () => {
    await using idp = await startLocalIdp();
    await using sts = await startLocalSts({ providers: [idp] });
    const token = await idp.issueToken();
    const output = (await runSts(sts, assume(token, "--duration-seconds", "900"))) as AwsOutput;
    const arn = "arn:aws:sts::123456789012:assumed-role/app/cli";
    expect(output).toMatchObject({ AssumedRoleUser: { Arn: arn }, Audience: "sts.amazonaws.com" });
    const { AccessKeyId, SecretAccessKey, SessionToken } = output.Credentials;
    const caller = await runSts(sts, ["get-caller-identity"], {
      AWS_ACCESS_KEY_ID: AccessKeyId,
      AWS_SECRET_ACCESS_KEY: SecretAccessKey,
      AWS_SESSION_TOKEN: SessionToken,
    });
    expect(caller).toMatchObject({ Account: "123456789012", Arn: arn });
  });

  test("reads a refusal as it reads one of AWS", async () => {
    await using idp = await startLocalIdp();
    await using sts = await startLocalSts({ providers: [idp] });
    idp.setFault({ kind: "rate-limit", on: "jwks" });
    await expect(runSts(sts, assume(await idp.issueToken()))).rejects.toMatchObject({
      stderr: expect.stringMatching(
        /\(InvalidIdentityToken\) when calling the AssumeRoleWithWebIdentity operation.*: Couldn't retrieve verification key from your identity provider/,
      ),
    });
  });

  test("retries after throttling, as it does with AWS", async () => {
    await using idp = await startLocalIdp();
    await using sts = await startLocalSts({ providers: [idp] });
    sts.failNext("throttled");
    await runSts(sts, assume(await idp.issueToken()));
    expect(sts.requests.map(({ outcome }) => outcome)).toEqual(["Throttling", "ok"]);
  });
}
