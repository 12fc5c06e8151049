import {
  createPublicKey,
  type JsonWebKey,
  type KeyObject,
  verify,
  X509Certificate,
} from "node:crypto";
import type { JsonWebToken } from "./json-web-token.js";
import { StsRefusal, WIRE_ERRORS } from "./wire-error.js";

/** Counted apart for RSA and EC: over the limit, no key of that type is usable. */
const MAX_KEYS_PER_TYPE = 100;

const CURVE_OF: Readonly<Record<string, string>> = {
  ES256: "prime256v1",
  ES384: "secp384r1",
  ES512: "secp521r1",
};

interface UsableKey {
  readonly key: KeyObject;
  readonly hasKeyOps: boolean;
}

/**
 * Finds the key of a token the way STS does: not by `alg`, and never one without a `kid`.
 *
 * @throws StsRefusal with the verification-key message.
 */
export function selectVerificationKey(keys: readonly unknown[], token: JsonWebToken): UsableKey {
  const type = token.algorithm.startsWith("RS") ? "RSA" : "EC";
  const ofType = keys.filter((key) => isObject(key) && key.kty === type);
  const usable = usableKeys(keys);
  const only = usable.size === 1 ? [...usable.values()][0] : undefined;
  const found = token.kid === "" ? only : usable.get(token.kid);
  if (ofType.length > MAX_KEYS_PER_TYPE || !found) {
    throw new StsRefusal(WIRE_ERRORS.verificationKey);
  }
  return found;
}

/** The keys of a JWKS that STS can use, by their `kid`: of two with the same the last wins. */
export function usableKeys(keys: readonly unknown[]): Map<string, UsableKey> {
  const usable = new Map<string, UsableKey>();
  for (const jwk of keys) {
    if (!isObject(jwk)) continue;
    const { kid, use, key_ops: keyOps } = jwk;
    const key = importKey(jwk);
    if (typeof kid !== "string" || kid === "" || (use ?? "sig") !== "sig" || !key) continue;
    usable.set(kid, { key, hasKeyOps: keyOps !== undefined });
  }
  return usable;
}

/** @throws StsRefusal when the key carries `key_ops`, or the signature is not the key's. */
export function verifySignature({ key, hasKeyOps }: UsableKey, token: JsonWebToken): void {
  const { algorithm, signed, signature } = token;
  const isRsa = algorithm.startsWith("RS");
  const fits = isRsa
    ? key.asymmetricKeyType === "rsa"
    : key.asymmetricKeyDetails?.namedCurve === CURVE_OF[algorithm];
  const options = isRsa ? { key } : { key, dsaEncoding: "ieee-p1363" as const };
  const hash = `sha${algorithm.slice(2)}`;
  if (hasKeyOps || !fits || !verify(hash, Buffer.from(signed), options, signature)) {
    throw new StsRefusal(WIRE_ERRORS.notValidated);
  }
}

/** The key of the parameters; none for a JWK with only a certificate or with a contradicting one. */
function importKey(jwk: JsonWebKey): KeyObject | undefined {
  const { kty, n, e, crv, x, y } = jwk;
  if (kty !== "RSA" && kty !== "EC") return undefined;
  try {
    const parameters = kty === "RSA" ? { kty, n, e } : { kty, crv, x, y };
    const key = createPublicKey({ key: parameters as JsonWebKey, format: "jwk" });
    return agreesWithCertificate(jwk.x5c, key) ? key : undefined;
  } catch {
    return undefined;
  }
}

function agreesWithCertificate(x5c: unknown, key: KeyObject): boolean {
  const leaf: unknown = Array.isArray(x5c) ? x5c[0] : undefined;
  if (typeof leaf !== "string") return true;
  return new X509Certificate(Buffer.from(leaf, "base64")).publicKey.equals(key);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
