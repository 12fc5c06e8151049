import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { fromHttp } from "@aws-sdk/credential-providers";
import { describe, expect, test } from "vitest";
import { serveCredentials } from "../../src/serve/serve-credentials.js";
import { findProgram, leaveOut } from "../support/program.js";
import { CREDENTIALS } from "./endpoint-world.js";

const run = promisify(execFile);

/** A role whose credentials have so many minutes left, and the number of times it was asked. */
async function serveRole(minutesLeft: number) {
  let calls = 0;
  const expiration = new Date(Date.now() + minutesLeft * 60_000);
  const server = await serveCredentials({
    roles: {
      app: async () => {
        calls += 1;
        return { ...CREDENTIALS, expiration };
      },
    },
  });
  // The first call is the server's own, before any client asks.
  const requests = () => calls - 1;
  return { server, requests, [Symbol.asyncDispose]: () => server.close() };
}

/** Nothing of this process's own AWS settings, and of a developer's files. */
const CLEAN = {
  PATH: process.env.PATH,
  AWS_CONFIG_FILE: "/dev/null",
  AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
  AWS_EC2_METADATA_DISABLED: "true",
  AWS_DEFAULT_REGION: "eu-west-1",
};

describe("the JavaScript SDK", () => {
  test("gets credentials by fromHttp() with one request", async () => {
    await using role = await serveRole(60);
    const env = role.server.env();
    const credentials = await fromHttp({
      awsContainerCredentialsFullUri: env.AWS_CONTAINER_CREDENTIALS_FULL_URI ?? "",
      awsContainerAuthorizationToken: env.AWS_CONTAINER_AUTHORIZATION_TOKEN ?? "",
    })();
    expect(credentials).toMatchObject({
      accessKeyId: CREDENTIALS.accessKeyId,
      secretAccessKey: CREDENTIALS.secretAccessKey,
      sessionToken: CREDENTIALS.sessionToken,
    });
    expect(role.requests()).toBe(1);
  });
});

const python = findProgram("python3");
const BOTO = `
import sys, boto3
session = boto3.Session()
for _ in range(5):
    c = session.get_credentials().get_frozen_credentials()
print(c.access_key, c.secret_key, c.token)
`;
const hasBoto =
  python !== undefined &&
  (await run(python, ["-c", "import boto3"]).then(
    () => true,
    () => false,
  ));

describe("boto3", () => {
  if (!hasBoto) return leaveOut("boto3 over the endpoint", "python3 with boto3");

  test.each([
    ["1 request while an hour is left", 60, 1],
    ["a request for each use under 15 minutes", 12, 6],
  ])("makes %s", async (_, minutes, requests) => {
    await using role = await serveRole(minutes);
    const { stdout } = await run(python ?? "", ["-c", BOTO], {
      env: { ...CLEAN, ...role.server.env() },
    });
    expect(stdout.trim()).toBe(
      [CREDENTIALS.accessKeyId, CREDENTIALS.secretAccessKey, CREDENTIALS.sessionToken].join(" "),
    );
    expect(role.requests()).toBe(requests);
  });

  test("shows the code, and who must change what", async () => {
    const message =
      "STS refused the token. IAM: add sts.amazonaws.com to the provider's audiences.";
    const roles = { app: () => Promise.reject(new Error(message)) };
    await using server = await serveCredentials({ roles });
    const failed = run(python ?? "", ["-c", BOTO], { env: { ...CLEAN, ...server.env() } });
    await expect(failed).rejects.toMatchObject({ stderr: expect.stringContaining(message) });
  });
});

const aws = findProgram("aws");

describe("the AWS CLI", () => {
  if (aws === undefined) return leaveOut("the AWS CLI over the endpoint", "aws");

  test("gets credentials with one request", async () => {
    await using role = await serveRole(60);
    const { stdout } = await run(aws, ["configure", "list"], {
      env: { ...CLEAN, ...role.server.env() },
    });
    expect(stdout).toMatch(/access_key.*E001.*container-role/);
    expect(role.requests()).toBe(1);
  });
});
