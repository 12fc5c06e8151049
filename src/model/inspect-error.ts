import { type InspectOptionsStylized, inspect } from "node:util";
import { printable, readField } from "../runtime/redact.js";
import { formatDuration } from "../runtime/time-text.js";
import type { AttemptRecord, TokenFacts } from "./attempt.js";
import type { Finding } from "./findings.js";

/*
 * How a WebIdentityError looks in a terminal: `console.error(error)` prints its message, the stack and
 * then one line for each fact, not ten lines for each attempt. The error's own texts are free of
 * secrets before they come here.
 */

type Style = Parameters<InspectOptionsStylized["stylize"]>[1];

/** What is printed of a WebIdentityError. */
interface Inspected extends Error {
  readonly code: string;
  readonly attempts: readonly AttemptRecord[];
  readonly findings: readonly Finding[];
  readonly token: TokenFacts | undefined;
  readonly tryNextLink: boolean;
  readonly retryAfterMs: number | undefined;
  readonly nextRefreshAllowedAt: number | undefined;
}

/** Of more attempts, the first few and the latest are printed. */
const MAX_ROWS = 30;
const FIRST_ROWS = 5;
const MAX_CAUSES = 3;
/** Of the message of an attempt without a code. */
const MAX_WORDS = 59;

/** Fields with a line of their own; the message contains `hint`. Other code added any other field. */
const KNOWN = new Set([
  ...["name", "message", "stack", "cause", "code", "hint", "attempts", "token", "findings"],
  ...["tryNextLink", "retryAfterMs", "nextRefreshAllowedAt"],
]);

/** The text for `util.inspect`, and with it for `console.error()`, of a WebIdentityError. */
export function inspectError(
  this: Inspected,
  depth: number | null,
  options: InspectOptionsStylized,
): string {
  const levels = depth ?? Number.POSITIVE_INFINITY;
  if (levels < 0) return options.stylize(`[${this.name}: ${this.code}]`, "special");
  const facts: string[] = [];
  const fact = (label: string, text: string, style?: Style) =>
    facts.push(`  ${label}: ${style === undefined ? text : options.stylize(text, style)}`);

  fact("code", `'${this.code}'`, "string");
  const { attempts, token, findings } = this;
  if (attempts.length > 0) {
    const rows = levels > 0 ? table(attempts) : [];
    facts.push(
      [`  attempts: ${options.stylize(String(attempts.length), "number")}`, ...rows].join("\n    "),
    );
  }
  for (const finding of findings) fact("finding", findingText(finding));
  if (token !== undefined) fact("token", tokenText(token));
  if (this.tryNextLink) fact("tryNextLink", "true", "boolean");
  if (this.retryAfterMs !== undefined) {
    fact("retryAfterMs", String(this.retryAfterMs), "number");
  }
  if (this.nextRefreshAllowedAt !== undefined) {
    fact("nextRefreshAllowedAt", isoTime(this.nextRefreshAllowedAt), "date");
  }
  for (const [label, value] of Object.entries(this)) {
    if (KNOWN.has(label) || value === undefined) continue;
    fact(label, inspect(value, { ...options, depth: Math.min(levels, 1) }));
  }
  facts.push(...causes(this.cause).map((text, n) => `${"  ".repeat(n + 1)}cause: ${text}`));
  const { stack } = this;
  const head = typeof stack === "string" && stack !== "" ? stack : String(this);
  return [head, ...facts].join("\n");
}

/** One line for each attempt, in columns. A column without a value in any row is left out. */
function table(attempts: readonly AttemptRecord[]): string[] {
  const rows = attempts.map((record) => [
    `#${record.attempt}`,
    record.region ?? "",
    record.verdict,
    record.code ?? printable(record.message, MAX_WORDS),
    record.httpStatus === undefined ? "" : `HTTP ${record.httpStatus}`,
    `took ${formatDuration(record.ms)}`,
    record.waitMs === undefined ? "" : `waited ${formatDuration(record.waitMs)}`,
    record.requestId ?? "",
  ]);
  const widths = rows[0]?.map((_, n) => Math.max(...rows.map((row) => row[n]?.length ?? 0))) ?? [];
  const lines = rows.map((row) =>
    row
      .flatMap((cell, n) => (widths[n] === 0 ? [] : cell.padEnd(widths[n] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
  if (lines.length <= MAX_ROWS) return lines;
  const left = lines.length - MAX_ROWS;
  return [...lines.slice(0, FIRST_ROWS), `… ${left} more`, ...lines.slice(FIRST_ROWS - MAX_ROWS)];
}

function findingText({ severity, id, title }: Finding): string {
  return `${severity} ${id}: ${title}`;
}

function tokenText(token: TokenFacts): string {
  const { iat, exp, ...others } = token;
  const times = { iat: secondsText(iat), exp: secondsText(exp) };
  return Object.entries({ ...others, ...times })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${[value].flat().join(" and ")}`)
    .join(", ");
}

function secondsText(seconds: number | undefined): string | undefined {
  return seconds === undefined ? undefined : isoTime(seconds * 1000);
}

/** Any number may stand in a token. */
function isoTime(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms);
}

/** Name and message of each cause; their stacks lead into the SDK, not to what failed. */
function causes(cause: unknown): string[] {
  const texts: string[] = [];
  for (let at = cause; at !== undefined && texts.length < MAX_CAUSES; at = readField(at, "cause")) {
    const code = readField(at, "code");
    const suffix = typeof code === "string" ? ` (${code})` : "";
    texts.push(`${readField(at, "name")}: ${readField(at, "message")}${suffix}`);
  }
  return texts;
}
