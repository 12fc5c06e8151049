import type { TokenFacts } from "./attempt.js";

/** The audience that AWS's own integrations (EKS, GitHub Actions) request. */
export const DEFAULT_AUDIENCE = "sts.amazonaws.com";

/**
 * The Kubernetes API server: the audience of a pod's own token, and of any service account token
 * for which none is named (Kubernetes documentation, "ServiceAccount token volume projection").
 */
const KUBERNETES_API = /^(https:\/\/)?kubernetes\.default(\.svc(\.[\w.-]+)?)?(:\d+)?\/?$/i;

/** Whether a token is only for the Kubernetes API. */
export function isForKubernetesApi(audience: TokenFacts["audience"] = []): boolean {
  const audiences = [audience].flat();
  return audiences.length > 0 && audiences.every((each) => KUBERNETES_API.test(each));
}

/** The sentences about such a token. */
export const POD_TOKEN = {
  what: "The token is the pod's own token for the Kubernetes API",
  remedy: `Workload: mount the projected service account token with audience ${DEFAULT_AUDIENCE}, and use its path. On EKS, annotate the service account with eks.amazonaws.com/role-arn and restart the pod.`,
} as const;
