import type { Finding } from "./findings.js";

/** The two documents of an issuer. */
export type DocumentName = "discovery" | "jwks";

/** How long the parts of one request took, and how it ended. */
export interface RequestParts {
  /** The HTTP status; absent when there was no answer. */
  readonly status?: number | undefined;
  /** The error code of the system or of OpenSSL (`ECONNREFUSED`, `CERT_HAS_EXPIRED`, `timeout`). */
  readonly error?: string | undefined;
  /** Name resolution, in milliseconds; absent for an IP address, or when a proxy resolves the name. */
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

/** One request to an issuer: its timing and its answer. */
export interface RequestTiming extends RequestParts {
  /** The document that was requested. */
  readonly document: DocumentName;
  /** Its URL. */
  readonly url: string;
  /** Whether the answer and its timing are from an earlier request. */
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
