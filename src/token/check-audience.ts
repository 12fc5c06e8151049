import type { Finding } from "../model/findings.js";
import { printable } from "../runtime/redact.js";

/** The audience that AWS's own integrations (EKS, GitHub Actions) ask for. */
const DEFAULT_AUDIENCE = "sts.amazonaws.com";

/** What STS will compare with the client ids of the IAM OIDC provider. */
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
  const decisive = typeof azp === "string" ? [azp, ...audiences] : audiences;
  return decisive.some((entry) => known.includes(entry)) ? [] : [unexpected(decisive, known)];
}

function ambiguous(audiences: readonly string[]): Finding {
  const shown = shownList(audiences);
  return {
    id: "token-audience-ambiguous",
    severity: "fatal",
    title: "The token has several audiences and no authorized party.",
    detail: `The token's \`aud\` is ${JSON.stringify(shown)} and it has no \`azp\`.`,
    remedy: `Workload: ask the IdP for a token with the one audience ${DEFAULT_AUDIENCE}.`,
    evidence: { audiences: shown },
  };
}

function unexpected(decisive: readonly string[], known: readonly string[]): Finding {
  const shown = shownList(decisive);
  return {
    id: "token-audience-unexpected",
    severity: "advice",
    title: "The token's audience is not the usual one.",
    detail: `The token is for ${shown.join(", ")}; expected was ${known.join(" or ")}.`,
    remedy:
      "AWS account: the IAM OIDC provider must list this audience among its client ids, and the role's trust policy must admit it.",
    evidence: { audiences: shown, expected: known },
  };
}

function shownList(audiences: readonly string[]): string[] {
  return audiences.slice(0, 10).map((entry) => printable(entry, 200));
}
