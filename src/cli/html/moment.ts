import { formatDuration } from "../../runtime/time-text.js";

/** The last that a date of four-digit years can tell, in milliseconds since the epoch. */
const END_OF_DATES = Date.UTC(9999, 11, 31, 23, 59, 59);

/** A time of day in UTC, with its date when that is not today's. */
export function clockTime(ms: number, nowMs: number): string {
  if (!(ms >= 0 && ms <= END_OF_DATES)) return ms < 0 ? "before 1970" : "after the year 9999";
  const [date = "", time = ""] = new Date(ms).toISOString().split(/[T.]/);
  return new Date(nowMs).toISOString().startsWith(date) ? time : `${date} ${time}`;
}

/** The distance from now, for people. */
export function fromNow(ms: number, nowMs: number): string {
  const distance = formatDuration(Math.abs(ms - nowMs));
  return ms >= nowMs ? `in ${distance}` : `${distance} ago`;
}
