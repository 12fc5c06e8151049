/**
 * How severe a finding is.
 *
 * - `fatal`: STS will refuse this token until someone changes something.
 * - `suspect`: may explain a failure, which may pass; STS may or may not see the same.
 * - `advice`: works today, and may fail later.
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
   * The refusal that makes a `suspect` finding certain, because STS was reported to respond this way:
   * `verification-key` for "Couldn't retrieve verification key from your identity provider",
   * `not-validated` for "The web identity token provided could not be validated".
   */
  readonly confirmedBy?: "verification-key" | "not-validated" | undefined;
}

/** The refusals in which STS reports a fault of an issuer's documents or keys. */
export type KeyRefusal = NonNullable<Finding["confirmedBy"]>;

/** The two documents of an issuer. */
export type DocumentName = "discovery" | "jwks";

/** How long the parts of one request took, and how it ended. */
export interface RequestParts {
  /** The HTTP status; absent when there was no response. */
  readonly status?: number | undefined;
  /** The error code of the system or of OpenSSL (`ECONNREFUSED`, `CERT_HAS_EXPIRED`, `timeout`). */
  readonly error?: string | undefined;
  /** Name resolution, in milliseconds; absent for an IP address, or when a proxy resolves the name. */
  readonly dnsMs?: number | undefined;
  /** TCP connection (through a proxy: the tunnel), in milliseconds. */
  readonly connectMs?: number | undefined;
  /** TLS handshake, in milliseconds. */
  readonly tlsMs?: number | undefined;
  /** From the start to the response's first byte, in milliseconds. */
  readonly firstByteMs?: number | undefined;
  /** From the start to the last byte or the failure, in milliseconds. */
  readonly totalMs: number;
}

/** One request to an issuer: its timing and its response. */
export interface RequestTiming extends RequestParts {
  /** The document that was requested. */
  readonly document: DocumentName;
  /** Its URL. */
  readonly url: string;
  /** Whether the response and its timing are from an earlier request. */
  readonly fromCache: boolean;
  /** How many bytes of the body were read. */
  readonly bytes: number;
  /** The IP address of the connection: the issuer's, or the proxy's. */
  readonly address?: string | undefined;
  /** For example `TLSv1.3`. */
  readonly tlsProtocol?: string | undefined;
  /** The validity of the host's own certificate (ISO 8601). */
  readonly certificate?: { readonly validFrom: string; readonly validTo: string } | undefined;
  /** The headers that matter for caching, rate limits and redirects, made printable. */
  readonly headers: Readonly<Record<string, string>>;
}

/** One key of a JWKS, as STS reads it. */
export interface KeyRow {
  /** May be the empty string; absent when the key has no `kid` that is a string. */
  readonly kid?: string | undefined;
  /** Key type: `RSA`, `EC` or another. */
  readonly kty?: string | undefined;
  /** Algorithm that the key is for, if the JWKS states it. */
  readonly alg?: string | undefined;
  /** Intended use, if the JWKS states it. */
  readonly use?: string | undefined;
  /** Curve of an EC key. */
  readonly crv?: string | undefined;
  /** Length of an RSA modulus, in bits. */
  readonly bits?: number | undefined;
  /** Whether STS can use the key, as far as its form and parameters show. */
  readonly usable: boolean;
  /** Why STS can't use it, or may not. */
  readonly problem?: string | undefined;
  /** `fatal`: STS refuses the key. `suspect`: it is not certain how STS treats it. */
  readonly severity?: "fatal" | "suspect" | undefined;
  /** Whether STS uses this key for the token. */
  readonly matchesToken: boolean;
}

/** The result of an issuer check. */
export interface IssuerReport {
  /** The issuer that the token or the caller names, made printable; empty when the token names none. */
  readonly issuer: string;
  /** Most severe first. */
  readonly findings: readonly Finding[];
  /** The discovery document first; empty when no request was made. */
  readonly requests: readonly RequestTiming[];
  /** The keys of the JWKS; only where a JWKS was read and the caller requested the table. */
  readonly keys?: readonly KeyRow[] | undefined;
}

const BY_SEVERITY: readonly Severity[] = ["fatal", "suspect", "advice", "info"];

/** Compares two findings for a sort: the more severe one comes first. */
export function bySeverity(a: Finding, b: Finding): number {
  return BY_SEVERITY.indexOf(a.severity) - BY_SEVERITY.indexOf(b.severity);
}

/** The first fatal finding, if there is one. */
export function firstFatal(findings: readonly Finding[]): Finding | undefined {
  return findings.find((finding) => finding.severity === "fatal");
}
