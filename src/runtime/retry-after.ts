import { parseHttpDate } from "./http-date.js";

/** The headers of an answer that say when to come back, by lower-case name. */
interface RetryHeaders {
  readonly "retry-after"?: string | undefined;
  readonly date?: string | undefined;
}

/**
 * What a `Retry-After` header (seconds or a date; RFC 9110, section 10.2.3) asks for, in milliseconds.
 * A date counts from the answer's own `Date`: both are by the server's clock, and this machine's may
 * be wrong.
 *
 * @param now - by this machine's clock, where the answer has no `Date`; milliseconds since the epoch.
 */
export function readRetryAfter(headers: RetryHeaders, now: number): number | undefined {
  const text = headers["retry-after"]?.trim();
  if (text === undefined || text === "") return undefined;
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const until = parseHttpDate(text, now);
  const sentAt = parseHttpDate(headers.date ?? "", now) ?? now;
  return until === undefined ? undefined : Math.max(0, until - sentAt);
}
