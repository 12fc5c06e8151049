import { formatDuration } from "../runtime/time-text.js";
import { wrongUsage } from "./command-failure.js";

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** The milliseconds of `500ms`, `30s`, `5m`, `12h` or plain seconds. */
export function parseDuration(flag: string, text: string, minMs: number, maxMs: number): number {
  const [, digits, unit = "s"] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)?$/.exec(text) ?? [];
  const ms = digits === undefined ? Number.NaN : Number(digits) * (UNITS[unit] ?? Number.NaN);
  if (ms >= minMs && ms <= maxMs) return ms;
  throw wrongUsage(
    `--${flag} takes a time from ${formatDuration(minMs)} to ${formatDuration(maxMs)}, such as 30s`,
  );
}
