import { checkKeys } from "../../runtime/validators.js";
import type { KeyRing } from "./key-ring.js";
import { type SigningAlgorithm, signCompact } from "./key-ring.js";

/** A record, so that the compiler reports a missing name. */
const KNOWN: Readonly<Record<keyof TokenRequest, true>> = {
  ...{ subject: true, audience: true, expiresInSeconds: true, claims: true, payload: true },
  ...{ header: true, key: true, algorithm: true, breakSignature: true },
};

/** The content and the signature of a token. Each part can be wrong on purpose. */
export interface TokenRequest {
  /** The `sub` claim. @default "test-subject" */
  readonly subject?: string;
  /** The `aud` claim. @default "sts.amazonaws.com" */
  readonly audience?: string | readonly string[];
  /**
   * From now to `exp`, in seconds. Negative for an expired token, whose `iat` is then one hour before
   * its `exp`. @default 3600
   */
  readonly expiresInSeconds?: number;
  /**
   * Adds and replaces claims. The token doesn't contain a claim that is `undefined`; one that is
   * `null` is null in the token.
   */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** The payload byte for byte, in place of the claims: for what a JSON encoder can't write. */
  readonly payload?: string;
  /** Adds and replaces header parameters by the same rule: `{ kid: undefined }` removes the `kid`. */
  readonly header?: Readonly<Record<string, unknown>>;
  /** The `kid` of the key that signs, published or not. @default the current key */
  readonly key?: string;
  /** Must fit the key; an RSA key signs with RS256, RS384 and RS512. @default the key's own */
  readonly algorithm?: SigningAlgorithm;
  /** Makes the signature invalid and changes nothing else. @default false */
  readonly breakSignature?: boolean;
}

/** The default lifetime of a token. */
const LIFETIME_SECONDS = 3600;

/** The IdP that issues a token, and the moment. */
interface Issuing {
  readonly keys: KeyRing;
  readonly issuer: string;
  readonly nowMs: number;
}

/** Makes and signs a token. */
export function issueToken({ keys, issuer, nowMs }: Issuing, request: TokenRequest = {}): string {
  checkKeys("issueToken", request, Object.keys(KNOWN));
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
  const token = signCompact({ header: JSON.stringify(header), payload }, key, algorithm);
  return request.breakSignature ? breakSignature(token) : token;
}

/** Changes the first character: the last one may hold bits that base64url ignores. */
function breakSignature(token: string): string {
  const start = token.lastIndexOf(".") + 1;
  const flipped = token[start] === "A" ? "B" : "A";
  return token.slice(0, start) + flipped + token.slice(start + 1);
}
