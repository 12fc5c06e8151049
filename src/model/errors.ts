import { types } from "node:util";
import { readField } from "../runtime/redact.js";
import type { Verdict } from "./failure.js";
import type { Finding, FindingId } from "./findings.js";

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
  /** The provider was closed. */
  | "ERR_CLOSED";

/** One attempt to get credentials, as errors and events report it. */
export interface AttemptRecord {
  /** 1 for the first. */
  readonly attempt: number;
  /** The region of the STS endpoint that was called; absent when none was. */
  readonly region?: string | undefined;
  readonly verdict: Verdict;
  /** The error code of the answer (`InvalidIdentityToken`) or of the system (`ECONNRESET`). */
  readonly code?: string | undefined;
  /** The message of the answer. */
  readonly message: string;
  readonly httpStatus?: number | undefined;
  /** The request ID. AWS Support asks for it. */
  readonly requestId?: string | undefined;
  /** How long the attempt took, in milliseconds. */
  readonly ms: number;
  /** How long the provider waited after it, in milliseconds; absent after the last attempt. */
  readonly waitMs?: number | undefined;
}

/** The facts about a token that are safe to show; never the token itself. */
export interface TokenFacts {
  readonly issuer?: string | undefined;
  readonly audience?: string | readonly string[] | undefined;
  /**
   * The authorized party. Where a token has one, STS compares it, and not the audience, with the
   * client IDs of the IAM OIDC provider, and so does a trust policy's condition on `aud`.
   */
  readonly azp?: string | undefined;
  readonly kid?: string | undefined;
  readonly alg?: string | undefined;
  /** Seconds since the epoch. */
  readonly iat?: number | undefined;
  /** Seconds since the epoch. */
  readonly exp?: number | undefined;
  /** Whether the token carries session tags, for which a trust policy must allow `sts:TagSession`. */
  readonly hasSessionTags?: true | undefined;
  /** Whether it carries a source identity, for which it must allow `sts:SetSourceIdentity`. */
  readonly hasSourceIdentity?: true | undefined;
  /** The first 16 hex digits of the SHA-256 of `sub`: distinguishes subjects without naming them. */
  readonly subjectHash?: string | undefined;
}

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
  /** Every attempt, in order. */
  readonly attempts: readonly AttemptRecord[];
  /** Facts about the last token. */
  readonly token: TokenFacts | undefined;
  /** What the local checks and the issuer check found. */
  readonly findings: readonly Finding[];
  /** Whether a `chain()` may try its next provider: only when no token file is configured. */
  readonly tryNextLink: boolean;
  /** The `Retry-After` of the last answer, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /**
   * The end of the refresh backoff, in milliseconds since the epoch. Until then every caller without
   * valid credentials gets this error at once. Absent when the next call may start a refresh.
   */
  readonly nextRefreshAllowedAt: number | undefined;

  /** @internal */
  constructor(init: WebIdentityErrorInit) {
    const { code, about = code, message, hint, cause } = init;
    const more = `Details: ${explainCommand(about)}`;
    super(`${message} ${hint} ${more}`, cause === undefined ? {} : { cause });
    this.code = init.code;
    this.hint = init.hint;
    this.attempts = init.attempts ?? [];
    this.token = init.token;
    this.findings = init.findings ?? [];
    this.tryNextLink = init.tryNextLink ?? false;
    this.retryAfterMs = init.retryAfterMs;
    // The cache sets it later, when it decides on the backoff.
    this.nextRefreshAllowedAt = undefined;
    // Without this, the first line of the stack has the name of the base class.
    Error.captureStackTrace(this, new.target);
  }
}

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
