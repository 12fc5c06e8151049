import type { IncomingHttpHeaders } from "node:http";
import { withTimeout } from "../../runtime/abort.js";
import { systemClock } from "../../runtime/clock.js";
import { documentUrl } from "../idp/idp-document.js";
import { fetchDocument } from "./fetch-document.js";
import { StsRefusal, WIRE_ERRORS } from "./wire-error.js";

export interface KeySourceOptions {
  readonly now: () => number;
  /** For discovery and JWKS together. */
  readonly idpTimeoutMs: number;
  /** Overrides what the headers of the JWKS say. */
  readonly jwksCacheSeconds: number | undefined;
  readonly ca: string | Buffer | undefined;
}

/** How long a JWKS is kept whose headers say nothing; what STS does is not published. */
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

/** Gets the keys of issuers and keeps them for as long as their headers allow. */
export class KeySource {
  readonly #options: KeySourceOptions;
  readonly #cache = new Map<string, CachedKeys>();

  constructor(options: KeySourceOptions) {
    this.#options = options;
  }

  /** The keys that are kept, if any. */
  cached(issuer: string): readonly unknown[] | undefined {
    const entry = this.#cache.get(issuer);
    return entry && this.#options.now() < entry.until ? entry.keys : undefined;
  }

  /** @throws StsRefusal with the verification-key message, whatever went wrong. */
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

/** The `jwks_uri` of a discovery document that STS can use. */
export function jwksUri(discovery: unknown, issuer: string): string {
  const document = discovery as Readonly<Record<string, unknown>>;
  const missing = REQUIRED_FIELDS.find((field) => document[field] === undefined);
  if (missing) throw new Error(`The discovery document has no ${missing}`);
  // Exactly: case, path and trailing slash included.
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
