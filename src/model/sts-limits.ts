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

/** The length of a session, in seconds (AWS STS API reference, AssumeRoleWithWebIdentity). */
export const STS_DURATION_SECONDS = { min: 900, default: 3_600, max: 43_200 } as const;

/** The claims that STS requires in every OIDC token; observed 2026-09. */
export const STS_REQUIRED_CLAIMS = ["iss", "sub", "aud", "iat", "exp"] as const;

/**
 * The claims that become session tags and a source identity (AWS STS user guide, "Passing session tags
 * using AssumeRoleWithWebIdentity"). A token has them nested, or flattened with a slash after the name.
 */
export const SESSION_TAGS_CLAIM = "https://aws.amazon.com/tags";
export const SOURCE_IDENTITY_CLAIM = "https://aws.amazon.com/source_identity";

/** The members that STS needs in a discovery document; observed 2026-09. */
export const STS_DISCOVERY_MEMBERS = [
  "jwks_uri",
  "response_types_supported",
  "subject_types_supported",
  "id_token_signing_alg_values_supported",
] as const;

/** The limit for RSA and for EC keys. Above it, STS accepts no key of that type; observed 2026-09. */
export const STS_MAX_KEYS_PER_TYPE = 100;

/**
 * Every signed request has the access key ID and the session token in its headers. With a blank or a control
 * character in them, no service would accept a request until they expire.
 */
export const FOR_HEADERS = /^[\x21-\x7e]+$/;

interface SigningKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Whether requests can be signed with these keys, of which the session token is optional. They may be anything. */
export function canSign<K>(keys: K): keys is K & SigningKeys {
  const fields = (keys ?? {}) as Readonly<Record<string, unknown>>;
  const { accessKeyId: id, secretAccessKey: secret, sessionToken } = fields;
  const token = sessionToken ?? "";
  if (typeof id !== "string" || typeof secret !== "string" || typeof token !== "string")
    return false;
  return id !== "" && secret.trim() !== "" && FOR_HEADERS.test(`${id}${token}`);
}
