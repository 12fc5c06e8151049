import { ANNOTATE_SERVICE_ACCOUNT } from "../model/jwt.js";
import { systemClock } from "../runtime/clock.js";
import { type Environment, readVariable } from "../runtime/environment.js";
import { fromFile } from "../runtime/token-file.js";
import { expected, word } from "../runtime/validators.js";
import { azureManagedIdentity, azureWorkloadIdentityFile } from "./azure.js";
import { fly } from "./fly.js";
import { githubActions } from "./github-actions.js";
import { googleMetadata } from "./google-metadata.js";
import { kubernetesTokenRequest } from "./kubernetes.js";
import { buildkite, circleci } from "./program-sources.js";
import {
  checkInit,
  defineSource,
  notConfigured,
  type PlatformTokenSource,
  requireVariable,
  type TokenSourceInit,
  withAudience,
} from "./source.js";
import { TOKEN_SOURCE_NAMES, type TokenSourceName } from "./source-names.js";
import { spiffe } from "./spiffe.js";
import {
  bitbucket,
  gitlab,
  hasGitlabToken,
  terraformCloud,
  terraformVariables,
} from "./variable-sources.js";
import { hasVercelRequest, vercel } from "./vercel.js";

/** Init of {@link detectTokenSource}. */
export interface DetectTokenSourceInit extends TokenSourceInit {
  /**
   * The token's `aud`. Where the platform fixes the audience, the source refuses a token with another
   * one.
   * @default "sts.amazonaws.com" where the workload chooses it, else the one that the platform fixed
   */
  readonly audience?: string | undefined;
  /**
   * The source to use, regardless of the environment.
   * @default "auto": the one that the environment variables identify
   */
  readonly source?: TokenSourceName | "auto" | undefined;
}

interface Platform {
  /** The platform's name in messages. */
  readonly label: string;
  /** Whether the variables show that a token is available. */
  readonly isReady: (env: Environment) => boolean;
  /** Whether the process runs on the platform. If it has no token there, the error says what is missing. */
  readonly isHere?: (env: Environment) => boolean;
  readonly create: (init: SourceInit) => PlatformTokenSource;
}

type SourceInit = TokenSourceInit & { readonly audience?: string };

const has =
  (...names: string[]) =>
  (env: Environment) =>
    names.every((name) => readVariable(env, name) !== undefined);

/** Only variables identify a platform: the detection calls no link-local address. */
const PLATFORMS: Readonly<Record<TokenSourceName, Platform>> = {
  webIdentityTokenFile: {
    label: "a token file (AWS_WEB_IDENTITY_TOKEN_FILE)",
    isReady: has("AWS_WEB_IDENTITY_TOKEN_FILE"),
    create: webIdentityTokenFile,
  },
  githubActions: {
    label: "GitHub Actions",
    isReady: has("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
    isHere: has("GITHUB_ACTIONS"),
    create: githubActions,
  },
  gitlab: {
    label: "GitLab CI",
    isReady: hasGitlabToken,
    isHere: has("GITLAB_CI"),
    create: gitlab,
  },
  circleci: {
    label: "CircleCI",
    isReady: (env) =>
      has("CIRCLECI")(env) && (has("CIRCLE_OIDC_TOKEN")(env) || has("CIRCLE_OIDC_TOKEN_V2")(env)),
    isHere: has("CIRCLECI"),
    create: circleci,
  },
  bitbucket: {
    label: "Bitbucket Pipelines",
    isReady: has("BITBUCKET_STEP_OIDC_TOKEN"),
    isHere: has("BITBUCKET_BUILD_NUMBER"),
    create: bitbucket,
  },
  buildkite: {
    label: "Buildkite",
    isReady: has("BUILDKITE_JOB_ID", "BUILDKITE_AGENT_ACCESS_TOKEN"),
    isHere: has("BUILDKITE"),
    create: buildkite,
  },
  terraformCloud: {
    label: "HCP Terraform",
    isReady: (env) => terraformVariables(env).length > 0,
    isHere: has("TFC_RUN_ID"),
    create: terraformCloud,
  },
  vercel: {
    label: "Vercel",
    isReady: (env) =>
      hasVercelRequest() || has("VERCEL_OIDC_TOKEN")(env) || has("VERCEL_OIDC_TOKEN_FILE")(env),
    isHere: has("VERCEL"),
    create: vercel,
  },
  fly: {
    label: "Fly.io",
    isReady: has("FLY_APP_NAME", "FLY_MACHINE_ID"),
    create: fly,
  },
  spiffe: {
    label: "SPIFFE",
    isReady: has("SPIFFE_ENDPOINT_SOCKET"),
    create: spiffe,
  },
  azureWorkloadIdentityFile: {
    label: "Azure Workload Identity",
    isReady: has("AZURE_FEDERATED_TOKEN_FILE"),
    create: azureWorkloadIdentityFile,
  },
  azureManagedIdentity: {
    label: "an Azure managed identity",
    isReady: has("IDENTITY_ENDPOINT", "IDENTITY_HEADER"),
    create: ({ audience, ...init }) => {
      if (audience !== undefined) return azureManagedIdentity({ ...init, audience });
      throw notConfigured(
        "an Azure managed identity needs an audience",
        "Workload: pass as `audience` the application ID URI of the app registration that stands for AWS.",
      );
    },
  },
  googleMetadata: {
    label: "Google Cloud",
    isReady: isGoogleServerless,
    create: googleMetadata,
  },
  kubernetesTokenRequest: {
    label: "the Kubernetes API",
    // Every pod has these variables; they don't show whether it may request tokens.
    isReady: () => false,
    create: kubernetesTokenRequest,
  },
};

/**
 * The token source of the platform that this process runs on. `source` takes precedence; without it the
 * environment variables decide, at each call. If two platforms match, the error names both.
 *
 * It calls no link-local address to find the platform. Cloud Run and App Engine set variables that identify
 * them; virtual machines, GKE and Kubernetes clusters don't: pass `googleMetadata`,
 * `azureManagedIdentity` or `kubernetesTokenRequest` there.
 *
 * @throws TypeError for an invalid option.
 *
 * @example
 * ```ts
 * import { fromWebIdentity } from "resilient-sts";
 * import { detectTokenSource } from "resilient-sts/token-sources";
 *
 * const credentials = fromWebIdentity({
 *   token: detectTokenSource(),
 *   roleArn: "arn:aws:iam::123456789012:role/service",
 * });
 * ```
 */
export function detectTokenSource(init: DetectTokenSourceInit = {}): PlatformTokenSource {
  checkInit("detectTokenSource", init, ["audience", "source"]);
  const { source: wanted = "auto", audience, ...common } = init;
  if (wanted !== "auto" && !TOKEN_SOURCE_NAMES.includes(wanted)) {
    const known = ["auto", ...TOKEN_SOURCE_NAMES].join(", ");
    throw expected("source", `to be one of ${known}`, word(wanted));
  }
  const passedOn: SourceInit = { ...common, ...(audience !== undefined && { audience }) };
  let last: PlatformTokenSource | undefined;
  const find = (): PlatformTokenSource => {
    const name = wanted === "auto" ? detect(init.env ?? process.env) : wanted;
    // Keep the source: it may cache what it has read.
    if (last?.name !== name) last = PLATFORMS[name].create(passedOn);
    return last;
  };
  const found = (): PlatformTokenSource | undefined => {
    try {
      return find();
    } catch {
      // The call reports why.
      return undefined;
    }
  };
  const source = async (context: Parameters<PlatformTokenSource>[0]) => find()(context);
  return Object.defineProperties(source, {
    name: { get: () => found()?.name ?? "detectTokenSource" },
    renewable: { get: () => found()?.renewable ?? true, enumerable: true },
  }) as PlatformTokenSource;
}

/**
 * The sources that have a token according to the environment variables. If there are none, the source of
 * the platform that the process runs on: its error says what is missing.
 */
export function matchingSources(env: Environment): readonly TokenSourceName[] {
  const ready = TOKEN_SOURCE_NAMES.filter((name) => PLATFORMS[name].isReady(env));
  if (ready.length > 0) return ready;
  return TOKEN_SOURCE_NAMES.filter((name) => PLATFORMS[name].isHere?.(env)).slice(0, 1);
}

/** @throws TokenSourceError when no platform matches, or more than one. */
function detect(env: Environment): TokenSourceName {
  const matching = matchingSources(env);
  const [first, ...others] = matching;
  if (others.length > 0) {
    throw notConfigured(
      `several token sources match: ${matching.map(withLabel).join(" and ")}`,
      `Workload: name the one to use (source: "${first}").`,
    );
  }
  if (first !== undefined) return first;
  throw notConfigured(
    "no environment variable identifies a token source",
    `Workload: name it (source: "googleMetadata"), or set AWS_WEB_IDENTITY_TOKEN_FILE. Known sources: ${TOKEN_SOURCE_NAMES.join(", ")}.`,
  );
}

function withLabel(name: TokenSourceName): string {
  return `${name} (${PLATFORMS[name].label})`;
}

/**
 * Cloud Run services, jobs and worker pools, Cloud Functions and App Engine. Knative sets K_SERVICE
 * too, but in a Kubernetes cluster, which another variable identifies.
 */
function isGoogleServerless(env: Environment): boolean {
  const inCluster = has("KUBERNETES_SERVICE_HOST")(env);
  const named = ["K_SERVICE", "CLOUD_RUN_JOB", "CLOUD_RUN_WORKER_POOL", "GAE_SERVICE"];
  return !inCluster && named.some((name) => has(name)(env));
}

/** EKS (IRSA), and any other platform that mounts a token for AWS. */
function webIdentityTokenFile(init: SourceInit): PlatformTokenSource {
  return defineSource({
    name: "webIdentityTokenFile",
    renewable: true,
    init,
    async mint(signal, env) {
      const hint = `Workload: set AWS_WEB_IDENTITY_TOKEN_FILE; on EKS, ${ANNOTATE_SERVICE_ACCOUNT}.`;
      const file = requireVariable(env, "AWS_WEB_IDENTITY_TOKEN_FILE", hint);
      const token = await fromFile(file, systemClock)({ signal });
      return withAudience(token, init.audience, "Workload: mount a token for that audience.");
    },
  });
}
