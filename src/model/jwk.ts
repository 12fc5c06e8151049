import type { JsonWebKey } from "node:crypto";

/** A JWK from an issuer's JSON: its members may have any type. */
type Members = Readonly<Record<string, unknown>>;

/** Octets of one coordinate, by the curves of ES256, ES384 and ES512 (RFC 7518, sections 3.4 and 6.2.1). */
const COORDINATE_OCTETS: Readonly<Record<string, number>> = {
  "P-256": 32,
  "P-384": 48,
  "P-521": 66,
};

/** The curves of the algorithms that STS verifies; observed 2026-09 for ES256, ES384 and ES512. */
export const STS_CURVES: readonly string[] = Object.keys(COORDINATE_OCTETS);

/** The members that are numbers, by key type. */
const NUMBERS: Readonly<Record<string, readonly string[]>> = { RSA: ["n", "e"], EC: ["x", "y"] };

/** OpenSSL and the Java platform accept RSA numbers of at most 16,384 bits: 2,731 characters. */
export const MAX_NUMBER_LENGTH = 4_096;

/**
 * How the encoding of an RSA or EC key breaks RFC 7518, in words; undefined when it does not.
 * RFC 7518 (sections 2, 6.2.1 and 6.3.1) requires base64url without padding (RFC 7515, section 2). An
 * RSA number must not have a leading zero octet; an EC coordinate must have all octets of the curve. Many
 * libraries are less strict, including Node. STS was reported to refuse a modulus with a leading zero octet.
 */
export function keyFormProblem(jwk: Members): string | undefined {
  const { kty, crv } = jwk;
  const names = typeof kty === "string" && Object.hasOwn(NUMBERS, kty) ? NUMBERS[kty] : [];
  const octets = kty === "EC" ? coordinateOctets(crv) : undefined;
  return names
    ?.map((name) => numberProblem(name, jwk[name], octets))
    .find((problem) => problem !== undefined);
}

function numberProblem(name: string, text: unknown, octets: number | undefined) {
  if (typeof text !== "string" || text.length > MAX_NUMBER_LENGTH) return undefined;
  const foreign = /[^\w-]/.exec(text)?.[0];
  if (foreign !== undefined) {
    return `its ${name} is not base64url (RFC 7515): it contains ${nameOf(foreign)}`;
  }
  if (text.length % 4 === 1) return `its ${name} is not base64url (RFC 7515): it is cut off`;
  const bytes = Buffer.from(text, "base64url");
  if (octets === undefined) {
    // The number zero is one zero octet.
    if (bytes[0] !== 0 || bytes.length === 1) return undefined;
    return `its ${name} begins with a zero octet (${bytes.length} octets in all), which RFC 7518 does not allow`;
  }
  if (bytes.length === octets) return undefined;
  return `its ${name} has ${bytes.length} octets instead of the curve's ${octets} (RFC 7518)`;
}

function nameOf(character: string): string {
  if (character === "=") return "the padding character =";
  if ("+/".includes(character)) return `${character} of plain base64`;
  return /\s/.test(character) ? "a space or a line break" : "another character";
}

function coordinateOctets(crv: unknown): number | undefined {
  return typeof crv === "string" && Object.hasOwn(COORDINATE_OCTETS, crv)
    ? COORDINATE_OCTETS[crv]
    : undefined;
}

/**
 * The parameters of the key in the form that RFC 7518 requires, so that a key in another form still
 * verifies signatures. Leaves out `alg`, `use`, `key_ops` and every other member.
 */
export function bareKey(jwk: Members): JsonWebKey {
  const own = (name: string) => (Object.hasOwn(jwk, name) ? jwk[name] : undefined);
  const { kty, crv } = { kty: own("kty"), crv: own("crv") };
  if (kty === "RSA") {
    return { kty, n: canonical(own("n")), e: canonical(own("e")) } as JsonWebKey;
  }
  const octets = coordinateOctets(crv);
  return {
    kty,
    crv,
    x: canonical(own("x"), octets),
    y: canonical(own("y"), octets),
  } as JsonWebKey;
}

function canonical(text: unknown, octets = 0): unknown {
  if (typeof text !== "string" || text.length > MAX_NUMBER_LENGTH) return undefined;
  const bytes = Buffer.from(text, "base64url");
  const start = bytes.findIndex((byte) => byte !== 0);
  const number = start === -1 ? Buffer.alloc(0) : bytes.subarray(start);
  const missing = Math.max(0, octets - number.length);
  return Buffer.concat([Buffer.alloc(missing), number]).toString("base64url");
}
