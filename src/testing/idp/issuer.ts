import { createHash, generateKeyPair, type JsonWebKey, type KeyObject, sign } from "node:crypto";
import { promisify } from "node:util";
import { checkKeys } from "../../runtime/validators.js";

/* An issuer: its two documents, its keys, and the tokens that they sign. */

/** The two documents that an IdP publishes. */
export type IdpDocumentName = "discovery" | "jwks";

/** The discovery document of an issuer (OpenID Connect Discovery 1.0, section 3). */
export function discoveryDocument(
  issuer: string,
  algorithms: readonly string[],
): Record<string, unknown> {
  return {
    issuer,
    jwks_uri: documentUrl(issuer, "jwks"),
    response_types_supported: ["id_token"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: algorithms,
    claims_supported: ["iss", "sub", "aud", "exp", "iat"],
  };
}

/** The URL of a document of an issuer. A slash at the end of the issuer isn't doubled. */
export function documentUrl(issuer: string, name: IdpDocumentName): string {
  const base = issuer.replace(/\/$/, "");
  return name === "discovery" ? `${base}/.well-known/openid-configuration` : `${base}/jwks`;
}

/** The algorithms that STS verifies. */
export type SigningAlgorithm = "RS256" | "RS384" | "RS512" | "ES256" | "ES384" | "ES512";

/** A key pair of the IdP. */
interface SigningKey {
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
  readonly privateKey: KeyObject;
  /** The public key, as the JWKS contains it. */
  readonly jwk: JsonWebKey;
}

const generate = promisify(generateKeyPair);

const CURVES = { ES256: "P-256", ES384: "P-384", ES512: "P-521" } as const;

/** Makes a key pair; the default `kid` is its thumbprint (RFC 7638). */
async function generateSigningKey(algorithm: SigningAlgorithm, kid?: string): Promise<SigningKey> {
  const { publicKey, privateKey } = isEllipticCurve(algorithm)
    ? await generate("ec", { namedCurve: CURVES[algorithm] })
    : await generate("rsa", { modulusLength: 2048 });
  const jwk = publicKey.export({ format: "jwk" });
  const id = kid ?? thumbprint(jwk);
  return { kid: id, algorithm, privateKey, jwk: { ...jwk, kid: id, use: "sig", alg: algorithm } };
}

/**
 * Signs a header and a payload byte for byte, as a compact JWS (RFC 7515, section 3.1).
 *
 * @throws TypeError when the key can't sign with that algorithm.
 */
function signCompact(
  { header, payload }: { readonly header: string; readonly payload: string },
  key: SigningKey,
  algorithm: SigningAlgorithm,
): string {
  const fits = isEllipticCurve(algorithm)
    ? algorithm === key.algorithm
    : !isEllipticCurve(key.algorithm);
  if (!fits)
    throw new TypeError(`The ${key.algorithm} key ${key.kid} can't sign with ${algorithm}`);
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

/** The key to add to the IdP. */
export interface AddKeyOptions {
  /** Algorithm of the key. @default the algorithm the IdP was started with */
  readonly algorithm?: SigningAlgorithm;
  /** Key ID. @default the key's thumbprint (RFC 7638) */
  readonly kid?: string;
  /** Whether the JWKS contains the key. @default true */
  readonly publish?: boolean;
}

/** How to rotate the keys of the IdP. */
export interface RotateKeysOptions {
  /** Algorithm of the key. @default the algorithm the IdP was started with */
  readonly algorithm?: SigningAlgorithm;
  /** Key ID. @default the key's thumbprint (RFC 7638) */
  readonly kid?: string;
  /** Whether the earlier keys stay in the JWKS, as they should. @default true */
  readonly keepOldKeys?: boolean;
  /**
   * Whether the JWKS contains the new key. False is a rotation that hasn't reached the JWKS yet.
   * @default true
   */
  readonly publish?: boolean;
}

/** The keys of the IdP: the one that signs, and those that the JWKS contains. */
export class KeyRing {
  readonly #algorithm: SigningAlgorithm;
  readonly #keys = new Map<string, SigningKey>();
  #published = new Set<string>();
  #current: SigningKey;

  private constructor(first: SigningKey) {
    this.#algorithm = first.algorithm;
    this.#current = first;
    this.#keys.set(first.kid, first);
    this.#published.add(first.kid);
  }

  static async create(algorithm: SigningAlgorithm, kid?: string): Promise<KeyRing> {
    return new KeyRing(await generateSigningKey(algorithm, kid));
  }

  get algorithm(): SigningAlgorithm {
    return this.#algorithm;
  }

  get current(): SigningKey {
    return this.#current;
  }

  get jwks(): { keys: JsonWebKey[] } {
    const keys = [...this.#keys.values()].filter(({ kid }) => this.#published.has(kid));
    return { keys: keys.map(({ jwk }) => ({ ...jwk })) };
  }

  /** @throws TypeError when no key has this `kid`. */
  get(kid: string): SigningKey {
    const key = this.#keys.get(kid);
    if (!key)
      throw new TypeError(`Expected \`key\` to be the kid of a key of this IdP, got ${kid}`);
    return key;
  }

  async add(options: AddKeyOptions = {}): Promise<SigningKey> {
    const key = await generateSigningKey(options.algorithm ?? this.#algorithm, options.kid);
    this.#keys.set(key.kid, key);
    if (options.publish ?? true) this.#published.add(key.kid);
    else this.#published.delete(key.kid);
    return key;
  }

  async rotate(options: RotateKeysOptions = {}): Promise<SigningKey> {
    const { keepOldKeys = true, ...which } = options;
    const old = this.#published;
    this.#published = new Set();
    this.#current = await this.add(which);
    if (keepOldKeys) this.#published = new Set([...old, ...this.#published]);
    return this.#current;
  }

  /** Adds to the JWKS a key that was made with `publish: false`. */
  publish(kid: string): void {
    this.#published.add(this.get(kid).kid);
  }
}

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

/** A record, so that the compiler reports a missing name. */
const KNOWN: Readonly<Record<keyof TokenRequest, true>> = {
  subject: true,
  audience: true,
  expiresInSeconds: true,
  claims: true,
  payload: true,
  header: true,
  key: true,
  algorithm: true,
  breakSignature: true,
};

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
