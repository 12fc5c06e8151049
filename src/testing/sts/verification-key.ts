import { createPublicKey, type KeyObject, verify, X509Certificate } from "node:crypto";
import { bareKey, keyFormProblem, STS_CURVES } from "../../model/jwk.js";
import type { JsonWebToken } from "./web-identity-token.js";
import { StsRefusal, WIRE_ERRORS } from "./wire-error.js";

/** The limit for RSA keys and for EC keys. Above it, no key of that type is usable. */
const MAX_KEYS_PER_TYPE = 100;

const CURVE_OF: Readonly<Record<string, string>> = {
  ES256: "prime256v1",
  ES384: "secp384r1",
  ES512: "secp521r1",
};

interface UsableKey {
  readonly key: KeyObject;
  /** Whether STS finds the key and rejects every token that it signed. */
  readonly isRefused: boolean;
}

/**
 * Finds the key of a token as STS does: not by `alg`, and never a key without a `kid`. An empty
 * `kid` is a `kid`.
 *
 * @throws StsRefusal with the verification-key message.
 */
export function selectVerificationKey(keys: readonly unknown[], token: JsonWebToken): UsableKey {
  const type = token.algorithm.startsWith("RS") ? "RSA" : "EC";
  const ofType = keys.filter((key) => isObject(key) && key.kty === type);
  const usable = usableKeys(keys);
  const only = usable.size === 1 ? [...usable.values()][0] : undefined;
  const named = token.kid === undefined ? undefined : usable.get(token.kid);
  // How STS treats an empty `kid` when the only key has another `kid` isn't known: accept it.
  const found = named ?? (token.kid ? undefined : only);
  if (ofType.length > MAX_KEYS_PER_TYPE || !found) {
    throw new StsRefusal(WIRE_ERRORS.verificationKey);
  }
  return found;
}

/** The keys of a JWKS that STS can use, by `kid`. Of two keys with the same `kid`, the last one counts. */
export function usableKeys(keys: readonly unknown[]): Map<string, UsableKey> {
  const usable = new Map<string, UsableKey>();
  for (const jwk of keys) {
    if (!isObject(jwk)) continue;
    const { kid, use, key_ops: keyOps } = jwk;
    const key = importKey(jwk);
    // Whether STS accepts a `use` other than sig and enc isn't known: accept SPIFFE's jwt-svid.
    if (typeof kid !== "string" || use === "enc" || !key) continue;
    const isRefused = (keyOps ?? undefined) !== undefined || keyFormProblem(jwk) !== undefined;
    usable.set(kid, { key, isRefused });
  }
  return usable;
}

/**
 * @throws StsRefusal when the key has `key_ops` or an encoding that RFC 7518 doesn't allow, or when
 * the key didn't make the signature.
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
 * The key of the parameters. None for a JWK with only a certificate, with the certificate of another
 * key, or on a curve that no algorithm of STS uses.
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
