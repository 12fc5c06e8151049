import { wrongUsage } from "./command-failure.js";

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 };

/** The milliseconds of `500ms`, `30s`, `5m` or plain seconds. */
export function parseDuration(flag: string, text: string, minMs: number, maxMs: number): number {
  const [, digits, unit = "s"] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m)?$/.exec(text) ?? [];
  const ms = digits === undefined ? Number.NaN : Number(digits) * (UNITS[unit] ?? Number.NaN);
  if (ms >= minMs && ms <= maxMs) return ms;
  throw wrongUsage(
    `--${flag} takes a time from ${formatDuration(minMs)} to ${formatDuration(maxMs)}, such as 30s`,
  );
}

/** Short and for people: `1.2 s`, `340 ms`, `12 min`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${ms < 1 && ms > 0 ? "<1" : Math.round(ms)} ms`;
  if (ms < 100_000) return `${(ms / 1000).toFixed(1).replace(/\.0$/, "")} s`;
  const minutes = Math.round(ms / 60_000);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.round(ms / 3_600_000);
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`;
}
