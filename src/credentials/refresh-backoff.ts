import { equalJitterMs } from "../retry/backoff.js";

/**
 * The backoff after a failed refresh, for any caller of the next one: equal jitter, from 0.5 to 1 s at
 * first and 2 to 4 s at last. It grows as the waits between the attempts of one refresh do, so an
 * outage sees no more requests from many refreshes that fail fast than from one that fails slowly,
 * and a caller gets credentials within 4 s of its end.
 */
const BACKOFF = { baseDelayMs: 1_000, maxDelayMs: 4_000 };

/** `Retry-After` keeps the next refresh back for no longer than this, in milliseconds. */
const MAX_RETRY_AFTER_MS = 30_000;

/**
 * Bounds of the backoff while cached credentials can be served, in milliseconds; uniform, as in the
 * AWS SDKs for Go, Java, Rust and Python since 2026.
 */
const BACKOFF_WHILE_CACHED_MS = { min: 300_000, max: 600_000 };

/** However little of the cached credentials' life remains, the backoff is no shorter; milliseconds. */
const MIN_BACKOFF_WHILE_CACHED_MS = 1_000;

/** How long a cached rejection lasts, in milliseconds; uniform. */
const REJECTION_MS = { min: 1_000, max: 5_000 };

/**
 * The backoff for callers that have nothing else to use, and for forced refreshes; whole milliseconds.
 *
 * @param failures - failed refreshes since the last success; at least 1.
 * @param retryAfterMs - what the source asked for.
 */
export function urgentBackoffMs(
  failures: number,
  retryAfterMs: number,
  random: () => number,
): number {
  const backoffMs = equalJitterMs(failures - 1, BACKOFF, random);
  return Math.ceil(Math.max(backoffMs, Math.min(retryAfterMs, MAX_RETRY_AFTER_MS)));
}

/**
 * The backoff while cached credentials with `remainingMs` of life are served; whole milliseconds. It is
 * half of what remains at most, so that the next refresh comes before they expire.
 */
export function backoffWhileCachedMs(remainingMs: number, random: () => number): number {
  const backoffMs = between(BACKOFF_WHILE_CACHED_MS, random);
  return Math.max(MIN_BACKOFF_WHILE_CACHED_MS, Math.floor(Math.min(backoffMs, remainingMs / 2)));
}

/** How long a refusal that does not pass by itself is remembered while nothing is cached. */
export function cachedRejectionMs(random: () => number): number {
  return between(REJECTION_MS, random);
}

function between({ min, max }: { min: number; max: number }, random: () => number): number {
  return Math.floor(min + random() * (max - min));
}
