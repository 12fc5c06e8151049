import { type InspectOptionsStylized, inspect, types } from "node:util";
import { printable, readField } from "../runtime/redact.js";
import { formatDuration } from "../runtime/time-text.js";
import type { AttemptRecord } from "./failure.js";
import type { Finding, FindingId } from "./findings.js";
import type { TokenFacts } from "./jwt.js";

/** Why the provider has no credentials to return. */
export type WebIdentityErrorCode =
  /**
   * No token file or no role is configured. A `chain()` continues with its next provider only if no token
   * file is configured.
   */
  | "ERR_NOT_CONFIGURED"
  /** The token file or source returned no token. */
  | "ERR_TOKEN_UNAVAILABLE"
  /** STS is certain to refuse this token, or it is not valid yet. */
  | "ERR_TOKEN_INVALID"
  /** The token has expired, and its source has no newer one. */
  | "ERR_TOKEN_EXPIRED"
  /** STS refused the token and would refuse it again. */
  | "ERR_TOKEN_REJECTED"
  /** The identity provider responds, but STS can't use what it publishes. */
  | "ERR_IDP_UNUSABLE"
  /** STS could not get the verification key before the attempts or the budget ran out. */
  | "ERR_IDP_UNREACHABLE"
  /** STS throttled every attempt until the attempts or the budget ran out. */
  | "ERR_THROTTLED"
  /** STS returned no usable response before the attempts or the budget ran out. */
  | "ERR_STS_UNAVAILABLE"
  /** The role's trust policy does not allow this token, or the role does not exist. */
  | "ERR_ACCESS_DENIED"
  /** STS is not activated in this region for the role's account. */
  | "ERR_REGION_DISABLED"
  /** The request is wrong: role ARN, session name, duration, policy, endpoint options. */
  | "ERR_REQUEST_INVALID"
  /** The caller's `callerTimeoutMs` was reached. The refresh continues, and the next caller may get its result. */
  | "ERR_CALLER_TIMEOUT"
  /** The provider was closed. */
  | "ERR_CLOSED";

interface WebIdentityErrorInit {
  readonly code: WebIdentityErrorCode;
  /** What failed, with which value. */
  readonly message: string;
  /** What to do next, and who must do it. */
  readonly hint: string;
  readonly cause?: Error | undefined;
  readonly attempts?: readonly AttemptRecord[] | undefined;
  readonly token?: TokenFacts | undefined;
  readonly findings?: readonly Finding[] | undefined;
  readonly tryNextLink?: boolean | undefined;
  readonly retryAfterMs?: number | undefined;
  /** The finding that explains the failure, where one does. */
  readonly about?: FindingId | undefined;
}

/** The command that prints the documentation of an error code or a finding. */
export function explainCommand(name: WebIdentityErrorCode | FindingId): string {
  return `npx resilient-sts explain ${name}`;
}

/**
 * The only error that a provider rejects with. Its message says what failed, with which value, and what
 * to do next. None of its fields contains a token or a secret.
 *
 * @example
 * ```ts
 * import { fromTokenFile, isWebIdentityError } from "resilient-sts";
 *
 * try {
 *   await fromTokenFile()();
 * } catch (error) {
 *   if (isWebIdentityError(error)) console.error(error.code, error.hint, error.attempts);
 * }
 * ```
 */
export class WebIdentityError extends Error {
  /** The name that logs and stacks show. */
  override readonly name = "WebIdentityError";
  /** The cause, for programs; each code has a section in the failures guide. */
  readonly code: WebIdentityErrorCode;
  /** What to do next, and who must do it. */
  readonly hint: string;
  /**
   * Every attempt, in order. Not enumerable, because a crash report would print each of them in ten
   * lines. `JSON.stringify()` includes them.
   */
  declare readonly attempts: readonly AttemptRecord[];
  /** Facts about the last token. */
  declare readonly token: TokenFacts | undefined;
  /** What the local checks and the issuer check found. */
  readonly findings: readonly Finding[];
  /** Whether a `chain()` may try its next provider: only when no token file is configured. */
  readonly tryNextLink: boolean;
  /** The `Retry-After` of the last response, in milliseconds. */
  declare readonly retryAfterMs: number | undefined;
  /**
   * The end of the refresh backoff, in milliseconds since the epoch. Until then every caller without
   * valid credentials gets this error immediately. Absent when the next call may start a refresh.
   */
  declare readonly nextRefreshAllowedAt: number | undefined;

  /** @internal */
  constructor(init: WebIdentityErrorInit) {
    const { code, about = code, message, hint, cause } = init;
    const more = `Details: ${explainCommand(about)}`;
    super(`${message} ${hint} ${more}`, cause === undefined ? {} : { cause });
    this.code = init.code;
    this.hint = init.hint;
    Object.defineProperty(this, "attempts", { value: init.attempts ?? [] });
    this.findings = init.findings ?? [];
    this.tryNextLink = init.tryNextLink ?? false;
    // A field without a value is not set: it would be printed. The cache sets `nextRefreshAllowedAt`.
    const { token, retryAfterMs } = init;
    Object.assign(this, token && { token }, retryAfterMs !== undefined && { retryAfterMs });
    // Without this, the first line of the stack has the name of the base class.
    Error.captureStackTrace(this, new.target);
  }

  /** The message and every field, for loggers that write JSON. The stack and the cause are left out. */
  toJSON(): object {
    const { message, attempts } = this;
    return Object.assign({ message, attempts }, this);
  }
}

// Not a declared member, because its type would require the types of Node; and not in a static block,
// because the bundler renames a class that names itself there, and Node prints that name.
Object.defineProperty(WebIdentityError.prototype, inspect.custom, { value: inspectError });

/**
 * Whether a caught value is a {@link WebIdentityError}. It recognizes errors from another copy of this
 * package or from another realm, where `instanceof` fails.
 *
 * @example
 * ```ts
 * import { fromTokenFile, isWebIdentityError } from "resilient-sts";
 *
 * const credentials = fromTokenFile();
 * await credentials().catch((error: unknown) => {
 *   if (!isWebIdentityError(error)) throw error;
 *   console.error(error.code, error.hint);
 * });
 * ```
 */
export function isWebIdentityError(value: unknown): value is WebIdentityError {
  if (!types.isNativeError(value) || readField(value, "name") !== "WebIdentityError") return false;
  const code = readField(value, "code");
  return typeof code === "string" && code.startsWith("ERR_");
}

type Style = Parameters<InspectOptionsStylized["stylize"]>[1];

/** Of a longer list of attempts, only the first and the latest ones are printed. */
const MAX_ROWS = 30;
const FIRST_ROWS = 5;
const MAX_CAUSES = 3;
/** How much of the message is shown for an attempt without a code, in characters. */
const MAX_WORDS = 59;

/** Fields with a line of their own; the message contains `hint`. Other code added any other field. */
const KNOWN = new Set([
  ...["name", "message", "stack", "cause", "code", "hint", "attempts", "token", "findings"],
  ...["tryNextLink", "retryAfterMs", "nextRefreshAllowedAt"],
]);

/**
 * The text for `util.inspect`, and so for `console.error(error)`: the message, the stack, and then one
 * line for each fact, not ten lines for each attempt. The texts of the error contain no secrets.
 */
function inspectError(
  this: WebIdentityError,
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

/** A token may contain any number. */
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
