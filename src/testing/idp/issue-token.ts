import type { KeyRing } from "./key-ring.js";
import { type SigningAlgorithm, signCompact } from "./signing-key.js";

/** What a token says and how it is signed. Every part can be made wrong on purpose. */
export interface TokenRequest {
  /** The `sub` claim. @default "test-subject" */
  readonly subject?: string;
  /** The `aud` claim. @default "sts.amazonaws.com" */
  readonly audience?: string | readonly string[];
  /**
   * From now to `exp`, in seconds; negative for a token that has expired, which was then issued an
   * hour before its end. @default 3600
   */
  readonly expiresInSeconds?: number;
  /**
   * Adds and overrides claims. A claim that is `undefined` is left out, one that is `null` is sent
   * as null.
   */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** The payload byte for byte instead of any claims: for what no JSON encoder writes. */
  readonly payload?: string;
  /** Adds and overrides header parameters, with the same rule: `{ kid: undefined }` removes it. */
  readonly header?: Readonly<Record<string, unknown>>;
  /** The `kid` of the key that signs, published or not. @default the current key */
  readonly key?: string;
  /** Must fit the key; any RSA key signs all of RS256, RS384 and RS512. @default the key's own */
  readonly algorithm?: SigningAlgorithm;
  /** Spoils the signature and leaves everything else as it is. @default false */
  readonly breakSignature?: boolean;
}

/** Of a token that nothing else is said of. */
const LIFETIME_SECONDS = 3600;

/** Makes and signs a token. */
export function issueToken(
  keys: KeyRing,
  issuer: string,
  nowMs: number,
  request: TokenRequest = {},
): string {
  const key = request.key === undefined ? keys.current : keys.get(request.key);
  const algorithm = request.algorithm ?? key.algorithm;
  const header = { alg: algorithm, typ: "JWT", kid: key.kid, ...request.header };
  const now = Math.floor(nowMs / 1000);
  const exp = now + Math.floor(request.expiresInSeconds ?? LIFETIME_SECONDS);
  const claims = {
    iss: issuer,
    sub: request.subject ?? "test-subject",
    aud: request.audience ?? "sts.amazonaws.com",
    iat: exp < now ? exp - LIFETIME_SECONDS : now,
    exp,
    ...request.claims,
  };
  const payload = request.payload ?? JSON.stringify(claims);
  const token = signCompact(key, algorithm, JSON.stringify(header), payload);
  return request.breakSignature ? breakSignature(token) : token;
}

/** Flips the first character: the last one may hold bits that base64url ignores. */
function breakSignature(token: string): string {
  const start = token.lastIndexOf(".") + 1;
  const flipped = token[start] === "A" ? "B" : "A";
  return token.slice(0, start) + flipped + token.slice(start + 1);
}
