/**
 * How long STS waits for an issuer's discovery document and JWKS together, in milliseconds (AWS
 * re:Post, "InvalidIdentityToken: Couldn't retrieve verification key from your identity provider").
 */
export const STS_ISSUER_TIMEOUT_MS = 5_000;

/** The longest `WebIdentityToken`, in characters (AWS STS API reference, AssumeRoleWithWebIdentity). */
export const STS_MAX_TOKEN_LENGTH = 20_000;

/** The tolerance of STS for `exp`, `iat` and `nbf`, in seconds; observed 2026-09. */
export const STS_TIME_TOLERANCE_SECONDS = 300;

/** The signature algorithms that STS verifies; observed 2026-09. */
export const STS_ALGORITHMS: readonly string[] = [
  "RS256",
  "RS384",
  "RS512",
  "ES256",
  "ES384",
  "ES512",
];
