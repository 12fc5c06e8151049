import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import {
  azureManagedIdentity,
  azureWorkloadIdentityFile,
  bitbucket,
  buildkite,
  circleci,
  githubActions,
  gitlab,
  kubernetesTokenRequest,
  type PlatformTokenSource,
  spiffe,
  terraformCloud,
  vercel,
} from "../../src/token-sources/index.js";
import { makeToken } from "../support/make-token.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { callSource, everythingOf, failureOf } from "./call-source.js";

type Env = Readonly<Record<string, string>>;

const TOKEN = makeToken();
const GITLAB_TOKEN = makeToken({ iss: "https://gitlab.example.com", sub: "project_path:a/b" });

describe("a variable that is missing is permanent, and the error names it and how to set it:", () => {
  const GITHUB = {
    ACTIONS_ID_TOKEN_REQUEST_URL: "http://127.0.0.1:9/?a=b",
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: "bearer",
  };
  const BUILDKITE = { BUILDKITE_JOB_ID: "1", BUILDKITE_AGENT_ACCESS_TOKEN: "secret" };
  const POD = { KUBERNETES_SERVICE_HOST: "::1", KUBERNETES_SERVICE_PORT: "443" };

  test.each<[string, Env, (env: Env) => PlatformTokenSource, RegExp]>([
    ...Object.keys(GITHUB).map(
      (name) =>
        [
          name,
          GITHUB,
          (env: Env) => githubActions({ env }),
          /permissions: \{ id-token: write \}/,
        ] as [string, Env, (env: Env) => PlatformTokenSource, RegExp],
    ),
    ["BITBUCKET_STEP_OIDC_TOKEN", {}, (env) => bitbucket({ env }), /`oidc: true`/],
    [
      "TFC_WORKLOAD_IDENTITY_TOKEN",
      {},
      (env) => terraformCloud({ env }),
      /TFC_WORKLOAD_IDENTITY_AUDIENCE /,
    ],
    [
      "TFC_WORKLOAD_IDENTITY_TOKEN_AWS",
      { TFC_WORKLOAD_IDENTITY_TOKEN: TOKEN },
      (env) => terraformCloud({ tag: "AWS", env }),
      /TFC_WORKLOAD_IDENTITY_AUDIENCE_AWS/,
    ],
    [
      "AWS_ID_TOKEN",
      { GITLAB_CI: "true" },
      (env) => gitlab({ variable: "AWS_ID_TOKEN", env }),
      /id_tokens/,
    ],
    [
      "CIRCLE_OIDC_TOKEN_V2",
      {},
      (env) => circleci({ variable: "CIRCLE_OIDC_TOKEN_V2", env }),
      /CircleCI job/,
    ],
    ["BUILDKITE_JOB_ID", BUILDKITE, (env) => buildkite({ env }), /Buildkite job/],
    ["BUILDKITE_AGENT_ACCESS_TOKEN", BUILDKITE, (env) => buildkite({ env }), /Buildkite job/],
    [
      "AZURE_FEDERATED_TOKEN_FILE",
      {},
      (env) => azureWorkloadIdentityFile({ env }),
      /azure.workload.identity\/use/,
    ],
    ["SPIFFE_ENDPOINT_SOCKET", {}, (env) => spiffe({ env }), /SPIFFE CSI driver/],
    ["VERCEL_OIDC_TOKEN", {}, (env) => vercel({ env }), /Secure Backend Access/],
    [
      "IDENTITY_HEADER",
      { IDENTITY_ENDPOINT: "http://127.0.0.1:9" },
      (env) => azureManagedIdentity({ audience: "api://aws", env }),
      /Azure Arc/,
    ],
    [
      "IDENTITY_ENDPOINT",
      { IDENTITY_HEADER: "secret" },
      (env) => azureManagedIdentity({ audience: "api://aws", env }),
      /App Service/,
    ],
  ])("%s", async (name, others, create, hint) => {
    const env = Object.fromEntries(Object.entries(others).filter(([key]) => key !== name));
    for (const blank of [{}, { [name]: "" }, { [name]: " \n" }]) {
      const error = await failureOf(create({ ...env, ...blank }));
      expect(error).toMatchObject({ code: "ERR_SOURCE_NOT_CONFIGURED", retryable: false });
      expect(error.message).toContain(name);
      expect(error.hint).toMatch(hint);
    }
  });

  test.each(Object.keys(POD))("%s", async (name) => {
    using pod = temporaryFolder();
    for (const file of ["token", "ca.crt", "namespace"]) pod.write(file, TOKEN);
    const env = { ...POD, [name]: "" };
    const source = kubernetesTokenRequest({ serviceAccount: "a", folder: pod.path, env });
    expect(await failureOf(source)).toMatchObject({ retryable: false });
    expect((await failureOf(source)).message).toBe(`${name} is not set`);
  });

  test("in a GitHub job the error names the missing permission", async () => {
    const { message } = await failureOf(githubActions({ env: { GITHUB_ACTIONS: "true" } }));
    expect(message).toContain("this job may not request tokens");
    const elsewhere = await failureOf(githubActions({ env: {} }));
    expect(elsewhere.message).toContain("this is not a GitHub Actions job");
  });
});

describe("the token of a variable", () => {
  test.each<[string, (env: Env) => PlatformTokenSource]>([
    ["BITBUCKET_STEP_OIDC_TOKEN", (env) => bitbucket({ env })],
    ["TFC_WORKLOAD_IDENTITY_TOKEN", (env) => terraformCloud({ env })],
    ["TFC_WORKLOAD_IDENTITY_TOKEN_AWS", (env) => terraformCloud({ tag: "AWS", env })],
    ["TFC_WORKLOAD_IDENTITY_TOKEN_ONLY", (env) => terraformCloud({ env })],
    ["MY_TOKEN", (env) => gitlab({ variable: "MY_TOKEN", env })],
    ["CIRCLE_OIDC_TOKEN_V2", (env) => circleci({ variable: "CIRCLE_OIDC_TOKEN_V2", env })],
    ["VERCEL_OIDC_TOKEN", (env) => vercel({ env })],
  ])("%s is returned", async (name, create) => {
    await expect(callSource(create({ [name]: `${TOKEN}\n` }))).resolves.toBe(TOKEN);
  });

  test.each<[string, (env: Env, audience: string) => PlatformTokenSource]>([
    ["BITBUCKET_STEP_OIDC_TOKEN", (env, audience) => bitbucket({ audience, env })],
    ["TFC_WORKLOAD_IDENTITY_TOKEN", (env, audience) => terraformCloud({ audience, env })],
    ["MY_TOKEN", (env, audience) => gitlab({ audience, variable: "MY_TOKEN", env })],
    ["CIRCLE_TOKEN", (env, audience) => circleci({ audience, variable: "CIRCLE_TOKEN", env })],
  ])("%s is refused when it does not have the expected audience", async (name, create) => {
    const env = { [name]: makeToken({ aud: ["one", "two"] }) };
    await expect(callSource(create(env, "two"))).resolves.toBe(env[name]);
    const error = await failureOf(create(env, "three"));
    expect(error).toMatchObject({ code: "ERR_SOURCE_REFUSED", retryable: false });
    expect(error.message).toBe("the token's audience is one and two, not three");
    expect(everythingOf(error)).not.toContain(env[name]);
  });

  test("is ambiguous when Terraform sets several tags, and the error names them", async () => {
    const env = { TFC_WORKLOAD_IDENTITY_TOKEN_A: TOKEN, TFC_WORKLOAD_IDENTITY_TOKEN_B: TOKEN };
    const { message } = await failureOf(terraformCloud({ env }));
    expect(message).toContain("the tags A and B");
    const all = { ...env, TFC_WORKLOAD_IDENTITY_TOKEN: TOKEN };
    await expect(callSource(terraformCloud({ env: all }))).resolves.toBe(TOKEN);
  });

  test("can't be renewed, and its source reports that", () => {
    const of = ({ name, renewable }: PlatformTokenSource) => [name, renewable];
    expect([gitlab(), bitbucket(), terraformCloud(), circleci({ variable: "A" })].map(of)).toEqual([
      ["gitlab", false],
      ["bitbucket", false],
      ["terraformCloud", false],
      ["circleci", false],
    ]);
    expect([circleci(), vercel(), azureWorkloadIdentityFile()].map(of)).toEqual([
      ["circleci", true],
      ["vercel", true],
      ["azureWorkloadIdentityFile", true],
    ]);
  });
});

describe("gitlab without a variable", () => {
  const JOB = { GITLAB_CI: "true", CI_SERVER_URL: "https://gitlab.example.com" };

  test("finds the token that this GitLab issued, whatever the variable's name is", async () => {
    const env = {
      ...JOB,
      WHATEVER: GITLAB_TOKEN,
      OTHER_JWT: TOKEN,
      CI_JOB_JWT: makeToken({ iss: "https://gitlab.example.com" }),
      NOT_A_TOKEN: "eyJ",
    };
    await expect(callSource(gitlab({ env }))).resolves.toBe(GITLAB_TOKEN);
  });

  test("chooses the token for AWS, or for the given audience", async () => {
    const vault = makeToken({ iss: "https://gitlab.example.com", aud: "https://vault" });
    const env = { ...JOB, A: vault, B: GITLAB_TOKEN };
    await expect(callSource(gitlab({ env }))).resolves.toBe(GITLAB_TOKEN);
    await expect(callSource(gitlab({ audience: "https://vault", env }))).resolves.toBe(vault);
    await expect(callSource(gitlab({ env: { ...JOB, A: vault } }))).resolves.toBe(vault);
    const error = await failureOf(gitlab({ audience: "other", env }));
    expect(error.message).toBe(
      "this job has no ID token for the audience other, only A and B with another audience",
    );
  });

  test("fails for several tokens, and names their variables", async () => {
    const other = makeToken({ iss: "https://gitlab.example.com", sub: "other" });
    const error = await failureOf(gitlab({ env: { ...JOB, A: other, B: GITLAB_TOKEN } }));
    expect(error).toMatchObject({ retryable: false });
    expect(error.message).toBe("this job has several ID tokens: A and B");
  });

  test("explains `id_tokens:` when there is no token", async () => {
    const { message, hint } = await failureOf(gitlab({ env: JOB }));
    expect(message).toBe("this job has no ID token");
    expect(hint).toContain("id_tokens: { AWS_ID_TOKEN: { aud: sts.amazonaws.com } }");
  });
});

describe("azureWorkloadIdentityFile", () => {
  test("reads the file for every attempt", async () => {
    using folder = temporaryFolder();
    const env = { AZURE_FEDERATED_TOKEN_FILE: folder.write("token", `${TOKEN}\n`) };
    const source = azureWorkloadIdentityFile({ env });
    await expect(callSource(source)).resolves.toBe(TOKEN);
    const next = makeToken({ sub: "next" });
    folder.write("token", next);
    await expect(callSource(source)).resolves.toBe(next);
  });

  test("reports a missing file as retryable, and a directory as permanent", async () => {
    using folder = temporaryFolder();
    const missing = azureWorkloadIdentityFile({ file: join(folder.path, "missing") });
    expect(await failureOf(missing)).toMatchObject({ retryable: true });
    const directory = azureWorkloadIdentityFile({ file: folder.path });
    expect(await failureOf(directory)).toMatchObject({ retryable: false });
  });
});

describe("vercel", () => {
  const CONTEXT = Symbol.for("@vercel/request-context");
  afterEach(() => {
    Reflect.deleteProperty(globalThis, CONTEXT);
  });
  const setContext = (get: unknown) => Object.assign(globalThis, { [CONTEXT]: { get } });

  test("prefers the token of the request to that of the environment", async () => {
    setContext(() => ({ headers: { "x-vercel-oidc-token": TOKEN } }));
    await expect(callSource(vercel({ env: { VERCEL_OIDC_TOKEN: "old" } }))).resolves.toBe(TOKEN);
  });

  test.each<[string, unknown]>([
    ["no context", () => undefined],
    ["a context without headers", () => ({})],
    ["an empty header", () => ({ headers: { "x-vercel-oidc-token": "" } })],
    ["no getter", undefined],
  ])("uses the environment's token when the request has %s", async (_, get) => {
    setContext(get);
    await expect(callSource(vercel({ env: { VERCEL_OIDC_TOKEN: TOKEN } }))).resolves.toBe(TOKEN);
  });

  test("reads VERCEL_OIDC_TOKEN_FILE last", async () => {
    using folder = temporaryFolder();
    const env = { VERCEL_OIDC_TOKEN_FILE: folder.write("token", TOKEN) };
    await expect(callSource(vercel({ env }))).resolves.toBe(TOKEN);
    const both = { ...env, VERCEL_OIDC_TOKEN: "first" };
    await expect(callSource(vercel({ env: both }))).resolves.toBe("first");
  });
});

describe("misuse of a source", () => {
  test.each<[string, () => unknown, RegExp]>([
    ["an unknown option", () => githubActions({ audiance: "a" } as object), /audiance/],
    ["an empty audience", () => githubActions({ audience: "" }), /`audience`/],
    ["an audience that is not a string", () => gitlab({ audience: 5 } as object), /`audience`/],
    ["no audience for Azure", () => azureManagedIdentity({} as { audience: string }), /`audience`/],
    ["a limit of 0 ms", () => vercel({ timeoutMs: 0 }), /`timeoutMs`/],
    ["a tag that can't be part of a name", () => terraformCloud({ tag: "a-b" }), /`tag`/],
    ["a lifetime under 600 s", () => kubernetesTokenRequest({ expirationSeconds: 599 }), /600/],
    ["null", () => bitbucket(null as unknown as object), /bitbucket/],
  ])("such as %s is a TypeError that names the option", (_, create, words) => {
    expect(create).toThrow(TypeError);
    expect(create).toThrow(words);
  });

  test("explains how to call a factory that was passed as the source", async () => {
    const source = githubActions as unknown as PlatformTokenSource;
    const error = await failureOf((async (context) => source(context)) as PlatformTokenSource);
    expect(error.hint).toBe("Workload: call it: { token: githubActions(…) }.");
  });
});
