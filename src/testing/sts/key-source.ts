import { get as httpGet, type IncomingHttpHeaders } from "node:http";
import { get as httpsGet } from "node:https";
import { withTimeout } from "../../runtime/abort.js";
import { systemClock } from "../../runtime/clock.js";
import { documentUrl } from "../idp/idp-document.js";
import { StsRefusal, WIRE_ERRORS } from "./wire-error.js";

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

const REQUIRED_FIELDS = [
  "jwks_uri",
  "response_types_supported",
  "subject_types_supported",
  "id_token_signing_alg_values_supported",
] as const;

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
    const reason = new Error("The issuer did not answer in time");
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
  const missing = REQUIRED_FIELDS.find((field) => document[field] === undefined);
  if (missing) throw new Error(`The discovery document has no ${missing}`);
  // Exactly, including case, path and trailing slash.
  if (document.issuer !== issuer) throw new Error("The discovery document is another issuer's");
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
export interface FetchedDocument {
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
