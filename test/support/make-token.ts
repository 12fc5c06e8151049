import { type CheckedToken, checkToken } from "../../src/token/check.js";

/** The moment of every check, in seconds since the epoch. */
export const NOW_SECONDS = 1_800_000_000;
export const NOW = NOW_SECONDS * 1000;

/** Claims that STS accepts. */
export const CLAIMS = {
  iss: "https://issuer.example.com/tenant",
  sub: "repo:acme/app:ref:refs/heads/main",
  aud: "sts.amazonaws.com",
  iat: NOW_SECONDS - 10,
  exp: NOW_SECONDS + 3_600,
};
export const HEADER = { alg: "RS256", kid: "key-1", typ: "JWT" };

export const base64url = (text: string | Uint8Array) => Buffer.from(text).toString("base64url");

/** A signature that no test verifies, and that is recognizable in any output. */
export const SIGNATURE = base64url("a signature that must not be shown to anybody");

/** A compact JWT. A claim that is `undefined` is absent. */
export function makeToken(
  claims: Readonly<Record<string, unknown>> = {},
  header: Readonly<Record<string, unknown>> = {},
): string {
  return fromJson(
    JSON.stringify({ ...CLAIMS, ...claims }),
    JSON.stringify({ ...HEADER, ...header }),
  );
}

/** A compact JWT of parts that need not be JSON. */
export function fromJson(claims: string | Uint8Array, header = JSON.stringify(HEADER)): string {
  return `${base64url(header)}.${base64url(claims)}.${SIGNATURE}`;
}

/** The checks at {@link NOW}. */
export function check(token: string): CheckedToken {
  return checkToken(token, { now: NOW });
}

/** `id` of every finding, fatal ones with a `!`. */
export function ids(token: string): string[] {
  return check(token).findings.map(({ id, severity }) => (severity === "fatal" ? `${id}!` : id));
}
