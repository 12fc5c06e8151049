import { types } from "node:util";
import { readField } from "../runtime/redact.js";
import type { Verdict } from "./failure.js";
import type { Finding } from "./findings.js";

/** Why no credentials could be given. */
export type WebIdentityErrorCode =
  /** No token file or no role is named. Without a token file, and only then, a `chain()` moves on. */
  | "ERR_NOT_CONFIGURED"
  /** The token file or source gave nothing. */
  | "ERR_TOKEN_UNAVAILABLE"
  /** STS is certain to refuse this token, or it is not valid yet. */
  | "ERR_TOKEN_INVALID"
  /** The token has expired and no newer one is to be had. */
  | "ERR_TOKEN_EXPIRED"
  /** STS refused the token, and would again. */
  | "ERR_TOKEN_REJECTED"
  /** The identity provider answers, but STS cannot use what it publishes. */
  | "ERR_IDP_UNUSABLE"
  /** STS did not get the verification key until attempts or budget were used up. */
  | "ERR_IDP_UNREACHABLE"
  /** STS answered "slow down" until attempts or budget were used up. */
  | "ERR_THROTTLED"
  /** There was no usable answer until attempts or budget were used up. */
  | "ERR_STS_UNAVAILABLE"
  /** The role's trust policy does not admit this token, or there is no such role. */
  | "ERR_ACCESS_DENIED"
  /** STS is switched off in this region for the role's account. */
  | "ERR_REGION_DISABLED"
  /** The request is wrong: role ARN, session name, duration, policy, endpoint options. */
  | "ERR_REQUEST_INVALID"
  /** The provider was closed. */
  | "ERR_CLOSED";

/** One try at getting credentials, as it is told in errors and events. */
export interface AttemptRecord {
  /** 1 for the first. */
  readonly attempt: number;
  /** The region whose STS was asked; absent when none was. */
  readonly region?: string | undefined;
  readonly verdict: Verdict;
  /** The wire code of the answer (`InvalidIdentityToken`) or the system's (`ECONNRESET`). */
  readonly code?: string | undefined;
  /** The words of the answer. */
  readonly message: string;
  readonly httpStatus?: number | undefined;
  /** What AWS Support asks for. */
  readonly requestId?: string | undefined;
  /** How long the attempt took, in milliseconds. */
  readonly ms: number;
  /** How long was waited after it, in milliseconds; absent when it was the last. */
  readonly waitMs?: number | undefined;
}

/** What can be read off a token and told: facts, never the token. */
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
  /** The first 16 hex digits of the SHA-256 of `sub`: tells subjects apart without naming them. */
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
}

/**
 * The one error a provider rejects with. Its message says what failed, with which value and what to
 * do next; no field of it holds a token or a secret.
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
  /** Every attempt that was made, in order. */
  readonly attempts: readonly AttemptRecord[];
  /** What could be read off the last token. */
  readonly token: TokenFacts | undefined;
  /** What the local checks and the pre-flight found. */
  readonly findings: readonly Finding[];
  /** Whether a `chain()` of providers may try its next one: only when no token file is named here. */
  readonly tryNextLink: boolean;
  /** How long the last answer asked to wait (`Retry-After`), in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /**
   * The end of the refresh backoff, in milliseconds since the epoch. Until then every caller without
   * valid credentials gets this error at once. Absent when the next call may start a refresh.
   */
  readonly nextRefreshAllowedAt: number | undefined;

  /** @internal */
  constructor(init: WebIdentityErrorInit) {
    super(`${init.message} ${init.hint}`, init.cause === undefined ? {} : { cause: init.cause });
    this.code = init.code;
    this.hint = init.hint;
    this.attempts = init.attempts ?? [];
    this.token = init.token;
    this.findings = init.findings ?? [];
    this.tryNextLink = init.tryNextLink ?? false;
    this.retryAfterMs = init.retryAfterMs;
    // The cache decides about the backoff after the error was made.
    this.nextRefreshAllowedAt = undefined;
    // The stack's first line was written before `name` was set.
    Error.captureStackTrace(this, new.target);
  }
}

/**
 * Whether a caught value is a {@link WebIdentityError}, also one from another copy of this package
 * in the tree or from another realm, where `instanceof` fails.
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
