/**
 * How severe a finding is.
 *
 * - `fatal`: STS will refuse this token until someone changes something.
 * - `suspect`: explains a failure that may pass; STS may or may not see the same.
 * - `advice`: works today, and will cause trouble later.
 * - `info`: worth knowing.
 */
export type Severity = "fatal" | "suspect" | "advice" | "info";

/** The stable IDs of all findings. Part of the public API. */
export type FindingId =
  | "token-unreadable"
  | "token-variable-unread"
  | "token-malformed"
  | "token-too-large"
  | "token-claim-missing"
  | "token-claim-invalid"
  | "token-algorithm-unsupported"
  | "token-audience-ambiguous"
  | "token-expired"
  | "token-not-yet-valid"
  | "token-expires-soon"
  | "token-audience-unexpected"
  | "issuer-not-allowed"
  | "issuer-private"
  | "issuer-dns-failure"
  | "issuer-connection-refused"
  | "issuer-timeout"
  | "issuer-tls-untrusted"
  | "issuer-tls-old"
  | "issuer-tls13-only"
  | "issuer-redirects"
  | "discovery-http-status"
  | "discovery-not-json"
  | "discovery-issuer-mismatch"
  | "discovery-field-missing"
  | "discovery-byte-order-mark"
  | "discovery-algorithms-unsupported"
  | "discovery-slow"
  | "jwks-slow"
  | "jwks-http-status"
  | "jwks-rate-limited"
  | "jwks-timeout"
  | "jwks-not-json"
  | "jwks-empty"
  | "jwks-byte-order-mark"
  | "jwks-too-large"
  | "jwks-too-many-keys"
  | "jwks-inconsistent"
  | "jwks-key-not-found"
  | "jwks-key-ambiguous"
  | "jwks-key-unusable"
  | "signature-invalid"
  | "jwks-not-cacheable"
  | "proxy-in-use"
  | "role-arn-invalid"
  | "role-partition-mismatch"
  | "session-name-invalid"
  | "duration-invalid"
  | "region-defaulted"
  | "endpoint-global"
  | "sts-unreachable"
  | "sts-timeout"
  | "sts-tls-untrusted"
  | "sts-slow"
  | "sts-region-slower"
  | "clock-skew"
  | "sts-date-wrong"
  | "sts-verification-key"
  | "sts-provider-missing"
  | "sts-audience-refused"
  | "sts-token-refused"
  | "sts-thumbprint"
  | "sts-access-denied"
  | "sts-throttled"
  | "sts-unavailable"
  | "sts-region-disabled"
  | "sts-token-expired"
  | "sts-token-early"
  | "sts-request-invalid"
  | "sts-unknown"
  | "certificate-expires-soon"
  | "store-unreachable"
  | "store-access-denied"
  | "store-directory-unsafe"
  | "store-not-writable"
  | "store-broken"
  | "store-slow"
  | "store-key-unknown"
  | "store-value-unusable"
  | "store-clock-skew";

/** One fact that a check found, with what to do about it. */
export interface Finding {
  /** The name of the finding; each has a section in the findings guide. */
  readonly id: FindingId;
  /** How certain it is that the finding makes calls fail. */
  readonly severity: Severity;
  /** One plain sentence, without values. */
  readonly title: string;
  /** The same with the values that the check read. */
  readonly detail: string;
  /**
   * What to do, and who must do it: the workload, the IdP, the AWS account, the network or the
   * operator of the shared store. Lines after the first are commands for a POSIX shell.
   */
  readonly remedy: string;
  /** The values that the check read, for programs. Never a token, a signature or a secret. */
  readonly evidence: Readonly<Record<string, unknown>>;
  /**
   * The refusal that makes a `suspect` finding certain, because STS was reported to answer this way:
   * `verification-key` for "Couldn't retrieve verification key from your identity provider",
   * `not-validated` for "The web identity token provided could not be validated".
   */
  readonly confirmedBy?: "verification-key" | "not-validated" | undefined;
}

/** The refusals in which STS reports a fault of an issuer's documents or keys. */
export type KeyRefusal = NonNullable<Finding["confirmedBy"]>;

/** The first fatal finding, if there is one. */
export function firstFatal(findings: readonly Finding[]): Finding | undefined {
  return findings.find((finding) => finding.severity === "fatal");
}
