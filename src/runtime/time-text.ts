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
const END_OF_DATES = Date.UTC(9999, 11, 31, 23, 59, 59);

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
