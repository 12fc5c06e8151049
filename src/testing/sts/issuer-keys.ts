import { createPublicKey, type KeyObject, verify, X509Certificate } from "node:crypto";
import { get as httpGet, type IncomingHttpHeaders } from "node:http";
import { get as httpsGet } from "node:https";
import { bareKey, keyFormProblem, STS_CURVES } from "../../model/jwk.js";
import { STS_DISCOVERY_MEMBERS, STS_MAX_KEYS_PER_TYPE } from "../../model/sts-limits.js";
import { withTimeout } from "../../runtime/abort.js";
import { systemClock } from "../../runtime/clock.js";
import { documentUrl } from "../idp/issuer.js";
import type { JsonWebToken } from "./web-identity-token.js";
import { StsRefusal, WIRE_ERRORS } from "./wire-error.js";

/* The keys of issuers: fetched, cached, chosen for a token, and used to verify its signature. */

export interface KeySourceOptions {
  readonly now: () => number;
  /** For discovery and JWKS together. */
  readonly idpTimeoutMs: number;
  /** Replaces the lifetime in the headers of the JWKS. */
  readonly jwksCacheSeconds: number | undefined;
  readonly ca: string | Buffer | undefined;
}

/** The lifetime of a JWKS without caching headers. AWS doesn't publish what STS does. */
const DEFAULT_CACHE_SECONDS = 3600;

interface CachedKeys {
  readonly keys: readonly unknown[];
  readonly until: number;
}

/** Fetches the JWKS of issuers, and caches it for as long as its headers allow. */
export class KeySource {
  readonly #options: KeySourceOptions;
  readonly #cache = new Map<string, CachedKeys>();

  constructor(options: KeySourceOptions) {
    this.#options = options;
  }

  /** The cached keys, if any. */
  cached(issuer: string): readonly unknown[] | undefined {
    const entry = this.#cache.get(issuer);
    return entry && this.#options.now() < entry.until ? entry.keys : undefined;
  }

  /** @throws StsRefusal with the verification-key message for every failure. */
  async fetch(issuer: string, signal: AbortSignal): Promise<readonly unknown[]> {
    const { now, idpTimeoutMs, jwksCacheSeconds, ca } = this.#options;
    const reason = new Error("The issuer did not respond in time");
    const limits = { clock: systemClock, signal, timeoutMs: idpTimeoutMs, reason };
    try {
      const jwks = await withTimeout(limits, async (limit) => {
        const discovery = await fetchDocument(documentUrl(issuer, "discovery"), ca, limit);
        return await fetchDocument(jwksUri(discovery.value, issuer), ca, limit);
      });
      const keys = keysOf(jwks.value);
      const seconds = jwksCacheSeconds ?? cacheSeconds(jwks.headers);
      this.#cache.set(issuer, { keys, until: now() + seconds * 1000 });
      return keys;
    } catch {
      throw new StsRefusal(WIRE_ERRORS.verificationKey);
    }
  }
}

/** The `jwks_uri` of a discovery document. @throws an error for a document that STS can't use. */
export function jwksUri(discovery: unknown, issuer: string): string {
  const document = discovery as Readonly<Record<string, unknown>>;
  const missing = STS_DISCOVERY_MEMBERS.find((field) => document[field] === undefined);
  if (missing) throw new Error(`The discovery document has no ${missing}`);
  // Exactly, including case, path and trailing slash.
  if (document.issuer !== issuer)
    throw new Error("The discovery document belongs to another issuer");
  return String(document.jwks_uri);
}

function keysOf(jwks: unknown): readonly unknown[] {
  const { keys } = jwks as { readonly keys?: unknown };
  if (!Array.isArray(keys)) throw new Error("The JWKS has no keys");
  return keys;
}

function cacheSeconds(headers: Readonly<IncomingHttpHeaders>): number {
  const control = headers["cache-control"] ?? "";
  if (/\bno-(cache|store)\b/i.test(`${control},${headers.pragma ?? ""}`)) return 0;
  const maxAge = /\bmax-age="?(\d+)/i.exec(control)?.[1];
  return maxAge === undefined ? DEFAULT_CACHE_SECONDS : Number(maxAge);
}

const MAX_DOCUMENT_BYTES = 1_048_576;

/** A JSON document and its headers. */
interface FetchedDocument {
  readonly value: unknown;
  readonly headers: Readonly<IncomingHttpHeaders>;
}

/**
 * Fetches a JSON document on a separate connection. It follows no redirect: AWS doesn't document
 * what STS does with one.
 *
 * @throws an error for anything other than a JSON document with status 200.
 */
function fetchDocument(
  url: string,
  ca: string | Buffer | undefined,
  signal: AbortSignal,
): Promise<FetchedDocument> {
  return new Promise((resolve, reject) => {
    const { protocol } = new URL(url);
    const get = protocol === "https:" ? httpsGet : httpGet;
    const headers = { accept: "application/json, application/jwk-set+json" };
    const options = { agent: false, signal, headers, ca };
    const request = get(url, options, async (response) => {
      try {
        if (response.statusCode !== 200) throw new Error(`${url}: status ${response.statusCode}`);
        const chunks: Buffer[] = [];
        let size = 0;
        for await (const chunk of response as AsyncIterable<Buffer>) {
          size += chunk.length;
          if (size > MAX_DOCUMENT_BYTES) throw new Error(`${url}: too large`);
          chunks.push(chunk);
        }
        // JSON.parse rejects a byte order mark; STS is reported to reject it too.
        const value: unknown = JSON.parse(Buffer.concat(chunks).toString());
        resolve({ value, headers: response.headers });
      } catch (error) {
        reject(error);
      } finally {
        request.destroy();
      }
    });
    request.on("error", reject);
  });
}

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
  if (ofType.length > STS_MAX_KEYS_PER_TYPE || !found) {
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
