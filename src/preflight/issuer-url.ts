import { isLoopbackUrl } from "../loopback.js";

/** Google's tokens may name their issuer without a scheme (Google Identity, OpenID Connect reference). */
const ISSUERS_WITHOUT_SCHEME = ["accounts.google.com"];

/** The issuer as its discovery document must name it. */
export function canonicalIssuer(issuer: string): string {
  return ISSUERS_WITHOUT_SCHEME.includes(issuer) ? `https://${issuer}` : issuer;
}

/**
 * Where an issuer's discovery document is (OpenID Connect Discovery 1.0, section 4); nothing for
 * what is no issuer URL: another scheme, a query, a fragment, a user name, or over-long.
 */
export function discoveryUrl(issuer: string): URL | undefined {
  if (issuer.length > 2_048) return undefined;
  const base = canonicalIssuer(issuer);
  const url = URL.canParse(base) ? new URL(base) : undefined;
  if (url === undefined || /[?#]/.test(base) || !isFetchable(url)) return undefined;
  return new URL(`${base.replace(/\/$/, "")}/.well-known/openid-configuration`);
}

/** https, or http to this machine, without credentials in it. */
export function isFetchable(url: URL): boolean {
  const isSecure = url.protocol === "https:" || (url.protocol === "http:" && isLoopbackUrl(url));
  return isSecure && url.username === "" && url.password === "";
}
