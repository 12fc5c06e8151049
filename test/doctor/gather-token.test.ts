import { describe, expect, test, vi } from "vitest";
import { diagnose, diagnoseWith } from "../../src/doctor/diagnose.js";
import type { DiagnoseOptions } from "../../src/doctor/options.js";
import { resolveHost } from "../../src/preflight/guarded-lookup.js";
import { systemClock } from "../../src/runtime/clock.js";
import { startDoctorWorld } from "../support/doctor-world.js";
import { makePool } from "../support/make-pool.js";
import { startPlatform } from "../support/platform-server.js";
import { temporaryFolder } from "../support/temporary-folder.js";

type Env = Readonly<Record<string, string>>;

/** Diagnoses a workload in this environment, on a machine of this vendor. */
async function diagnosisOf(env: Env, options: DiagnoseOptions = {}, vendor?: string) {
  const runtime = { clock: systemClock, resolve: resolveHost, pool: makePool() };
  return await diagnoseWith(
    { allowPrivateIssuers: true, ...options },
    { ...runtime, env, readMachineVendor: async () => vendor },
  );
}

const STS_ALONE: Env = { AWS_ENDPOINT_URL_STS: "http://127.0.0.1:1", AWS_REGION: "eu-west-1" };

function without(env: Env, name: string): Env {
  return Object.fromEntries(Object.entries(env).filter(([key]) => key !== name));
}

describe("without a token file the doctor", () => {
  test("requests a token from the platform that the environment names, and uses it", async () => {
    await using world = await startDoctorWorld();
    await using github = await startPlatform({ body: JSON.stringify({ value: world.token }) });
    const env = {
      ...without(world.env, "AWS_WEB_IDENTITY_TOKEN_FILE"),
      GITHUB_ACTIONS: "true",
      ACTIONS_ID_TOKEN_REQUEST_URL: `${github.url}/token?a=b`,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: "bearer",
    };
    const { verdict, facts } = await diagnosisOf(env);
    expect(verdict).toBe("healthy");
    expect(facts.token?.source).toBe("the token source githubActions()");
    expect(facts.assumeRole?.outcome).toBe("ok");
    expect(github.requests).toHaveLength(1);
  });

  test("names the permission that a GitHub job lacks", async () => {
    const { verdict, rootCause } = await diagnosisOf({ ...STS_ALONE, GITHUB_ACTIONS: "true" });
    expect([verdict, rootCause?.id]).toEqual(["broken", "token-unreadable"]);
    expect(rootCause?.detail).toContain("this job may not request tokens");
    expect(rootCause?.remedy).toContain("permissions: { id-token: write }");
  });

  test("names both platforms when two match", async () => {
    const env = { ...STS_ALONE, BITBUCKET_STEP_OIDC_TOKEN: "a", SPIFFE_ENDPOINT_SOCKET: "unix:/a" };
    const { rootCause } = await diagnosisOf(env);
    expect(rootCause?.detail).toContain("bitbucket (Bitbucket Pipelines) and spiffe (SPIFFE)");
  });

  test("reads AWS_WEB_IDENTITY_TOKEN, and reports that no SDK does", async () => {
    await using world = await startDoctorWorld();
    const env = {
      ...without(world.env, "AWS_WEB_IDENTITY_TOKEN_FILE"),
      AWS_WEB_IDENTITY_TOKEN: world.token,
    };
    const { verdict, findings, facts } = await diagnosisOf(env);
    expect(verdict).toBe("healthy");
    expect(facts.token?.source).toBe("AWS_WEB_IDENTITY_TOKEN");
    expect(findings.map(({ id, severity }) => [id, severity])).toEqual([
      ["token-variable-unread", "advice"],
    ]);
    expect(JSON.stringify([findings, facts])).not.toContain(world.token);
  });

  test.each<[string, Env, string | undefined]>([
    [
      "EKS Pod Identity",
      {
        AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://169.254.170.23/v1/credentials",
        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE:
          "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token",
      },
      "Amazon EC2",
    ],
    [
      "EKS Pod Identity",
      { AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://[fd00:ec2::23]/v1" },
      undefined,
    ],
    [
      "a container credentials endpoint",
      { AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://127.0.0.1:9912/v1/roles/app" },
      undefined,
    ],
    [
      "its ECS task role",
      { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: "/v2/credentials/1" },
      undefined,
    ],
    ["access keys in its environment", { AWS_ACCESS_KEY_ID: "AKIA" }, "Amazon EC2"],
    [
      "the execution role of its Lambda function",
      { AWS_ACCESS_KEY_ID: "ASIA", AWS_LAMBDA_FUNCTION_NAME: "f" },
      undefined,
    ],
    ["its EC2 instance role, if it has one", {}, "Amazon EC2"],
    [
      "the EC2 instance role of its node, if the node allows that",
      { KUBERNETES_SERVICE_HOST: "::1" },
      "Amazon EC2",
    ],
  ])("recognizes that the credentials come from %s", async (from, env, vendor) => {
    const { rootCause, findings } = await diagnosisOf(
      { ...STS_ALONE, ...env },
      { assume: false },
      vendor,
    );
    expect(rootCause?.title).toBe(
      `This workload gets its credentials from ${from}; web identity is not in use.`,
    );
    // Such a workload needs no role.
    expect(findings.map(({ id }) => id)).not.toContain("role-arn-invalid");
  });

  test("reports that nothing is configured", async () => {
    const { rootCause } = await diagnosisOf(STS_ALONE, { assume: false }, "QEMU");
    expect(rootCause?.title).toBe("No token file is configured.");
  });

  test("uses the token file if one is configured, whatever else the environment names", async () => {
    await using world = await startDoctorWorld();
    const { facts } = await diagnosisOf({ ...world.env, BITBUCKET_STEP_OIDC_TOKEN: "a" });
    expect(facts.token?.source).toMatch(/^the token file /);
  });
});

describe("tokenSource", () => {
  test("names the source, whatever else the environment names", async () => {
    await using world = await startDoctorWorld();
    const env = { ...world.env, BITBUCKET_STEP_OIDC_TOKEN: world.token };
    const { facts } = await diagnosisOf(env, { tokenSource: "bitbucket" });
    expect(facts.token?.source).toBe("the token source bitbucket()");
    expect(facts.settings).toContainEqual({ name: "token", value: "bitbucket", source: "option" });
    const both = await diagnosisOf(env, { tokenSource: "auto" });
    expect(both.rootCause?.detail).toContain("several token sources match");
  });

  test("requests the audience, or compares it if the source can't choose one", async () => {
    await using world = await startDoctorWorld();
    const { rootCause, facts } = await diagnosisOf(world.env, { audience: "other" });
    expect(rootCause?.detail).toContain("the token's audience is sts.amazonaws.com, not other");
    expect(facts.settings).toContainEqual({ name: "audience", value: "other", source: "option" });
  });

  test.each<[DiagnoseOptions, RegExp]>([
    [{ tokenSource: "github" as "auto" }, /`tokenSource` to be one of auto, /],
    [{ tokenSource: "auto", token: "a" }, /one of `tokenSource`, `token`/],
    [{ tokenSource: "auto", tokenFile: "/a" }, /one of `tokenSource`, `token`/],
    [{ tokenSource: "auto", issuer: "https://a" }, /one of `tokenSource`, `token`/],
  ])("in an impossible combination is a TypeError: %j", async (options, words) => {
    await expect(diagnose({ ...options, env: {} })).rejects.toThrow(words);
  });
});

describe("a profile", () => {
  const CONFIG = (tokenFile: string) => `[default]
role_arn = arn:aws:iam::123456789012:role/default
[profile ci]
role_arn = arn:aws:iam::123456789012:role/profile
web_identity_token_file = ${tokenFile}
role_session_name = from-profile
duration_seconds = 1800
region = eu-central-1
`;

  async function inProfile(run: (tokenFile: string, env: Env) => Promise<void>) {
    await using world = await startDoctorWorld();
    using folder = temporaryFolder();
    const file = world.env.AWS_WEB_IDENTITY_TOKEN_FILE ?? "";
    vi.stubEnv("AWS_CONFIG_FILE", folder.write("config", CONFIG(file)));
    vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", folder.write("credentials", ""));
    await run(file, { AWS_ENDPOINT_URL_STS: world.sts.url });
    expect(world.sts.requests.at(-1)).toMatchObject({ outcome: "ok" });
  }

  const FROM_PROFILE = [
    { name: "roleArn", value: "arn:aws:iam::123456789012:role/profile", source: "profile" },
    { name: "roleSessionName", value: "from-profile", source: "profile" },
    { name: "durationSeconds", value: "1800", source: "profile" },
    { name: "region", value: "eu-central-1", source: "profile" },
  ];

  test.each<[string, Env, DiagnoseOptions]>([
    ["by option", {}, { profile: "ci" }],
    ["by AWS_PROFILE", { AWS_PROFILE: "ci" }, {}],
  ])(
    "provides token file, role, session name, duration and region if it is named %s",
    async (_, env, options) => {
      await inProfile(async (file, sts) => {
        const { facts, verdict } = await diagnosisOf({ ...sts, ...env }, options);
        expect(verdict).toBe("healthy");
        for (const setting of FROM_PROFILE) expect(facts.settings).toContainEqual(setting);
        expect(facts.token?.source).toBe(`the token file ${file}`);
      });
    },
  );

  test("comes before the environment as an option, and after it as AWS_PROFILE", async () => {
    await inProfile(async (_file, sts) => {
      const env = { ...sts, AWS_ROLE_ARN: "arn:aws:iam::123456789012:role/environment" };
      const roleOf = async (more: Env, options: DiagnoseOptions) => {
        const { facts } = await diagnosisOf({ ...env, ...more }, options);
        return facts.settings.find(({ name }) => name === "roleArn")?.value;
      };
      expect(await roleOf({}, { profile: "ci" })).toMatch(/role\/profile$/);
      expect(await roleOf({ AWS_PROFILE: "ci" }, {})).toMatch(/role\/environment$/);
      const roleArn = "arn:aws:iam::123456789012:role/option";
      expect(await roleOf({}, { profile: "ci", roleArn })).toBe(roleArn);
    });
  });
});
