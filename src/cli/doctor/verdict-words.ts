import type { Diagnosis } from "../../doctor/diagnosis.js";
import type { FindingId } from "../../model/findings.js";

/** Causes that can pass without a change: an outage, a rate limit, a slow answer. */
const MAY_PASS: readonly FindingId[] = [
  "issuer-dns-failure",
  "issuer-connection-refused",
  "issuer-timeout",
  "discovery-http-status",
  "discovery-slow",
  "jwks-http-status",
  "jwks-rate-limited",
  "jwks-timeout",
  "jwks-slow",
  "jwks-key-not-found",
  "sts-timeout",
  "sts-unreachable",
  "sts-verification-key",
  "sts-throttled",
  "sts-unavailable",
];

/** The verdict in a sentence that claims no more than what was checked. */
export function verdictSentence({ verdict, rootCause, facts }: Diagnosis): string {
  const isIssuerAlone = facts.token === undefined;
  const mayPass =
    rootCause !== null && rootCause.severity !== "fatal" && MAY_PASS.includes(rootCause.id);
  switch (verdict) {
    case "broken":
      if (mayPass) return "No credentials now. The cause can pass without a change, and return.";
      return isIssuerAlone
        ? "STS cannot use this issuer until the cause is fixed."
        : "No credentials until the cause is fixed.";
    case "degraded":
      return mayPass
        ? "The cause below explains failures that come and go."
        : "The cause below can keep STS from verifying tokens.";
    case "healthy":
      if (isIssuerAlone) return "Nothing is wrong with this issuer, as seen from here.";
      return facts.assumeRole === undefined
        ? "Nothing wrong was found; STS was not asked for credentials."
        : "The role can be assumed with this token.";
  }
}
