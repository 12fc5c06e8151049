import type { Finding } from "./findings.js";

/** The two documents of an issuer. */
export type DocumentName = "discovery" | "jwks";

/** How long one request took, part by part, and what came of it. */
export interface RequestParts {
  /** The HTTP status; absent when there was no answer. */
  readonly status?: number | undefined;
  /** The system's or OpenSSL's code of what went wrong (`ECONNREFUSED`, `CERT_HAS_EXPIRED`, `timeout`). */
  readonly error?: string | undefined;
  /** Name resolution, in milliseconds; absent for an address, or when a proxy does it. */
  readonly dnsMs?: number | undefined;
  /** TCP connection (through a proxy: the tunnel), in milliseconds. */
  readonly connectMs?: number | undefined;
  /** TLS handshake, in milliseconds. */
  readonly tlsMs?: number | undefined;
  /** From the start to the answer's first byte, in milliseconds. */
  readonly firstByteMs?: number | undefined;
  /** From the start to the last byte or the failure, in milliseconds. */
  readonly totalMs: number;
}

/** One request to an issuer: how long it took, and what came back. */
export interface RequestTiming extends RequestParts {
  readonly document: DocumentName;
  readonly url: string;
  /** Whether the figures are those of an earlier request whose answer is still kept. */
  readonly fromCache: boolean;
  /** The length of the body as far as it was read. */
  readonly bytes: number;
  /** The address that was connected to: the issuer's, or the proxy's. */
  readonly address?: string | undefined;
  /** Such as `TLSv1.3`. */
  readonly tlsProtocol?: string | undefined;
  /** When the host's own certificate begins and ends (ISO 8601). */
  readonly certificate?: { readonly validFrom: string; readonly validTo: string } | undefined;
  /** The headers that matter to caching, rate limits and redirects; made printable. */
  readonly headers: Readonly<Record<string, string>>;
}

/** One key of a JWKS as STS sees it. */
export interface KeyRow {
  /** The empty string is one; absent when there is none that is a string. */
  readonly kid?: string | undefined;
  readonly kty?: string | undefined;
  readonly alg?: string | undefined;
  readonly use?: string | undefined;
  readonly crv?: string | undefined;
  /** Length of an RSA modulus, in bits. */
  readonly bits?: number | undefined;
  /** Whether nothing in its form or its parameters speaks against its use by STS. */
  readonly usable: boolean;
  /** What speaks against it. */
  readonly problem?: string | undefined;
  /** `fatal`: STS refuses it. `suspect`: what STS makes of it is not known for sure. */
  readonly severity?: "fatal" | "suspect" | undefined;
  /** Whether it is the one that STS takes for the token. */
  readonly matchesToken: boolean;
}

/** What a look at an issuer found. */
export interface IssuerReport {
  /** As the token (or the caller) names it, made printable; empty when the token names none. */
  readonly issuer: string;
  /** Most severe first. */
  readonly findings: readonly Finding[];
  /** Discovery first; empty when no request was made. */
  readonly requests: readonly RequestTiming[];
  /** The keys of the JWKS, where one was read and the table was asked for. */
  readonly keys?: readonly KeyRow[] | undefined;
}
