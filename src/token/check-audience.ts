import { DEFAULT_AUDIENCE, isForKubernetesApi, POD_TOKEN } from "../model/audience.js";
import type { Finding } from "../model/findings.js";
import { safeText } from "../runtime/redact.js";

/**
 * What STS compares with the client IDs of the IAM OIDC provider: `azp` where the token has one, else
 * `aud`; observed 2026-09.
 */
export function checkAudience(
  { aud, azp }: Readonly<Record<string, unknown>>,
  expected: readonly string[] = [],
): Finding[] {
  const audiences = (Array.isArray(aud) ? aud : [aud]).filter(
    (entry): entry is string => typeof entry === "string" && entry !== "",
  );
  if (audiences.length === 0) return [];
  if (audiences.length > 1 && azp === undefined) return [ambiguous(audiences)];
  const known = [DEFAULT_AUDIENCE, ...expected];
  if (typeof azp === "string") {
    // The claims are checked elsewhere: an empty one is refused, and not only unexpected.
    return azp === "" || known.includes(azp) ? [] : [unexpectedParty(azp, audiences, known)];
  }
  return audiences.some((entry) => known.includes(entry)) ? [] : [unexpected(audiences, known)];
}

function ambiguous(audiences: readonly string[]): Finding {
  const shown = shownList(audiences);
  return {
    id: "token-audience-ambiguous",
    severity: "fatal",
    title: "The token has several audiences and no authorized party.",
    detail: `The token's \`aud\` is ${JSON.stringify(shown)} and it has no \`azp\`.`,
    remedy: `Workload: request a token with one audience, ${DEFAULT_AUDIENCE}. IdP: or add an \`azp\` that is a client ID of the IAM OIDC provider.`,
    evidence: { audiences: shown },
  };
}

function unexpected(audiences: readonly string[], known: readonly string[]): Finding {
  const shown = shownList(audiences);
  const base = {
    id: "token-audience-unexpected",
    severity: "advice",
    detail: `The token is for ${shown.join(", ")}; expected was ${known.join(" or ")}.`,
    evidence: { audiences: shown, expected: known },
  } as const;
  if (isForKubernetesApi(audiences)) {
    return { ...base, title: `${POD_TOKEN.what}.`, remedy: POD_TOKEN.remedy };
  }
  return {
    ...base,
    title: "The token's audience is not the usual one.",
    remedy:
      "AWS account: the IAM OIDC provider must list this audience among its client IDs, and the role's trust policy must allow it.",
  };
}

function unexpectedParty(
  azp: string,
  audiences: readonly string[],
  known: readonly string[],
): Finding {
  const [party] = shownList([azp]);
  const shown = shownList(audiences);
  return {
    id: "token-audience-unexpected",
    severity: "advice",
    title: "The token's azp decides, and it is not the usual one.",
    detail: `The token has azp ${party} and aud ${shown.join(", ")}; STS compares azp, and expected was ${known.join(" or ")}.`,
    remedy: `AWS account: the IAM OIDC provider must list azp ${party} among its client IDs, and the role's trust policy must allow it as aud.`,
    evidence: { azp: party, audiences: shown, expected: known },
  };
}

function shownList(audiences: readonly string[]): string[] {
  return audiences.slice(0, 10).map((entry) => safeText(entry, 200));
}
