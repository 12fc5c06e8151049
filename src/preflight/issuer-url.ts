import { ISSUERS_WITHOUT_SCHEME } from "../model/jwt.js";
import { isLoopbackUrl } from "../runtime/loopback.js";

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
