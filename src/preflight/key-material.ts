import { createPublicKey, type JsonWebKey, X509Certificate } from "node:crypto";
import { type JsonObject, member } from "./json-document.js";

/** The parameters that make the key; `alg`, `use`, `key_ops` and all else are left behind. */
export function bareKey(jwk: JsonObject): JsonWebKey {
  const names = jwk.kty === "RSA" ? ["kty", "n", "e"] : ["kty", "crv", "x", "y"];
  return Object.fromEntries(names.map((name) => [name, member(jwk, name)])) as JsonWebKey;
}

const kept = new WeakMap<JsonObject, ReturnType<typeof load>>();

/** Whether the parameters make a key, and the certificate that stands with them is of that key. */
export function isLoadable(jwk: JsonObject): ReturnType<typeof load> {
  const known = kept.get(jwk) ?? load(jwk);
  kept.set(jwk, known);
  return known;
}

function load(jwk: JsonObject): true | { readonly problem: string; readonly isCertain: boolean } {
  let key: ReturnType<typeof createPublicKey>;
  try {
    key = createPublicKey({ key: bareKey(jwk), format: "jwk" });
  } catch {
    return { problem: "its parameters make no key", isCertain: true };
  }
  const x5c = member(jwk, "x5c");
  const leaf: unknown = Array.isArray(x5c) ? x5c[0] : undefined;
  if (typeof leaf !== "string") return true;
  try {
    const certificate = new X509Certificate(Buffer.from(leaf, "base64"));
    if (certificate.publicKey.equals(key)) return true;
    return { problem: "its x5c is the certificate of another key", isCertain: true };
  } catch {
    // What STS makes of a certificate that nobody can read is not known.
    return { problem: "its x5c cannot be read", isCertain: false };
  }
}
