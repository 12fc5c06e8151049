import { describe, expect, test } from "vitest";
import { detectTokenSource, type TokenSourceName } from "../../src/token-sources/index.js";
import { TOKEN_SOURCE_NAMES } from "../../src/token-sources/source-names.js";
import { makeToken } from "../support/make-token.js";
import { startPlatform } from "../support/platform-server.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { callSource, failureOf } from "./call-source.js";

type Env = Readonly<Record<string, string>>;

const TOKEN = makeToken();
const GITLAB = makeToken({ iss: "https://gitlab.com" });

/** The variables that each platform sets, according to its documentation. */
const PLATFORMS: readonly (readonly [TokenSourceName, Env])[] = [
  [
    "webIdentityTokenFile",
    {
      AWS_WEB_IDENTITY_TOKEN_FILE: "/var/run/secrets/eks.amazonaws.com/serviceaccount/token",
      AWS_ROLE_ARN: "arn:aws:iam::123456789012:role/app",
      KUBERNETES_SERVICE_HOST: "10.0.0.1",
      KUBERNETES_SERVICE_PORT: "443",
    },
  ],
  [
    "githubActions",
    {
      GITHUB_ACTIONS: "true",
      CI: "true",
      ACTIONS_ID_TOKEN_REQUEST_URL: "https://run.actions.githubusercontent.com/1?api-version=2.0",
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: "bearer",
    },
  ],
  [
    "gitlab",
    { GITLAB_CI: "true", CI: "true", CI_SERVER_URL: "https://gitlab.com", ANY_NAME: GITLAB },
  ],
  ["circleci", { CIRCLECI: "true", CIRCLE_OIDC_TOKEN: TOKEN, CIRCLE_OIDC_TOKEN_V2: TOKEN }],
  ["bitbucket", { BITBUCKET_BUILD_NUMBER: "1", BITBUCKET_STEP_OIDC_TOKEN: TOKEN }],
  [
    "buildkite",
    { BUILDKITE: "true", BUILDKITE_JOB_ID: "1", BUILDKITE_AGENT_ACCESS_TOKEN: "secret" },
  ],
  ["terraformCloud", { TFC_RUN_ID: "run-1", TFC_WORKLOAD_IDENTITY_TOKEN: TOKEN }],
  ["terraformCloud", { TFC_RUN_ID: "run-1", TFC_WORKLOAD_IDENTITY_TOKEN_AWS: TOKEN }],
  ["vercel", { VERCEL: "1", VERCEL_OIDC_TOKEN: TOKEN }],
  ["fly", { FLY_APP_NAME: "app", FLY_MACHINE_ID: "1" }],
  ["spiffe", { SPIFFE_ENDPOINT_SOCKET: "unix:///run/spire/agent.sock" }],
  [
    "azureWorkloadIdentityFile",
    { AZURE_FEDERATED_TOKEN_FILE: "/var/run/secrets/azure/tokens/azure-identity-token" },
  ],
  ["azureManagedIdentity", { IDENTITY_ENDPOINT: "http://127.0.0.1:1", IDENTITY_HEADER: "a" }],
  ["googleMetadata", { K_SERVICE: "app", K_REVISION: "app-1", K_CONFIGURATION: "app", PORT: "1" }],
  ["googleMetadata", { CLOUD_RUN_JOB: "job" }],
  ["googleMetadata", { GAE_SERVICE: "default", GAE_ENV: "standard" }],
];
/** Sources that are used only if they are named. */
const BY_NAME_ALONE: readonly TokenSourceName[] = ["kubernetesTokenRequest"];

describe("detectTokenSource", () => {
  test.each(PLATFORMS)("finds %s by its variables", (name, env) => {
    expect(detectTokenSource({ audience: "api://aws", env }).name).toBe(name);
  });

  test("is tested with every platform", () => {
    const tested = [...PLATFORMS.map(([name]) => name), ...BY_NAME_ALONE];
    expect(new Set(tested)).toEqual(new Set(TOKEN_SOURCE_NAMES));
  });

  test("fails when two platforms match, and names both, for every pair", async () => {
    for (const [one, oneEnv] of PLATFORMS) {
      for (const [other, otherEnv] of PLATFORMS) {
        const env = { ...oneEnv, ...otherEnv };
        // Google's variables mean Google only outside of a cluster.
        const isCluster =
          "KUBERNETES_SERVICE_HOST" in env && [one, other].includes("googleMetadata");
        if (one === other || isCluster) continue;
        const error = await failureOf(detectTokenSource({ audience: "api://aws", env }));
        expect(error).toMatchObject({ code: "ERR_SOURCE_NOT_CONFIGURED", retryable: false });
        expect(error.message).toContain(`${one} (`);
        expect(error.message).toContain(`${other} (`);
        expect(error.hint).toContain("name the one to use");
      }
    }
  });

  test("chooses the token file for Knative in a Kubernetes cluster", () => {
    const [, eks] = PLATFORMS[0] ?? [];
    const env = { ...eks, K_SERVICE: "app" };
    expect(detectTokenSource({ env }).name).toBe("webIdentityTokenFile");
  });

  test.each(TOKEN_SOURCE_NAMES)(
    "uses the given source %s, whatever the environment is",
    (source) => {
      const env = Object.assign({}, ...PLATFORMS.map(([, variables]) => variables)) as Env;
      expect(detectTokenSource({ source, audience: "api://aws", env }).name).toBe(source);
    },
  );

  test.each<[Env, RegExp]>([
    [{ GITHUB_ACTIONS: "true" }, /permissions: \{ id-token: write \}/],
    [{ GITLAB_CI: "true" }, /id_tokens/],
    [{ BITBUCKET_BUILD_NUMBER: "1" }, /oidc: true/],
    [{ TFC_RUN_ID: "run-1" }, /TFC_WORKLOAD_IDENTITY_AUDIENCE/],
    [{ VERCEL: "1" }, /Secure Backend Access/],
    [{ BUILDKITE: "true" }, /docker plugin/],
  ])("explains what is missing on the platform that sets %j", async (env, hint) => {
    const error = await failureOf(detectTokenSource({ env }));
    expect(error).toMatchObject({ code: "ERR_SOURCE_NOT_CONFIGURED", retryable: false });
    expect(error.hint).toMatch(hint);
  });

  test.each<Env>([
    {},
    { KUBERNETES_SERVICE_HOST: "10.0.0.1", KUBERNETES_SERVICE_PORT: "443" },
    { AWS_WEB_IDENTITY_TOKEN_FILE: " " },
  ])("fails immediately when no variable of %j identifies a source", async (env) => {
    const source = detectTokenSource({ env });
    expect([source.name, source.renewable]).toEqual(["detectTokenSource", true]);
    const error = await failureOf(source);
    expect(error).toMatchObject({ code: "ERR_SOURCE_NOT_CONFIGURED", retryable: false });
    expect(error.hint).toContain("Known sources: webIdentityTokenFile, githubActions");
  });

  test("calls the metadata server only where the variables identify Cloud Run", async () => {
    await using server = await startPlatform({
      headers: { "metadata-flavor": "Google" },
      body: TOKEN,
    });
    const metadata = { GCE_METADATA_HOST: new URL(server.url).host };
    await failureOf(detectTokenSource({ env: metadata }));
    expect(server.requests).toEqual([]);
    const env = { ...metadata, K_SERVICE: "app" };
    await expect(callSource(detectTokenSource({ audience: "mine", env }))).resolves.toBe(TOKEN);
    expect(server.requests[0]?.line).toContain("audience=mine&");
  });

  test("reads the token file of EKS for every attempt, and refuses a token with another audience", async () => {
    using folder = temporaryFolder();
    const env = { AWS_WEB_IDENTITY_TOKEN_FILE: folder.write("token", TOKEN) };
    await expect(callSource(detectTokenSource({ env }))).resolves.toBe(TOKEN);
    expect(await failureOf(detectTokenSource({ audience: "other", env }))).toMatchObject({
      message: "the token's audience is sts.amazonaws.com, not other",
      retryable: false,
    });
  });

  test("reports whether the detected source can renew its token", () => {
    expect(detectTokenSource({ env: { BITBUCKET_STEP_OIDC_TOKEN: TOKEN } }).renewable).toBe(false);
    expect(detectTokenSource({ env: { FLY_APP_NAME: "a", FLY_MACHINE_ID: "b" } }).renewable).toBe(
      true,
    );
  });

  test("detects the platform again when the environment changes", async () => {
    const env: Record<string, string> = {};
    const source = detectTokenSource({ env });
    await failureOf(source);
    env.BITBUCKET_STEP_OIDC_TOKEN = TOKEN;
    await expect(callSource(source)).resolves.toBe(TOKEN);
    expect(source.name).toBe("bitbucket");
  });

  test("requires an audience for an Azure managed identity", async () => {
    const env = { IDENTITY_ENDPOINT: "http://127.0.0.1:1", IDENTITY_HEADER: "a" };
    const error = await failureOf(detectTokenSource({ env }));
    expect(error).toMatchObject({ retryable: false });
    expect(error.hint).toContain("application ID URI");
  });

  test("refuses the name of an unknown source", () => {
    const source = "github" as TokenSourceName;
    expect(() => detectTokenSource({ source })).toThrow(/one of auto, webIdentityTokenFile/);
  });
});
