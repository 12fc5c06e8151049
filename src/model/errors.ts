import { inspect, types } from "node:util";
import { readField } from "../runtime/redact.js";
import type { AttemptRecord, TokenFacts } from "./attempt.js";
import type { Finding, FindingId } from "./findings.js";
import { inspectError } from "./inspect-error.js";

/** Why the provider has no credentials to return. */
export type WebIdentityErrorCode =
  /** No token file or no role is configured. Only without a token file does a `chain()` go on to its next provider. */
  | "ERR_NOT_CONFIGURED"
  /** The token file or source returned no token. */
  | "ERR_TOKEN_UNAVAILABLE"
  /** STS is certain to refuse this token, or it is not valid yet. */
  | "ERR_TOKEN_INVALID"
  /** The token has expired, and its source has no newer one. */
  | "ERR_TOKEN_EXPIRED"
  /** STS refused the token and would refuse it again. */
  | "ERR_TOKEN_REJECTED"
  /** The identity provider answers, but STS can't use what it publishes. */
  | "ERR_IDP_UNUSABLE"
  /** STS could not get the verification key before the attempts or the budget ran out. */
  | "ERR_IDP_UNREACHABLE"
  /** STS throttled every attempt until the attempts or the budget ran out. */
  | "ERR_THROTTLED"
  /** STS returned no usable answer before the attempts or the budget ran out. */
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
  override readonly name = "WebIdentityError";
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
  /** The `Retry-After` of the last answer, in milliseconds. */
  declare readonly retryAfterMs: number | undefined;
  /**
   * The end of the refresh backoff, in milliseconds since the epoch. Until then every caller without
   * valid credentials gets this error at once. Absent when the next call may start a refresh.
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
