import { createPublicKey, type KeyObject, verify, X509Certificate } from "node:crypto";
import { bareKey, keyFormProblem, STS_CURVES } from "../../model/jwk.js";
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
  /** Whether it verifies nothing all the same, which STS tells as a token that it cannot validate. */
  readonly isRefused: boolean;
}

/**
 * Finds the key of a token the way STS does: not by `alg`, and never one without a `kid`. An empty
 * `kid` is one like any other.
 *
 * @throws StsRefusal with the verification-key message.
 */
export function selectVerificationKey(keys: readonly unknown[], token: JsonWebToken): UsableKey {
  const type = token.algorithm.startsWith("RS") ? "RSA" : "EC";
  const ofType = keys.filter((key) => isObject(key) && key.kty === type);
  const usable = usableKeys(keys);
  const only = usable.size === 1 ? [...usable.values()][0] : undefined;
  const named = token.kid === undefined ? undefined : usable.get(token.kid);
  // What STS makes of an empty kid beside one key with another kid is not known: it is let through.
  const found = named ?? (token.kid ? undefined : only);
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
    // Whether STS takes another use than sig and enc is not known: SPIFFE's jwt-svid is let through.
    if (typeof kid !== "string" || use === "enc" || !key) continue;
    const isRefused = (keyOps ?? undefined) !== undefined || keyFormProblem(jwk) !== undefined;
    usable.set(kid, { key, isRefused });
  }
  return usable;
}

/**
 * @throws StsRefusal when the key carries `key_ops` or is not written as RFC 7518 wants it, or the
 * signature is not the key's.
 */
export function verifySignature({ key, isRefused }: UsableKey, token: JsonWebToken): void {
  const { algorithm, signed, signature } = token;
  const isRsa = algorithm.startsWith("RS");
  const fits = isRsa
    ? key.asymmetricKeyType === "rsa"
    : key.asymmetricKeyDetails?.namedCurve === CURVE_OF[algorithm];
  const options = isRsa ? { key } : { key, dsaEncoding: "ieee-p1363" as const };
  const hash = `sha${algorithm.slice(2)}`;
  if (isRefused || !fits || !verify(hash, Buffer.from(signed), options, signature)) {
    throw new StsRefusal(WIRE_ERRORS.notValidated);
  }
}

/**
 * The key of the parameters; none for a JWK with only a certificate or with a contradicting one, or
 * on a curve that no algorithm of STS signs on.
 */
function importKey(jwk: Readonly<Record<string, unknown>>): KeyObject | undefined {
  const { kty, crv, x5c } = jwk;
  if (kty !== "RSA" && kty !== "EC") return undefined;
  if (kty === "EC" && !STS_CURVES.some((curve) => curve === crv)) return undefined;
  try {
    const key = createPublicKey({ key: bareKey(jwk), format: "jwk" });
    return agreesWithCertificate(x5c, key) ? key : undefined;
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
