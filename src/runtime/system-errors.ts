import { readErrors, readField } from "./redact.js";

/*
 * Reads the errors of Node and of other libraries: the errors behind a thrown value, their code, and
 * which codes are about a server's certificate.
 */

/** A chain may be endless or circular: at most this many of its errors are read. */
const MAX_ERRORS = 16;

/**
 * A thrown value and the errors behind it, nearest first: every `cause`, and the `errors` of an
 * `AggregateError`. `fetch` puts the system's error in its `cause`, and a request handler may wrap it
 * again. Reads fields and never checks a class: an error may come from another realm, from a second copy
 * of a package, or from another runtime. Never throws, whatever was thrown.
 */
export function errorChain(thrown: unknown): readonly unknown[] {
  const chain: unknown[] = [thrown];
  // The chain grows while it is walked.
  for (const error of chain) {
    for (const next of [readField(error, "cause"), ...readErrors(error, MAX_ERRORS)]) {
      if (chain.length >= MAX_ERRORS) return chain;
      if (next !== undefined && next !== null && !chain.includes(next)) chain.push(next);
    }
  }
  return chain;
}

/** The first `code` that is a string along the chain (`ECONNREFUSED`). */
export function errorCode(thrown: unknown): string | undefined {
  for (const error of errorChain(thrown)) {
    const code = readField(error, "code");
    if (typeof code === "string" && code !== "") return code;
  }
  return undefined;
}

/**
 * Why Node does not accept a server's TLS certificate: its error codes (Node.js API, `tls`, "X509
 * certificate error codes") in words that follow the server's name and a colon. Only the two that depend
 * on the clock can pass without a change.
 */
export const CERTIFICATE_FAULTS: Readonly<Record<string, string>> = {
  CERT_CHAIN_TOO_LONG: "its certificate chain is too long",
  CERT_HAS_EXPIRED: "its certificate has expired",
  CERT_NOT_YET_VALID: "its certificate is not valid yet",
  CERT_REJECTED: "its certificate is rejected by the trust settings of this machine",
  CERT_REVOKED: "its certificate was revoked",
  CERT_SIGNATURE_FAILURE: "the signature of its certificate is wrong",
  CERT_UNTRUSTED: "its certificate is not trusted for TLS servers",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is self-signed",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another host name",
  HOSTNAME_MISMATCH: "its certificate is for another host name",
  INVALID_CA: "its certificate is signed by one that is not a CA",
  INVALID_PURPOSE: "its certificate is not for TLS servers",
  PATH_LENGTH_EXCEEDED: "its chain is longer than its CA allows",
  SELF_SIGNED_CERT_IN_CHAIN: "its chain ends in a CA that this machine does not trust",
  UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY: "the key of its CA can't be read",
  UNABLE_TO_DECRYPT_CERT_SIGNATURE: "the signature of its certificate can't be read",
  UNABLE_TO_GET_ISSUER_CERT: "its chain is incomplete",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its chain ends in a CA that this machine does not know",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    "the CA that signed its certificate is unknown: an intermediate is missing, or the CA is private",
};

/** Whether a code reports that a certificate is not accepted; includes codes that a later Node may add. */
export function isCertificateFault(code: string): boolean {
  return (
    Object.hasOwn(CERTIFICATE_FAULTS, code) || /^(CERT_|CRL_|UNABLE_TO_|ERROR_IN_C)/.test(code)
  );
}
