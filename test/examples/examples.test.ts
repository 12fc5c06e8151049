import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import {
  type ExampleWorld,
  ROLE_ARN,
  startS3,
  startSmallServer,
  startWorld,
} from "./example-world.js";
import { runExample, startExample } from "./run-example.js";

/** What the strict start needs, because a local issuer has a private address. */
function strictEnvironment({ sts, tokenFile }: ExampleWorld): Record<string, string> {
  return {
    ALLOW_PRIVATE_ISSUERS: "yes",
    AWS_ENDPOINT_URL_STS: sts.url,
    AWS_ROLE_ARN: ROLE_ARN,
    AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile,
  };
}

describe("an example", { timeout: 90_000 }, () => {
  test("irsa.ts lists buckets with the role of the environment", async () => {
    await using world = await startWorld();
    await using s3 = await startS3(world.sts);
    const { exitCode, stdout } = await runExample("irsa.ts", {
      AWS_ENDPOINT_URL_STS: world.sts.url,
      AWS_ENDPOINT_URL_S3: s3.url,
      AWS_ROLE_ARN: ROLE_ARN,
      AWS_WEB_IDENTITY_TOKEN_FILE: world.tokenFile,
    });
    expect(stdout).toBe("2 buckets: logs, reports\n");
    expect(exitCode).toBe(0);
  });

  test("github-actions.ts requests a token for every attempt, and again after a 503", async () => {
    await using world = await startWorld();
    const received: (string | undefined)[] = [];
    await using github = await startSmallServer(async ({ url, headers }, response) => {
      received.push(`${headers.authorization} ${url}`);
      if (received.length === 1) response.writeHead(503).end();
      else response.end(JSON.stringify({ value: await world.idp.issueToken() }));
    });
    world.sts.failNext("idp-unreachable");
    const { exitCode, stdout } = await runExample("github-actions.ts", {
      ACTIONS_ID_TOKEN_REQUEST_URL: `${github.url}/token?api-version=2.0`,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: "bearer",
      AWS_ENDPOINT_URL_STS: world.sts.url,
      GITHUB_RUN_ID: "4711",
    });
    const line = "Bearer bearer /token?api-version=2.0&audience=sts.amazonaws.com";
    expect(received).toEqual([line, line, line]);
    expect(stdout).toContain("GitHub's token service returned 503");
    expect(stdout).toContain("This job is arn:aws:sts::123456789012:assumed-role/deploy/run-4711");
    expect(exitCode).toBe(0);
  });

  test.each([
    ["200 and the state when its credentials are valid", undefined, 200, '"credentials":"fresh"'],
    [
      "503 and what to do when it has no credentials",
      "access-denied",
      503,
      '"code":"ERR_ACCESS_DENIED"',
    ],
  ] as const)("health-check.ts responds with %s", async (_, fault, httpStatus, words) => {
    await using world = await startWorld();
    if (fault !== undefined) world.sts.setFault(fault);
    const service = startExample("health-check.ts", {
      AWS_ENDPOINT_URL_STS: world.sts.url,
      AWS_ROLE_ARN: ROLE_ARN,
      AWS_WEB_IDENTITY_TOKEN_FILE: world.tokenFile,
      HOST: "127.0.0.1",
      PORT: "0",
    });
    const ended = once(service, "close");
    try {
      const url = `http://127.0.0.1:${await listeningPort(service)}/healthz`;
      const health = async () => {
        const response = await fetch(url, { headers: { connection: "close" } });
        return { httpStatus: response.status, body: await response.text() };
      };
      await expect
        .poll(health, { timeout: 30_000 })
        .toMatchObject({ httpStatus, body: expect.stringContaining(words) });
    } finally {
      service.kill("SIGTERM");
    }
    expect(await ended).toEqual([0, null]);
  });

  test("opentelemetry.ts exports the metrics and spans of its first refresh", async () => {
    await using world = await startWorld();
    world.sts.failNext("idp-unreachable");
    const { exitCode, stdout } = await runExample("opentelemetry.ts", {
      AWS_ENDPOINT_URL_STS: world.sts.url,
      AWS_ROLE_ARN: ROLE_ARN,
      AWS_WEB_IDENTITY_TOKEN_FILE: world.tokenFile,
    });
    for (const name of [
      "resilient_sts.refresh.duration",
      "resilient_sts.sts.attempts",
      "resilient_sts.credentials.time_to_expiry",
      "resilient_sts.refresh",
      "STS/AssumeRoleWithWebIdentity",
    ]) {
      expect(stdout).toContain(`name: '${name}'`);
    }
    expect(exitCode).toBe(0);
  });

  test("strict-start.ts starts with an identity that works, and calls STS once", async () => {
    await using world = await startWorld();
    const { exitCode, stdout } = await runExample("strict-start.ts", strictEnvironment(world));
    expect(stdout).toMatch(/^started with credentials until 20/m);
    expect(exitCode).toBe(0);
    expect(world.sts.requests).toHaveLength(1);
  });

  test("strict-start.ts prints the reason and does not start when STS can't use the issuer's key", async () => {
    await using world = await startWorld();
    world.idp.setJwks((right) => ({
      keys: (right.keys as object[]).map((key) => ({ ...key, use: "enc" })),
    }));
    const { exitCode, stderr } = await runExample("strict-start.ts", strictEnvironment(world));
    expect(stderr).toMatch(/^not starting: ERR_IDP_UNUSABLE: .*IdP: publish the key/m);
    expect(stderr).toContain("  fatal jwks-key-unusable: ");
    expect(exitCode).toBe(1);
    expect(world.sts.requests).toHaveLength(0);
  });

  test("test-your-service.ts contains tests that pass", async () => {
    const { exitCode, stdout } = await runExample("test-your-service.ts");
    expect(stdout).toMatch(/^. pass 2$/m);
    expect(exitCode).toBe(0);
  });

  test("other-sts.ts gets credentials and calls S3 at an endpoint that is not AWS", async () => {
    await using world = await startWorld();
    await using s3 = await startS3(world.sts);
    world.sts.configure({ omit: ["AssumedRoleUser"], expirationPrecision: "nanoseconds" });
    await writeFile(world.tokenFile, await world.idp.issueToken({ audience: "minio" }));
    const { exitCode, stdout } = await runExample("other-sts.ts", {
      OIDC_TOKEN_FILE: world.tokenFile,
      S3_ENDPOINT: s3.url,
      S3_ROLE_ARN: ROLE_ARN,
    });
    expect(stdout).toBe(`2 buckets at ${s3.url}\n`);
    expect(exitCode).toBe(0);
  });
});

async function listeningPort(service: ReturnType<typeof startExample>): Promise<string> {
  for await (const chunk of service.stdout ?? []) {
    const port = /listening on port (\d+)/.exec(String(chunk))?.[1];
    if (port !== undefined) return port;
  }
  throw new Error("the example ended without listening");
}
