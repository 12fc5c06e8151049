import type { IncomingHttpHeaders } from "node:http";
import { parseHttpDate, readRetryAfter } from "../runtime/time-text.js";

/** How long a document is cached when its headers do not say. */
const DEFAULT_LIFETIME_MS = 10 * 60_000;
/** The longest time for which any document is cached. */
const MAX_LIFETIME_MS = 24 * 3_600_000;
/** The shortest time: even a document that must not be cached is not requested more often. */
const MIN_LIFETIME_MS = 30_000;

/** The pause after a 429 without `Retry-After`. */
const DEFAULT_RETRY_AFTER_MS = 30_000;
const MIN_RETRY_AFTER_MS = 1_000;
const MAX_RETRY_AFTER_MS = 3_600_000;

/** What a response's headers say about caching it (RFC 9111, section 4.2), without defaults or bounds. */
export type Freshness =
  | { readonly kind: "refused"; readonly words: string }
  | { readonly kind: "unsaid" }
  | {
      readonly kind: "for";
      /** The header or directive that sets the lifetime. */
      readonly source: string;
      /** The lifetime from when the issuer made the document, in seconds. */
      readonly lifetimeSeconds: number;
      /** The document's age on arrival, in seconds. */
      readonly ageSeconds: number;
    };

/**
 * Reads the caching headers of a response.
 *
 * @param arrivedAt - in milliseconds since the epoch; an `Expires` without a `Date` counts from then.
 */
export function readFreshness(headers: IncomingHttpHeaders, arrivedAt?: number): Freshness {
  const control = headers["cache-control"] ?? "";
  const refusal = NOT_KEPT.exec(`${control},${headers.pragma ?? ""}`);
  if (refusal !== null) return { kind: "refused", words: refusal[0].toLowerCase() };
  const age = headers.age?.trim() ?? "";
  const ageSeconds = /^\d{1,15}$/.test(age) ? Number(age) : 0;
  const maxAge = /(?:^|[\s,])max-age\s*=\s*"?(\d{1,15})/i.exec(control)?.[1];
  if (maxAge !== undefined) {
    const source = `max-age=${maxAge}`;
    return { kind: "for", source, lifetimeSeconds: Number(maxAge), ageSeconds };
  }
  const seconds = expiresInSeconds(headers, arrivedAt);
  if (seconds === undefined) return { kind: "unsaid" };
  return { kind: "for", source: "Expires", lifetimeSeconds: Math.max(0, seconds), ageSeconds };
}

/** Directives that forbid caching: STS then requests the documents for every token (AWS re:Post). */
const NOT_KEPT = /\bno-(?:cache|store)\b/i;

/** Whether the headers forbid caching the document, so that STS requests it for every token. */
export function isUncacheable(headers: IncomingHttpHeaders): boolean {
  return readFreshness(headers).kind === "refused";
}

/** How long a document is cached from now on, by its headers and within bounds, in milliseconds. */
export function lifetimeMs(headers: IncomingHttpHeaders, now: number): number {
  const freshness = readFreshness(headers, now);
  if (freshness.kind === "refused") return MIN_LIFETIME_MS;
  if (freshness.kind === "unsaid") return DEFAULT_LIFETIME_MS;
  const leftMs = (freshness.lifetimeSeconds - freshness.ageSeconds) * 1000;
  return Math.min(MAX_LIFETIME_MS, Math.max(MIN_LIFETIME_MS, leftMs));
}

interface CachedTimes {
  /** In milliseconds since the epoch. */
  readonly fetchedAt: number;
  /** In milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** Whether a cached document is young enough and has not expired. */
export function isUsable(
  { fetchedAt, expiresAt }: CachedTimes,
  maxAgeMs: number,
  now: number,
): boolean {
  const age = now - fetchedAt;
  // A negative age means that the clock was set back, so the document's age is not known.
  return age >= 0 && age <= maxAgeMs && now < expiresAt;
}

/** The wait in `Retry-After`, within bounds, in milliseconds. */
export function retryAfterMs(headers: IncomingHttpHeaders, now: number): number | undefined {
  const text = headers["retry-after"];
  if (text === undefined || text.trim() === "") return undefined;
  const wait = readRetryAfter(headers, now) ?? DEFAULT_RETRY_AFTER_MS;
  return Math.min(MAX_RETRY_AFTER_MS, Math.max(MIN_RETRY_AFTER_MS, wait));
}

/** The pause after a response that limits the rate of requests, in milliseconds. */
export function pauseMs(headers: IncomingHttpHeaders, now: number): number {
  return retryAfterMs(headers, now) ?? DEFAULT_RETRY_AFTER_MS;
}

/** The pause after a first failure, in milliseconds; each further failure doubles it. */
const BASE_PAUSE_MS = 5_000;
const MAX_PAUSE_MS = 60_000;

/** The pause after this many failures in a row, in milliseconds. */
export function failurePauseMs(failures: number): number {
  return Math.min(MAX_PAUSE_MS, BASE_PAUSE_MS * 2 ** (failures - 1));
}

/** A value that is not a date, such as "Expires: 0", means "already stale" (RFC 9111, section 5.3). */
function expiresInSeconds(
  { expires, date = "" }: IncomingHttpHeaders,
  arrivedAt: number | undefined,
): number | undefined {
  if (expires === undefined) return undefined;
  const expiresAt = parseHttpDate(expires, arrivedAt ?? 0);
  if (expiresAt === undefined) return 0;
  // A response without a Date is as old as its arrival (RFC 9110, section 6.6.1).
  const sentAt = parseHttpDate(date, arrivedAt ?? 0) ?? arrivedAt;
  return sentAt === undefined ? undefined : (expiresAt - sentAt) / 1000;
}
