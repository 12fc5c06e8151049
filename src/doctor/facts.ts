import type { TokenFacts } from "../model/errors.js";
import type { Verdict } from "../model/failure.js";
import type { DocumentName, KeyRow, RequestParts, RequestTiming } from "../model/issuer-report.js";
import type { RejectedDate } from "../sts/server-clock.js";

/** The parts of a run; those that do not wait for each other run side by side. */
export type Step = "token" | "issuer-network" | "issuer-documents" | "sts-endpoint" | "assume-role";

/** Everything that was gathered. What could not be gathered is absent. */
export interface Facts {
  /** When the run began (ISO 8601). */
  readonly startedAt: string;
  /** How long it took, in milliseconds. */
  readonly elapsedMs: number;
  /** Steps that were cut off because the time was up. */
  readonly unfinished: readonly Step[];
  /** Every setting in use, and where it came from. */
  readonly settings: readonly Setting[];
  readonly token?: TokenReport | undefined;
  readonly issuer?: IssuerFacts | undefined;
  /** The chosen endpoint first, then those of `failoverRegions`; empty when an issuer alone was asked for. */
  readonly sts: readonly EndpointFacts[];
  /** Of the chosen STS endpoint's clock against this machine's. */
  readonly clockSkewMs?: number | undefined;
  /** Absent when no call was made. */
  readonly assumeRole?: AssumeRoleFacts | undefined;
}

/** A setting, its value as it may be shown, and its source. */
export interface Setting {
  readonly name:
    | "token"
    | "audience"
    | "profile"
    | "roleArn"
    | "roleSessionName"
    | "durationSeconds"
    | "region"
    | "failoverRegions"
    | "issuer"
    | "endpointUrl"
    | "stsRegionalEndpoints";
  /** Absent when it is not set anywhere; never a token. */
  readonly value?: string | undefined;
  /** `option`, the name of an environment variable, `profile`, `token`, `default` or `none`. */
  readonly source: string;
}

/** What can be told of the token. */
export interface TokenReport extends TokenFacts {
  /** `the token file /var/run/…` or `the token given`. */
  readonly source: string;
  /** Where STS's trust policy looks; absent with `redact`. */
  readonly subject?: string | undefined;
  readonly notBefore?: number | undefined;
  /** Characters. */
  readonly length?: number | undefined;
  /** Until `exp`, in seconds; negative when it has passed. */
  readonly secondsLeft?: number | undefined;
  /** From `iat` to `exp`, in seconds. */
  readonly lifetimeSeconds?: number | undefined;
}

/** One address that a name resolved to. */
export interface AddressFacts {
  readonly address: string;
  readonly family: 4 | 6;
  readonly isPublic: boolean;
  /** TCP connection to this very address, in milliseconds; absent when it was not tried or failed. */
  readonly connectMs?: number | undefined;
  /** Why no connection came about (`ECONNREFUSED`, `timeout`). */
  readonly error?: string | undefined;
}

/** What the network says of an issuer, and what the issuer publishes. */
export interface IssuerFacts {
  readonly issuer: string;
  readonly discoveryUrl?: string | undefined;
  readonly jwksUrl?: string | undefined;
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  /** The proxy in use, without credentials. */
  readonly proxy?: string | undefined;
  readonly dnsMs?: number | undefined;
  /** Such as `ENOTFOUND` or `timeout`. */
  readonly dnsError?: string | undefined;
  readonly addresses: readonly AddressFacts[];
  readonly tls?: TlsFacts | undefined;
  /** The requests of the look that the findings are about. */
  readonly requests: readonly RequestTiming[];
  /** Of up to three tries of each document. */
  readonly latency: readonly Latency[];
  /** The keys of the JWKS, with the token's key marked. */
  readonly keys?: readonly KeyRow[] | undefined;
}

/** Total times of one document, in milliseconds. */
export interface Latency {
  readonly document: DocumentName;
  readonly triesMs: readonly number[];
  readonly minMs: number;
  readonly medianMs: number;
  readonly maxMs: number;
}

/** A TLS handshake with a host, as it was served. */
export interface TlsFacts {
  /** Such as `TLSv1.3`. */
  readonly protocol?: string | undefined;
  /** Whether a connection that speaks only this version comes about; absent when not known. */
  readonly offers: {
    readonly tls11?: boolean | undefined;
    readonly tls12?: boolean | undefined;
    readonly tls13?: boolean | undefined;
  };
  /** Whether Node trusts the chain for this host. */
  readonly isTrusted: boolean;
  /** OpenSSL's code of why not. */
  readonly error?: string | undefined;
  /** Whether the first certificate is for this host. */
  readonly hostMatches?: boolean | undefined;
  /** Whether each certificate is signed by the next one served. */
  readonly isInOrder?: boolean | undefined;
  /** As served, the host's own first. */
  readonly chain: readonly CertificateFacts[];
}

/** One certificate of a chain. */
export interface CertificateFacts {
  readonly subject: string;
  readonly issuer: string;
  /** ISO 8601. */
  readonly validFrom: string;
  /** ISO 8601. */
  readonly validTo: string;
  readonly names: readonly string[];
  readonly isSelfSigned: boolean;
  /** SHA-1 in hexadecimal: what IAM calls the thumbprint. */
  readonly thumbprint: string;
}

/** One STS endpoint as this machine sees it, by a bare GET: any status is an answer. */
export interface EndpointFacts extends RequestParts {
  readonly region: string;
  readonly regionSource: string;
  readonly url: string;
  readonly host: string;
  readonly kind: "regional" | "global" | "custom";
  /** The regional endpoint's host, where the global one is in use. */
  readonly regionalHost?: string | undefined;
  readonly isFips: boolean;
  readonly isDualStack: boolean;
  /** Such as `aws` or `aws-cn`. */
  readonly partition?: string | undefined;
  readonly addresses: readonly AddressFacts[];
  /** Whether it resolves to a private address: an interface VPC endpoint, or a split horizon. */
  readonly isPrivate: boolean;
  readonly proxy?: string | undefined;
  readonly tlsProtocol?: string | undefined;
  /** When the host's own certificate begins and ends (ISO 8601). */
  readonly certificate?: { readonly validFrom: string; readonly validTo: string } | undefined;
  /** Which part it failed in, when it did. */
  readonly failedIn?: "dns" | "connect" | "tls" | "answer" | undefined;
  /** The endpoint's clock minus this machine's, in milliseconds; whole seconds at best. */
  readonly clockSkewMs?: number | undefined;
}

/** The one real AssumeRoleWithWebIdentity call. */
export interface AssumeRoleFacts {
  readonly region: string;
  /** `ok`, or what the failure means. */
  readonly outcome: "ok" | Verdict;
  /** The wire code of the answer (`InvalidIdentityToken`) or the system's (`ECONNRESET`). */
  readonly code?: string | undefined;
  /** The words of the answer. */
  readonly message?: string | undefined;
  readonly httpStatus?: number | undefined;
  /** What AWS Support asks for. */
  readonly requestId?: string | undefined;
  readonly ms: number;
  /** When the credentials end (ISO 8601); they themselves are dropped at once. */
  readonly expiresAt?: string | undefined;
  /** The answer's `Date`, where it cannot be right. */
  readonly rejectedDate?: RejectedDate | undefined;
}
