import type { IncomingHttpHeaders } from "node:http";
import { readRetryAfter } from "../runtime/retry-after.js";

/** How long a document is kept whose headers say nothing. */
const DEFAULT_LIFETIME_MS = 10 * 60_000;
/** The longest any document is kept. */
const MAX_LIFETIME_MS = 24 * 3_600_000;
/** The shortest: one that may not be cached is asked for no more often than this. */
const MIN_LIFETIME_MS = 30_000;

/** A 429 without `Retry-After` is waited out this long. */
const DEFAULT_RETRY_AFTER_MS = 30_000;
const MAX_RETRY_AFTER_MS = 3_600_000;

/** How long a document may be kept from now on (RFC 9111, section 4.2), in milliseconds. */
export function lifetimeMs(headers: IncomingHttpHeaders, now: number): number {
  const control = headers["cache-control"] ?? "";
  if (isUncacheable(headers)) return MIN_LIFETIME_MS;
  const maxAge = /(?:^|[\s,])max-age\s*=\s*"?(\d{1,15})/i.exec(control)?.[1];
  const seconds = maxAge === undefined ? expiresInSeconds(headers, now) : Number(maxAge);
  if (seconds === undefined) return DEFAULT_LIFETIME_MS;
  const age = Number(headers.age ?? 0);
  const left = (seconds - (Number.isFinite(age) ? Math.max(0, age) : 0)) * 1000;
  return Math.min(MAX_LIFETIME_MS, Math.max(MIN_LIFETIME_MS, left));
}

/** Whether the headers forbid keeping the document, so that STS calls back every time. */
export function isUncacheable(headers: IncomingHttpHeaders): boolean {
  return /\bno-(cache|store)\b/i.test(`${headers["cache-control"] ?? ""},${headers.pragma ?? ""}`);
}

/** What `Retry-After` asks for, within bounds, in milliseconds. */
export function retryAfterMs(headers: IncomingHttpHeaders, now: number): number | undefined {
  const text = headers["retry-after"];
  if (text === undefined || text.trim() === "") return undefined;
  const wait = readRetryAfter(text, now) ?? DEFAULT_RETRY_AFTER_MS;
  return Math.min(MAX_RETRY_AFTER_MS, Math.max(1_000, wait));
}

/** How long an issuer is left alone after an answer that says "slow down", in milliseconds. */
export function restMs(headers: IncomingHttpHeaders, now: number): number {
  return retryAfterMs(headers, now) ?? DEFAULT_RETRY_AFTER_MS;
}

function expiresInSeconds(
  { expires, date = "" }: IncomingHttpHeaders,
  now: number,
): number | undefined {
  if (expires === undefined) return undefined;
  // "Expires: 0" and its like mean: already stale (RFC 9111, section 5.3). Every HTTP date names its
  // month; Date.parse takes a bare number for a year.
  if (!/[a-z]{3}/i.test(expires) || Number.isNaN(Date.parse(expires))) return 0;
  // An answer without a Date is as old as its arrival (RFC 9110, section 6.6.1).
  const sentAt = Date.parse(date);
  return (Date.parse(expires) - (Number.isNaN(sentAt) ? now : sentAt)) / 1000;
}
