/* Times as text: reads those of HTTP headers (`Date`, `Expires`, `Retry-After`), and writes those for people. */

import { MAX_TIMER_MS } from "./clock.js";

const DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)";
const LONG_DAY = "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day";
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const MONTH = `(?<month>${MONTHS.join("|")})`;
const TIME = "(?<hour>\\d\\d):(?<minute>\\d\\d):(?<second>\\d\\d)";

/** The three forms of a date in HTTP (RFC 9110, section 5.6.7). All are in GMT. */
const FORMS: readonly RegExp[] = [
  // Sun, 06 Nov 1994 08:49:37 GMT
  new RegExp(`^${DAY}, (?<day>\\d\\d) ${MONTH} (?<year>\\d{4}) ${TIME} GMT$`),
  // Sunday, 06-Nov-94 08:49:37 GMT
  new RegExp(`^${LONG_DAY}, (?<day>\\d\\d)-${MONTH}-(?<year>\\d\\d) ${TIME} GMT$`),
  // Sun Nov  6 08:49:37 1994
  new RegExp(`^${DAY} ${MONTH} (?<day>[ \\d]\\d) ${TIME} (?<year>\\d{4})$`),
];

/**
 * Reads a date of an HTTP header, and nothing else: `Date.parse` reads "soon 2099" as a year, and the
 * form without a time zone as this machine's time.
 *
 * @param now - finds the century of a year with two digits; milliseconds since the epoch
 * @returns milliseconds since the epoch; `undefined` when the text is not such a date
 */
export function parseHttpDate(text: string, now: number): number | undefined {
  const fields = FORMS.map((form) => form.exec(text.trim())?.groups).find((each) => each);
  if (fields === undefined) return undefined;
  const month = MONTHS.indexOf(fields.month ?? "");
  const year = fullYear(fields.year ?? "", now);
  const [day = 0, hour = 0, minute = 0, second = 0] = ["day", "hour", "minute", "second"].map(
    (name) => Number(fields[name]),
  );
  const isTime = hour < 24 && minute < 60 && second <= 60;
  const date = new Date(0);
  // Not Date.UTC(), which reads the years 0 to 99 as 1900 to 1999.
  date.setUTCFullYear(year, month, day);
  if (!isTime || date.getUTCDate() !== day || date.getUTCMonth() !== month) return undefined;
  return date.setUTCHours(hour, minute, second);
}

/** Two digits that seem to be over 50 years in the future mean the most recent such year in the past. */
function fullYear(digits: string, now: number): number {
  const year = Number(digits);
  if (digits.length === 4) return year;
  const thisYear = new Date(now).getUTCFullYear();
  const inThisCentury = Math.floor(thisYear / 100) * 100 + year;
  return inThisCentury > thisYear + 50 ? inThisCentury - 100 : inThisCentury;
}

/** The headers of a response that say when to retry, by lower-case name. */
interface RetryHeaders {
  readonly "retry-after"?: string | undefined;
  readonly date?: string | undefined;
}

/**
 * The wait that a `Retry-After` header (seconds or a date; RFC 9110, section 10.2.3) requests, in
 * milliseconds; at most the longest delay of a timer. A date counts from the response's own `Date`: both
 * are by the server's clock, and this machine's may be wrong.
 *
 * @param now - this machine's time, for a response without a `Date`; milliseconds since the epoch.
 */
export function readRetryAfter(headers: RetryHeaders, now: number): number | undefined {
  const text = headers["retry-after"]?.trim();
  if (text === undefined || text === "") return undefined;
  const waitMs = /^\d+$/.test(text) ? Number(text) * 1000 : waitUntil(text, headers, now);
  return waitMs === undefined ? undefined : Math.min(waitMs, MAX_TIMER_MS);
}

function waitUntil(text: string, { date = "" }: RetryHeaders, now: number): number | undefined {
  const until = parseHttpDate(text, now);
  const sentAt = parseHttpDate(date, now) ?? now;
  return until === undefined ? undefined : Math.max(0, until - sentAt);
}

/** Rounds a measured time to a hundredth of a millisecond. */
export function roundMs(ms: number): number {
  return Math.round(ms * 100) / 100;
}

/** Formats a duration for people: `1.2 s`, `340 ms`, `12 min`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${ms < 1 && ms > 0 ? "<1" : Math.round(ms)} ms`;
  if (ms < 100_000) return `${(ms / 1000).toFixed(1).replace(/\.0$/, "")} s`;
  const minutes = Math.round(ms / 60_000);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.round(ms / 3_600_000);
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`;
}

/** The last moment with a year of four digits, in milliseconds since the epoch. */
export const END_OF_DATES = Date.UTC(9999, 11, 31, 23, 59, 59);

/**
 * Formats a time for people: `02:40 UTC`, with the date when it is 12 hours or more from `nowMs`. Both are
 * milliseconds since the epoch.
 */
export function formatTime(ms: number, nowMs: number): string {
  if (!(ms >= 0 && ms <= END_OF_DATES)) {
    return ms < 0 ? "a time before 1970" : "a time after the year 9999";
  }
  const [day, time = ""] = new Date(ms).toISOString().split("T");
  const isNear = Math.abs(ms - nowMs) < 12 * 3_600_000;
  return `${isNear ? "" : `${day} `}${time.slice(0, 5)} UTC`;
}
