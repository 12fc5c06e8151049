// The result of a run: the diagnosis and the facts behind it. All of it is plain data.

import type { StoredSample, StoreOperation } from "../model/credential-store.js";
import type { Verdict } from "../model/failure.js";
import type {
  DocumentName,
  Finding,
  KeyRow,
  RequestParts,
  RequestTiming,
} from "../model/findings.js";
import type { TokenFacts } from "../model/jwt.js";
import type { RejectedDate } from "../sts/server-clock.js";

/** The result of {@link diagnose}: plain data that survives JSON, without token, signature or secret. */
export interface Diagnosis {
  /** Raised when a field changes its meaning or is removed; a new field does not raise it. */
  readonly schemaVersion: 1;
  /**
   * - `broken`: the workload can't get credentials. If the root cause is `fatal`, that lasts until
   *   someone changes something; if it is `suspect`, it may pass.
   * - `degraded`: the workload may get credentials, and the root cause explains why it fails at times.
   * - `healthy`: no finding is more severe than advice.
   */
  readonly verdict: "healthy" | "degraded" | "broken";
  /** The one finding that explains the others; `null` when the verdict is `healthy`. */
  readonly rootCause: Finding | null;
  /** In the order of their weight, the root cause first. */
  readonly findings: readonly Finding[];
  /** Every request and connection, in the order of their start. */
  readonly timings: readonly Timing[];
  /** The observations behind the findings. */
  readonly facts: Facts;
}

/** One request, connection or read, and how long its parts took. */
export interface Timing extends RequestParts {
  /** The step. */
  readonly step: Step;
  /** The other side. */
  readonly party: "token" | "issuer" | "sts";
  /** Such as `discovery document (request 2)` or `STS in eu-west-1`. */
  readonly label: string;
  /** What was requested; absent for a step without a request. */
  readonly url?: string | undefined;
  /** When it began, in milliseconds since the start of the run. */
  readonly startMs: number;
  /** When STS would stop waiting, in milliseconds: it waits 5000 for both documents together. */
  readonly limitMs?: number | undefined;
}

/** Reports that a step began or ended. */
export interface Progress {
  /** The step. */
  readonly step: Step;
  /** Whether the step has just started or finished. */
  readonly state: "started" | "finished";
  /** What the step does, in a few words. */
  readonly label: string;
  /** Since the run began, in milliseconds. */
  readonly elapsedMs: number;
}

/** The steps of a run. Steps that do not depend on each other run in parallel. */
export type Step =
  | "token"
  | "issuer-network"
  | "issuer-documents"
  | "sts-endpoint"
  | "assume-role"
  | "store";

/** Stands for an account ID in a redacted diagnosis. */
export const MASKED_ACCOUNT = "************";

/** Everything that was gathered. A fact that could not be gathered is absent. */
export interface Facts {
  /** When the run began (ISO 8601). */
  readonly startedAt: string;
  /** How long it took, in milliseconds. */
  readonly elapsedMs: number;
  /** Steps that were cut off by the end of the run. */
  readonly unfinished: readonly Step[];
  /** Every setting in use, and where it came from. */
  readonly settings: readonly Setting[];
  /** What the token says; absent without a token. */
  readonly token?: TokenReport | undefined;
  /** How the issuer responds; absent without an issuer. */
  readonly issuer?: IssuerFacts | undefined;
  /** The chosen endpoint first, then those of `failoverRegions`; empty when only an issuer was checked. */
  readonly sts: readonly EndpointFacts[];
  /** The clock of the chosen STS endpoint minus this machine's, in milliseconds. */
  readonly clockSkewMs?: number | undefined;
  /** Absent when no call was made. */
  readonly assumeRole?: AssumeRoleFacts | undefined;
  /** Absent when no store was given. */
  readonly store?: StoreFacts | undefined;
}

/** A setting, its value as it may be shown, and its source. */
export interface Setting {
  /** The setting. */
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

/** The facts about the token. */
export interface TokenReport extends TokenFacts {
  /** `the token file /var/run/…` or `the token given`. */
  readonly source: string;
  /** The `sub` claim, which the role's trust policy compares; absent with `redact`. */
  readonly subject?: string | undefined;
  /** The `nbf` claim, in seconds since the epoch. */
  readonly notBefore?: number | undefined;
  /** The length of the token, in characters. */
  readonly length?: number | undefined;
  /** The time until `exp`, in seconds; negative when the token has expired. */
  readonly secondsLeft?: number | undefined;
  /** The time from `iat` to `exp`, in seconds. */
  readonly lifetimeSeconds?: number | undefined;
}

/** One address that a name resolved to. */
export interface AddressFacts {
  /** The IP address. */
  readonly address: string;
  /** IP version of the address. */
  readonly family: 4 | 6;
  /** Whether the address can be reached from the internet. */
  readonly isPublic: boolean;
  /** Duration of the TCP connection, in milliseconds; absent when it was not tried or failed. */
  readonly connectMs?: number | undefined;
  /** Why the connection failed (`ECONNREFUSED`, `timeout`). */
  readonly error?: string | undefined;
}

/** The network path to an issuer, and what the issuer publishes. */
export interface IssuerFacts {
  /** The `iss` claim, or the issuer that was named. */
  readonly issuer: string;
  /** URL of the discovery document. */
  readonly discoveryUrl?: string | undefined;
  /** URL of the JWKS. */
  readonly jwksUrl?: string | undefined;
  /** Host of the issuer. */
  readonly host?: string | undefined;
  /** Port of the issuer. */
  readonly port?: number | undefined;
  /** The proxy in use, without credentials. */
  readonly proxy?: string | undefined;
  /** Duration of the name resolution, in milliseconds. */
  readonly dnsMs?: number | undefined;
  /** Such as `ENOTFOUND` or `timeout`. */
  readonly dnsError?: string | undefined;
  /** The addresses that the host name resolves to. */
  readonly addresses: readonly AddressFacts[];
  /** The TLS connection; absent when there was none. */
  readonly tls?: TlsFacts | undefined;
  /** The requests of the issuer check, which the findings are about. */
  readonly requests: readonly RequestTiming[];
  /** The latency of each document, in up to three requests. */
  readonly latency: readonly Latency[];
  /** The keys of the JWKS, with the token's key marked. */
  readonly keys?: readonly KeyRow[] | undefined;
}

/** Total times of one document, in milliseconds. */
export interface Latency {
  /** The document that was requested. */
  readonly document: DocumentName;
  /** Duration of each request, in milliseconds. */
  readonly triesMs: readonly number[];
  /** The shortest of them. */
  readonly minMs: number;
  /** Their median. */
  readonly medianMs: number;
  /** The longest of them. */
  readonly maxMs: number;
}

/** What a host serves over TLS. */
export interface TlsFacts {
  /** The negotiated version, such as `TLSv1.3`. */
  readonly protocol?: string | undefined;
  /** Whether a handshake with only this version succeeds; absent when not known. */
  readonly offers: {
    readonly tls11?: boolean | undefined;
    readonly tls12?: boolean | undefined;
    readonly tls13?: boolean | undefined;
  };
  /** Whether Node trusts the chain for this host. */
  readonly isTrusted: boolean;
  /** The code of OpenSSL, if Node does not trust it. */
  readonly error?: string | undefined;
  /** Whether the first certificate is for this host. */
  readonly hostMatches?: boolean | undefined;
  /** Whether each certificate is signed by the next one served. */
  readonly isInOrder?: boolean | undefined;
  /** In the order of the host, usually its own certificate first. */
  readonly chain: readonly CertificateFacts[];
}

/** One certificate of a chain. */
export interface CertificateFacts {
  /** Distinguished name of the certificate's subject. */
  readonly subject: string;
  /** Distinguished name of the certificate authority. */
  readonly issuer: string;
  /** When the certificate becomes valid (ISO 8601). */
  readonly validFrom: string;
  /** When the certificate expires (ISO 8601). */
  readonly validTo: string;
  /** Host names that the certificate is valid for. */
  readonly names: readonly string[];
  /** Whether the certificate is signed by its own key. */
  readonly isSelfSigned: boolean;
  /** The SHA-1 fingerprint in hexadecimal, which IAM calls the thumbprint. */
  readonly thumbprint: string;
}

/** One STS endpoint, measured by a bare GET from this machine. Any status counts as a response. */
export interface EndpointFacts extends RequestParts {
  /** The region. */
  readonly region: string;
  /** Where the region was configured. */
  readonly regionSource: string;
  /** URL of the endpoint. */
  readonly url: string;
  /** Host name of the endpoint. */
  readonly host: string;
  /** Whether it is a regional endpoint, the global one, or one that was configured. */
  readonly kind: "regional" | "global" | "custom";
  /** The regional endpoint's host, where the global one is in use. */
  readonly regionalHost?: string | undefined;
  /** Whether it is a FIPS endpoint. */
  readonly isFips: boolean;
  /** Whether it is a dual-stack endpoint (IPv4 and IPv6). */
  readonly isDualStack: boolean;
  /** Such as `aws` or `aws-cn`. */
  readonly partition?: string | undefined;
  /** The addresses that the host name resolves to. */
  readonly addresses: readonly AddressFacts[];
  /** Whether it resolves to a private address: a VPC interface endpoint, or split-horizon DNS. */
  readonly isPrivate: boolean;
  /** The proxy that the environment names for this endpoint, without its password. */
  readonly proxy?: string | undefined;
  /** The negotiated protocol, such as `TLSv1.3`. */
  readonly tlsProtocol?: string | undefined;
  /** When the host's own certificate becomes valid and when it expires (ISO 8601). */
  readonly certificate?: { readonly validFrom: string; readonly validTo: string } | undefined;
  /** The part in which the request failed, if it did. */
  readonly failedIn?: "dns" | "connect" | "tls" | "response" | undefined;
  /** The endpoint's clock minus this machine's, in milliseconds, with an accuracy of a second. */
  readonly clockSkewMs?: number | undefined;
}

/** The one real AssumeRoleWithWebIdentity call. */
export interface AssumeRoleFacts {
  /** The region whose STS was called. */
  readonly region: string;
  /** `ok`, or what the failure means. */
  readonly outcome: "ok" | Verdict;
  /** The code of the STS response (`InvalidIdentityToken`) or of the system (`ECONNRESET`). */
  readonly code?: string | undefined;
  /** The message of the STS response or of the system. */
  readonly message?: string | undefined;
  /** HTTP status of the response; absent when there was none. */
  readonly httpStatus?: number | undefined;
  /** The request ID of the STS response, for AWS Support. */
  readonly requestId?: string | undefined;
  /** Duration of the call, in milliseconds. */
  readonly ms: number;
  /** When the credentials expire (ISO 8601). The credentials are dropped immediately. */
  readonly expiresAt?: string | undefined;
  /** The response's `Date`, if it can't be right. */
  readonly rejectedDate?: RejectedDate | undefined;
}

/** The result of a round trip through the shared store, under a key of the doctor's own. */
export interface StoreFacts {
  /** Such as `redis` or `file`. */
  readonly name: string;
  /** The directory or the namespace; absent when the store does not report it. */
  readonly place?: string | undefined;
  /** The operations that succeeded, in order. */
  readonly operations: readonly { readonly operation: StoreOperation; readonly ms: number }[];
  /** The operation that failed, which ended the round trip. */
  readonly failed?:
    | {
        readonly operation: StoreOperation;
        /** Such as `timeout` or `ECONNREFUSED`. */
        readonly code?: string | undefined;
        readonly message?: string | undefined;
      }
    | undefined;
  /** How the store broke its contract. */
  readonly violations: readonly string[];
  /** The store's clock minus this machine's, in milliseconds. */
  readonly clockSkewMs?: number | undefined;
  /** The IDs of the keys in use, the one that encrypts first. */
  readonly keyIds?: readonly string[] | undefined;
  /** A sample of what is stored, counted by key ID and problem. */
  readonly sample?: readonly StoredSample[] | undefined;
}
