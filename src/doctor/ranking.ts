import type { Finding, FindingId, Severity } from "../model/findings.js";

/**
 * Every finding, ordered from cause to effect: what is nearest to the workload, and what makes the rest
 * meaningless, comes first. Of two findings with the same severity, the earlier one is the cause.
 */
export const RANKING: readonly FindingId[] = [
  // Without a token there is nothing to check.
  "token-unreadable",
  "token-malformed",
  "token-too-large",
  // A wrong clock makes good tokens look bad.
  "clock-skew",
  "token-claim-missing",
  "token-claim-invalid",
  "token-algorithm-unsupported",
  "token-audience-ambiguous",
  "token-expired",
  "token-not-yet-valid",
  "role-arn-invalid",
  "role-partition-mismatch",
  "session-name-invalid",
  "duration-invalid",
  // The network path to STS.
  "sts-tls-untrusted",
  "sts-unreachable",
  "sts-timeout",
  // The path to the issuer, from the name to the documents: each step hides those after it.
  "issuer-not-allowed",
  "issuer-dns-failure",
  "issuer-private",
  "issuer-connection-refused",
  "issuer-timeout",
  "issuer-tls-old",
  "issuer-tls-untrusted",
  "issuer-redirects",
  "discovery-http-status",
  "discovery-not-json",
  "discovery-issuer-mismatch",
  "discovery-field-missing",
  "discovery-byte-order-mark",
  "jwks-rate-limited",
  "jwks-http-status",
  "jwks-not-json",
  "jwks-empty",
  "jwks-byte-order-mark",
  "jwks-too-large",
  "jwks-timeout",
  "jwks-too-many-keys",
  "jwks-inconsistent",
  "jwks-key-ambiguous",
  "jwks-key-not-found",
  "jwks-key-unusable",
  "signature-invalid",
  "jwks-slow",
  "discovery-slow",
  // STS's answer, if nothing above explains it.
  "sts-provider-missing",
  "sts-thumbprint",
  "sts-audience-refused",
  "sts-token-refused",
  "sts-token-expired",
  "sts-token-early",
  "sts-access-denied",
  "sts-region-disabled",
  "sts-request-invalid",
  "sts-unknown",
  "sts-verification-key",
  "sts-throttled",
  "sts-unavailable",
  // The shared store, without which a provider works too.
  "store-directory-unsafe",
  "store-access-denied",
  "store-unreachable",
  "store-not-writable",
  "store-broken",
  "store-slow",
  "store-key-unknown",
  "store-clock-skew",
  // What does not fail today.
  "token-variable-unread",
  "token-expires-soon",
  "token-audience-unexpected",
  "discovery-algorithms-unsupported",
  "jwks-not-cacheable",
  "issuer-tls13-only",
  "endpoint-global",
  "region-defaulted",
  "sts-slow",
  "sts-region-slower",
  "sts-date-wrong",
  "proxy-in-use",
  "certificate-expires-soon",
  "store-value-unusable",
];

const AT_THE_ISSUER = RANKING.filter((id) => /^(issuer|discovery|jwks|signature)-/.test(id));
const IN_THE_TOKEN = RANKING.filter((id) => id.startsWith("token-"));
const IN_THE_REQUEST: readonly FindingId[] = [
  "role-arn-invalid",
  "role-partition-mismatch",
  "session-name-invalid",
  "duration-invalid",
];

/** The findings that can explain an answer of STS. An answer without a row explains itself. */
export const EXPLAINED_BY: Readonly<Partial<Record<FindingId, readonly FindingId[]>>> = {
  "sts-verification-key": AT_THE_ISSUER,
  "sts-thumbprint": ["issuer-tls-untrusted"],
  "sts-provider-missing": ["discovery-issuer-mismatch", "token-claim-invalid"],
  "sts-audience-refused": [
    ...IN_THE_TOKEN,
    "signature-invalid",
    "jwks-key-unusable",
    "jwks-key-ambiguous",
    "jwks-key-not-found",
    "jwks-inconsistent",
  ],
  "sts-token-expired": ["clock-skew", "token-expired"],
  "sts-token-early": ["clock-skew", "token-not-yet-valid"],
  "sts-request-invalid": [...IN_THE_REQUEST, ...IN_THE_TOKEN],
  "sts-token-refused": [...IN_THE_TOKEN, "signature-invalid", "jwks-key-unusable"],
  "sts-unknown": IN_THE_TOKEN,
};

const ORDER: readonly Severity[] = ["fatal", "suspect", "advice", "info"];

/**
 * Orders the findings by weight, and chooses the one that explains the others.
 *
 * @param answer - the finding for STS's own refusal, if it refused.
 */
export function rank(
  findings: readonly Finding[],
  answer: Finding | undefined,
): { readonly rootCause: Finding | null; readonly ranked: readonly Finding[] } {
  const sorted = findings.toSorted(byWeight);
  const causes = sorted.filter(({ severity }) => severity === "fatal" || severity === "suspect");
  const behind = causes.filter((each) => isBehind(each, answer));
  const isFinal = answer?.severity === "fatal" || causes[0]?.severity !== "fatal";
  const rootCause = behind[0] ?? (isFinal ? answer : undefined) ?? causes[0] ?? null;
  if (rootCause === null) return { rootCause, ranked: sorted };
  return { rootCause, ranked: [rootCause, ...sorted.filter((each) => each !== rootCause)] };
}

function isBehind({ id }: Finding, answer: Finding | undefined): boolean {
  return answer !== undefined && (EXPLAINED_BY[answer.id]?.includes(id) ?? false);
}

function byWeight(a: Finding, b: Finding): number {
  const severity = ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity);
  return severity || RANKING.indexOf(a.id) - RANKING.indexOf(b.id);
}
