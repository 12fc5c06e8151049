// What a check is about: the issuer, the URL of its discovery document, and the key of the token.

import type { Finding } from "../model/findings.js";
import { decodeToken, ISSUERS_WITHOUT_SCHEME, malformedToken } from "../model/jwt.js";
import { STS_ALGORITHMS } from "../model/sts-limits.js";
import { safeText } from "../runtime/redact.js";
import { isLoopbackUrl } from "../runtime/url-host.js";

/** The issuer whose documents are checked, and the key that they must contain. */
export interface Subject {
  readonly issuer: string;
  /** Whether the issuer must publish a certain key. */
  readonly needsKey: boolean;
  /**
   * Absent when the token names none. The empty string is a kid like any other; null stands for a
   * kid that is not a string.
   */
  readonly kid: string | null | undefined;
  /** Absent when there is no token. */
  readonly alg: string | undefined;
  /** The token, whose signature is verified with the key. It appears in no report. */
  readonly token: string | undefined;
}

/** Reads the issuer and the key from a token, or returns the finding that explains why it can't. */
export function subjectOfToken(token: string): Subject | Finding {
  const decoded = decodeToken(token);
  if ("problem" in decoded) return malformedToken(decoded);
  const { header, claims } = decoded;
  const issuer = typeof claims.iss === "string" ? claims.iss : "";
  if (discoveryUrl(issuer) === undefined) return invalidIssuer(issuer);
  const { kid, alg } = header;
  // How STS treats other algorithms does not depend on the keys.
  const isUsual = typeof alg === "string" && STS_ALGORITHMS.includes(alg);
  return {
    issuer,
    needsKey: isUsual,
    kid: kid === undefined || typeof kid === "string" ? kid : null,
    alg: isUsual ? alg : undefined,
    token,
  };
}

/** The subject of a check without a token: an issuer, and one of its keys if `kid` names one. */
export function subjectOfIssuer(issuer: string, kid: string | undefined): Subject | Finding {
  if (discoveryUrl(issuer) === undefined) return invalidIssuer(issuer);
  return { issuer, needsKey: kid !== undefined, kid, alg: undefined, token: undefined };
}

function invalidIssuer(issuer: string): Finding {
  const shown = safeText(issuer, 100);
  return {
    id: "token-claim-invalid",
    // IAM accepts only https URLs without a query as issuers (API reference, CreateOpenIDConnectProvider).
    severity: "fatal",
    title: "The issuer is not a URL that STS can get keys from.",
    detail: `The issuer ${JSON.stringify(shown)} is not a plain https URL.`,
    remedy: "IdP: name the issuer by an https URL without query, fragment or user name.",
    evidence: { claim: "iss", problem: "is not an https URL" },
  };
}

/** The longest URL that is requested. IAM accepts issuers of up to 255 characters. */
export const MAX_URL_LENGTH = 2_048;

/** The issuer as its discovery document must name it. */
export function canonicalIssuer(issuer: string): string {
  return ISSUERS_WITHOUT_SCHEME.includes(issuer) ? `https://${issuer}` : issuer;
}

/**
 * The URL of an issuer's discovery document (OpenID Connect Discovery 1.0, section 4). `undefined` for
 * text that is not an issuer URL because it has another scheme, a query, a fragment, a user name, a blank
 * after the host, or too many characters.
 */
export function discoveryUrl(issuer: string): URL | undefined {
  if (issuer.length > MAX_URL_LENGTH) return undefined;
  const base = canonicalIssuer(issuer);
  const url = URL.canParse(base) ? new URL(base) : undefined;
  if (url === undefined || /[?#]/.test(base) || !isFetchable(url)) return undefined;
  const text = `${base.replace(/\/$/, "")}/.well-known/openid-configuration`;
  // The URL parser drops a blank from the end of the issuer, but not from the middle of this text.
  return URL.canParse(text) ? new URL(text) : undefined;
}

/** A host name has at most 253 characters (RFC 1035, section 2.3.4). */
const MAX_HOST_LENGTH = 253;

/** Whether a URL may be requested: https (or http to this machine), no credentials, a possible host name. */
export function isFetchable(url: URL): boolean {
  const isSecure = url.protocol === "https:" || (url.protocol === "http:" && isLoopbackUrl(url));
  const isHost = url.hostname.length <= MAX_HOST_LENGTH;
  return isSecure && isHost && url.username === "" && url.password === "";
}
