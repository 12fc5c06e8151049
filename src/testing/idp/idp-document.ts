import { createHash } from "node:crypto";

/** The two documents that an IdP publishes. */
export type IdpDocumentName = "discovery" | "jwks";

/**
 * What the IdP serves in place of a document: a value (as JSON), a string (byte for byte), or a
 * function that receives the correct document and returns the one to serve.
 */
export type IdpDocument =
  | string
  | Readonly<Record<string, unknown>>
  | ((right: Readonly<Record<string, unknown>>) => unknown);

/** The discovery document of an issuer (OpenID Connect Discovery 1.0, section 3). */
export function discoveryDocument(
  issuer: string,
  algorithms: readonly string[],
): Record<string, unknown> {
  return {
    issuer,
    jwks_uri: documentUrl(issuer, "jwks"),
    response_types_supported: ["id_token"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: algorithms,
    claims_supported: ["iss", "sub", "aud", "exp", "iat"],
  };
}

/** The URL of a document of an issuer. A slash at the end of the issuer isn't doubled. */
export function documentUrl(issuer: string, name: IdpDocumentName): string {
  const base = issuer.replace(/\/$/, "");
  return name === "discovery" ? `${base}/.well-known/openid-configuration` : `${base}/jwks`;
}

/** The text of the document as the IdP serves it now. */
export function documentBody(
  right: Readonly<Record<string, unknown>>,
  override: IdpDocument | undefined,
): string {
  const served = typeof override === "function" ? override(right) : (override ?? right);
  return typeof served === "string" ? served : (JSON.stringify(served) ?? "");
}

/** A strong validator (RFC 9110, section 8.8.3). */
export function entityTag(body: string): string {
  return `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`;
}

/** Whether `If-None-Match` contains this validator. */
export function matchesEntityTag(ifNoneMatch: string | undefined, tag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  const tags = ifNoneMatch.split(",").map((text) => text.trim().replace(/^W\//, ""));
  return tags.includes(tag) || tags.includes("*");
}
