/**
 * Reads the values of options that several commands have. Each reader gets the option's name, for
 * its error, and its text.
 */
import { safeText } from "../runtime/redact.js";
import { formatDuration } from "../runtime/time-text.js";
import { TOKEN_SOURCE_NAMES } from "../token-sources/source-names.js";
import { wrongUsage } from "./command.js";

type Reader<Value> = (flag: string, text: string) => Value;

/** The value of an option, or `undefined` where the option is not given. */
export function readOption<Flag extends string, Value>(
  values: { readonly [Name in Flag]?: string | undefined },
  flag: Flag,
  read: Reader<Value>,
): Value | undefined {
  const text = values[flag];
  return text === undefined ? undefined : read(flag, text);
}

export function notEmpty(flag: string, text: string): string {
  if (text.trim() === "") throw wrongUsage(`--${flag} is empty; give it a value or leave it out`);
  return text;
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** A reader of `500ms`, `30s`, `5m`, `12h` or plain seconds that returns milliseconds. */
export function durationFrom(minMs: number, maxMs: number): Reader<number> {
  return (flag, text) => {
    const [, digits, unit = "s"] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)?$/.exec(text) ?? [];
    const ms = digits === undefined ? Number.NaN : Number(digits) * (UNITS[unit] ?? Number.NaN);
    if (ms >= minMs && ms <= maxMs) return ms;
    throw wrongUsage(
      `--${flag} takes a time from ${formatDuration(minMs)} to ${formatDuration(maxMs)}, such as 30s`,
    );
  };
}

/** A region name is a label of host names (RFC 1123, section 2.1). */
export function regionName(flag: string, text: string): string {
  const region = text.trim();
  if (/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(region)) return region;
  throw wrongUsage(`--${flag} takes the name of an AWS region, such as eu-west-1`);
}

/** The region names of an option that may be repeated, and may hold several names with commas between them. */
export function regionNames(flag: string, texts: readonly string[] = []): string[] {
  return texts.flatMap((text) => text.split(",")).map((text) => regionName(flag, text));
}

/** Returns the text unchanged, because issuers are compared letter by letter. */
export function httpUrl(flag: string, text: string): string {
  // `https:example.com` is a URL to a browser, but not to an issuer or an SDK.
  const url = /^https?:\/\//i.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  if (url?.username === "" && url.password === "") return text;
  throw wrongUsage(
    `--${flag} takes a URL with https:// and without a password, such as https://example.com`,
  );
}

/** Values of `--token-source`. */
export const TOKEN_SOURCES = ["auto", ...TOKEN_SOURCE_NAMES] as const;

export function tokenSourceName(flag: string, text: string): (typeof TOKEN_SOURCES)[number] {
  const named = TOKEN_SOURCES.find((name) => name === text);
  if (named !== undefined) return named;
  throw wrongUsage(`--${flag} takes one of ${TOKEN_SOURCES.join(", ")}`);
}

/** A name of the command line or the environment, quoted for an error. */
export function quoted(text: string, maxLength = 200): string {
  return JSON.stringify(safeText(text, maxLength));
}

/** Cuts a text at the first mark. The second part is `undefined` where there is no mark. */
export function splitOnce(text: string, mark: string): [string, string | undefined] {
  const at = text.indexOf(mark);
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
