import type { Finding } from "../model/findings.js";
import { decodeToken, ISSUERS_WITHOUT_SCHEME, malformedToken } from "../model/jwt.js";
import { STS_ALGORITHMS } from "../model/sts-limits.js";
import { safeText } from "../runtime/redact.js";
import { isLoopbackUrl } from "../runtime/url-host.js";

/** Whose documents are looked at, and for which key. */
export interface Subject {
  readonly issuer: string;
  /** Whether a key is to be found among those of the issuer. */
  readonly asksForKey: boolean;
  /**
   * Absent when the token names none. The empty string is a kid like any other; null stands for a
   * kid that is no string.
   */
  readonly kid: string | null | undefined;
  /** Absent when there is no token. */
  readonly alg: string | undefined;
  /** Verified with the key; never told. */
  readonly token: string | undefined;
}

/** What a token says of its issuer and key, or why nothing can be looked at. */
export function subjectOfToken(token: string): Subject | Finding {
  const decoded = decodeToken(token);
  if ("problem" in decoded) return malformedToken(decoded);
  const { header, claims } = decoded;
  const issuer = typeof claims.iss === "string" ? claims.iss : "";
  if (discoveryUrl(issuer) === undefined) return invalidIssuer(issuer);
  const { kid, alg } = header;
  // What STS makes of other algorithms is no matter of keys.
  const isUsual = typeof alg === "string" && STS_ALGORITHMS.includes(alg);
  return {
    issuer,
    asksForKey: isUsual,
    kid: kid === undefined || typeof kid === "string" ? kid : null,
    alg: isUsual ? alg : undefined,
    token,
  };
}

/** An issuer, and a key of it if one is named. */
export function subjectOfIssuer(issuer: string, kid: string | undefined): Subject | Finding {
  if (discoveryUrl(issuer) === undefined) return invalidIssuer(issuer);
  return { issuer, asksForKey: kid !== undefined, kid, alg: undefined, token: undefined };
}

function invalidIssuer(issuer: string): Finding {
  const shown = safeText(issuer, 100);
  return {
    id: "token-claim-invalid",
    // IAM takes https URLs without a query as issuers alone (API reference, CreateOpenIDConnectProvider).
    severity: "fatal",
    title: "The issuer is not a URL that STS can get keys from.",
    detail: `The issuer ${JSON.stringify(shown)} is not a plain https URL.`,
    remedy: "IdP: name the issuer by an https URL without query, fragment or user name.",
    evidence: { claim: "iss", problem: "is no https URL" },
  };
}

/** The issuer as its discovery document must name it. */
export function canonicalIssuer(issuer: string): string {
  return ISSUERS_WITHOUT_SCHEME.includes(issuer) ? `https://${issuer}` : issuer;
}

/**
 * Where an issuer's discovery document is (OpenID Connect Discovery 1.0, section 4); nothing for
 * what is no issuer URL: another scheme, a query, a fragment, a user name, a blank after the host,
 * or over-long.
 */
export function discoveryUrl(issuer: string): URL | undefined {
  if (issuer.length > 2_048) return undefined;
  const base = canonicalIssuer(issuer);
  const url = URL.canParse(base) ? new URL(base) : undefined;
  if (url === undefined || /[?#]/.test(base) || !isFetchable(url)) return undefined;
  const text = `${base.replace(/\/$/, "")}/.well-known/openid-configuration`;
  // A blank that the URL parser drops from the end does not go into the middle.
  return URL.canParse(text) ? new URL(text) : undefined;
}

/** A host name has at most 253 characters (RFC 1035, section 2.3.4). */
const MAX_HOST_LENGTH = 253;

/** https, or http to this machine, without credentials in it, and with a host that can exist. */
export function isFetchable(url: URL): boolean {
  const isSecure = url.protocol === "https:" || (url.protocol === "http:" && isLoopbackUrl(url));
  const isHost = url.hostname.length <= MAX_HOST_LENGTH;
  return isSecure && isHost && url.username === "" && url.password === "";
}
