import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DEFAULT_AUDIENCE, decodeToken } from "../model/jwt.js";
import { systemClock } from "../runtime/clock.js";
import type { Environment } from "../runtime/environment.js";
import { rememberSecret } from "../runtime/known-secrets.js";
import { readField } from "../runtime/redact.js";
import { fromFile } from "../runtime/token-file.js";
import { checkString, resolveNumber } from "../runtime/validators.js";
import { type ResponseRules, requestText, type TokenRequest, tokenIn } from "./bounded-request.js";
import {
  checkInit,
  defineSource,
  notConfigured,
  type PlatformTokenSource,
  parseUrl,
  requireVariable,
  type TokenSourceInit,
} from "./source.js";

/** Init of {@link kubernetesTokenRequest}. */
export interface KubernetesTokenRequestInit extends TokenSourceInit {
  /** The token's `aud`. @default "sts.amazonaws.com" */
  readonly audience?: string | undefined;
  /** The service account whose token is requested. @default the pod's own */
  readonly serviceAccount?: string | undefined;
  /** Namespace of the service account. @default the pod's own */
  readonly namespace?: string | undefined;
  /**
   * How long the token should be valid, in seconds; 600 to 4,294,967,296. The API server may choose another
   * lifetime.
   * @default 3600
   */
  readonly expirationSeconds?: number | undefined;
  /**
   * Directory with the pod's `token`, `namespace` and `ca.crt`.
   * @default "/var/run/secrets/kubernetes.io/serviceaccount"
   */
  readonly folder?: string | undefined;
}

/** Where the kubelet mounts what a pod needs to call the API server. */
const FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount";

/**
 * Tokens of a Kubernetes service account by the TokenRequest API, for clusters whose pods have no
 * projected token for AWS.
 *
 * Required variables: `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT`, which every pod has. The
 * service account needs the verb `create` on `serviceaccounts/token`.
 *
 * @throws TypeError for an invalid option.
 *
 * @example
 * ```ts
 * import { fromWebIdentity } from "resilient-sts";
 * import { kubernetesTokenRequest } from "resilient-sts/token-sources";
 *
 * const credentials = fromWebIdentity({
 *   token: kubernetesTokenRequest(),
 *   roleArn: "arn:aws:iam::123456789012:role/service",
 * });
 * ```
 */
export function kubernetesTokenRequest(init: KubernetesTokenRequestInit = {}): PlatformTokenSource {
  const names = ["serviceAccount", "namespace", "folder"] as const;
  checkInit("kubernetesTokenRequest", init, ["audience", "expirationSeconds", ...names]);
  for (const name of names) checkString(name, init[name]);
  // Limits of the API (Kubernetes API reference, TokenRequestSpec).
  const { audience = DEFAULT_AUDIENCE } = init;
  const lifetime = resolveNumber("expirationSeconds", init.expirationSeconds, {
    fallback: 3600,
    min: 600,
    max: 2 ** 32,
  });
  return defineSource({
    name: "kubernetesTokenRequest",
    renewable: true,
    init,
    async mint(signal, env) {
      const { bearer, ca, path } = await readPod(init, signal);
      const spec = { audiences: [audience], expirationSeconds: Math.floor(lifetime) };
      const options: TokenRequest = {
        service: "the Kubernetes API server",
        method: "POST",
        signal,
        ca,
        url: parseUrl(`${serverOf(env)}${path}`, "KUBERNETES_SERVICE_HOST"),
        direct: true,
        headers: {
          authorization: `Bearer ${bearer}`,
          accept: "application/json",
          "content-type": "application/json",
        },
        body: JSON.stringify({
          apiVersion: "authentication.k8s.io/v1",
          kind: "TokenRequest",
          spec,
        }),
        secrets: [bearer],
        whenUnreachable: "Network: let the pod reach the API server (kubernetes.default.svc).",
      };
      return tokenIn(await requestText(options, RULES), ["status", "token"], options);
    },
  });
}

const RULES: ResponseRules = {
  hintFor: (status) => {
    if (status === 403) {
      return "Cluster: allow this service account the verb `create` on `serviceaccounts/token` (a Role and a RoleBinding).";
    }
    if (status === 404) return "Workload: correct serviceAccount and namespace.";
    if (status === 429 || status >= 500) {
      return "Cluster: this is usually temporary; if it persists, check the load of the API server.";
    }
    return "Cluster: the API server refused the request; read its message.";
  },
};

function serverOf(env: Environment): string {
  const hint = "Workload: run this in a pod; elsewhere, use a token file or another source.";
  const host = requireVariable(env, "KUBERNETES_SERVICE_HOST", hint);
  const port = requireVariable(env, "KUBERNETES_SERVICE_PORT", hint);
  return `https://${host.includes(":") && !host.startsWith("[") ? `[${host}]` : host}:${port}`;
}

/** Reads the files for each attempt: the kubelet replaces the token within the hour. */
async function readPod(init: KubernetesTokenRequestInit, signal: AbortSignal) {
  const { folder = FOLDER } = init;
  const file = (name: string) => join(folder, name);
  try {
    const [token, ca] = await Promise.all([
      fromFile(file("token"), systemClock)({ signal }),
      readFile(file("ca.crt"), "utf8"),
    ]);
    const namespace = init.namespace ?? (await readFile(file("namespace"), "utf8")).trim();
    const bearer = token.trim();
    rememberSecret(bearer);
    const account = init.serviceAccount ?? ownAccount(bearer);
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/serviceaccounts/${encodeURIComponent(account)}/token`;
    return { bearer, ca, path };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" && code !== "EACCES") throw error;
    throw notConfigured(
      `the pod's own token, namespace or ca.crt can't be read from ${folder}: ${code}`,
      "Workload: let the pod mount its service account token (automountServiceAccountToken: true).",
    );
  }
}

/** The service account that the pod's own token names. */
function ownAccount(token: string): string {
  const decoded = decodeToken(token);
  const claims = "problem" in decoded ? {} : decoded.claims;
  const named = readField(readField(claims["kubernetes.io"], "serviceaccount"), "name");
  if (typeof named === "string" && named !== "") return named;
  const sub = /^system:serviceaccount:[^:]+:([^:]+)$/.exec(String(claims.sub))?.[1];
  if (sub !== undefined) return sub;
  throw notConfigured(
    "the pod's own token does not name its service account",
    "Workload: name it (kubernetesTokenRequest({ serviceAccount })).",
  );
}
