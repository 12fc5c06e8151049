import type { JsonWebKey, KeyObject } from "node:crypto";
import { createHash, generateKeyPair, sign } from "node:crypto";
import { promisify } from "node:util";

/** The algorithms STS verifies. */
export type SigningAlgorithm = "RS256" | "RS384" | "RS512" | "ES256" | "ES384" | "ES512";

/** A key pair of the IdP. */
export interface SigningKey {
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
  readonly privateKey: KeyObject;
  /** The public half, as the JWKS shows it. */
  readonly jwk: JsonWebKey;
}

const generate = promisify(generateKeyPair);

const CURVES = { ES256: "P-256", ES384: "P-384", ES512: "P-521" } as const;

/** Makes a key pair; the default `kid` is its thumbprint (RFC 7638). */
export async function generateSigningKey(
  algorithm: SigningAlgorithm,
  kid?: string,
): Promise<SigningKey> {
  const { publicKey, privateKey } = isEllipticCurve(algorithm)
    ? await generate("ec", { namedCurve: CURVES[algorithm] })
    : await generate("rsa", { modulusLength: 2048 });
  const jwk = publicKey.export({ format: "jwk" });
  const id = kid ?? thumbprint(jwk);
  return { kid: id, algorithm, privateKey, jwk: { ...jwk, kid: id, use: "sig", alg: algorithm } };
}

/**
 * Signs a header and a payload, both taken byte for byte, as a compact JWS (RFC 7515, section 3.1).
 *
 * @throws TypeError when the key cannot sign with that algorithm.
 */
export function signCompact(
  key: SigningKey,
  algorithm: SigningAlgorithm,
  header: string,
  payload: string,
): string {
  const fits = isEllipticCurve(algorithm)
    ? algorithm === key.algorithm
    : !isEllipticCurve(key.algorithm);
  if (!fits) throw new TypeError(`The ${key.algorithm} key ${key.kid} cannot sign ${algorithm}`);
  const input = `${base64url(header)}.${base64url(payload)}`;
  const signature = sign(`sha${algorithm.slice(2)}`, Buffer.from(input), {
    key: key.privateKey,
    dsaEncoding: "ieee-p1363",
  });
  return `${input}.${signature.toString("base64url")}`;
}

function isEllipticCurve(algorithm: SigningAlgorithm): algorithm is keyof typeof CURVES {
  return algorithm in CURVES;
}

function base64url(text: string): string {
  return Buffer.from(text).toString("base64url");
}

function thumbprint(jwk: JsonWebKey): string {
  const { crv, e, kty, n, x, y } = jwk;
  const members = kty === "EC" ? { crv, kty, x, y } : { e, kty, n };
  return createHash("sha256").update(JSON.stringify(members)).digest("base64url");
}
