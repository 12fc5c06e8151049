import { readField } from "../runtime/redact.js";

/** What a token source receives with each call. */
export interface TokenSourceContext {
  /** Aborts when the token is no longer needed: the time is up, or the provider was closed. */
  readonly signal: AbortSignal;
  /** 1 for the first attempt of a refresh. */
  readonly attempt: number;
}

/**
 * Returns the OIDC token. The provider calls it for every attempt, so that a retry never sends a token
 * that expired during the wait.
 */
export interface TokenSource {
  (context: TokenSourceContext): Promise<string>;
  /**
   * `false` for a source that can only return the token it has: when that expires, the provider
   * stops immediately instead of asking again.
   * @default true
   */
  readonly renewable?: boolean | undefined;
}

/** Why a source of `resilient-sts/token-sources` returned no token. */
export type TokenSourceErrorCode =
  /** A variable, a permission, a program or a package is missing. Permanent. */
  | "ERR_SOURCE_NOT_CONFIGURED"
  /** The platform refused the request and will refuse it again. Permanent. */
  | "ERR_SOURCE_REFUSED"
  /** The platform did not respond, or responded without a token. Temporary. */
  | "ERR_SOURCE_UNAVAILABLE";

/** The fields of a {@link TokenSourceError} besides its message. */
export interface TokenSourceErrorInit {
  /**
   * Whether the platform refused, or did not respond.
   * @default "ERR_SOURCE_UNAVAILABLE" when `retryable`, else "ERR_SOURCE_REFUSED"
   */
  readonly code?: TokenSourceErrorCode | undefined;
  /** Whether the same call can succeed within the next minute. */
  readonly retryable: boolean;
  /** How long to wait before the next call, in milliseconds; 0 or more. @default 0 */
  readonly retryAfterMs?: number | undefined;
  /** Who must do what: `Workload: …`, `Network: …`. */
  readonly hint: string;
  /** The error behind this one. */
  readonly cause?: unknown;
}

const ERROR_NAME = "TokenSourceError";

/**
 * The error of a token source that knows whether another attempt can help. A provider retries it within
 * its budget when it is `retryable`, and stops immediately when it is not; any other error of a source
 * gets two retries. A source of your own may throw it too. It is recognized by its shape, also as
 * the `cause` of another error, so two copies of this package can be mixed.
 *
 * @example
 * ```ts
 * import { fromWebIdentity } from "resilient-sts";
 * import { TokenSourceError } from "resilient-sts/token-sources";
 *
 * fromWebIdentity({
 *   roleArn: "arn:aws:iam::123456789012:role/service",
 *   token: async () => {
 *     const token = process.env.MY_TOKEN;
 *     if (token) return token;
 *     const hint = "Workload: set MY_TOKEN.";
 *     throw new TokenSourceError("MY_TOKEN is not set.", { retryable: false, hint });
 *   },
 * });
 * ```
 */
export class TokenSourceError extends Error {
  /** The name that logs and stacks show. */
  override readonly name = ERROR_NAME;
  /** Whether the platform refused, or did not respond. */
  readonly code: TokenSourceErrorCode;
  /** Whether the same call can succeed within the next minute. */
  readonly retryable: boolean;
  /** How long to wait before the next call, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** Who must do what. */
  readonly hint: string;

  constructor(message: string, init: TokenSourceErrorInit) {
    super(message, init.cause === undefined ? {} : { cause: init.cause });
    const { retryable } = init;
    this.code = init.code ?? (retryable ? "ERR_SOURCE_UNAVAILABLE" : "ERR_SOURCE_REFUSED");
    this.retryable = retryable;
    this.retryAfterMs = init.retryAfterMs;
    this.hint = init.hint;
  }
}

/**
 * Whether a caught value is a {@link TokenSourceError}. It recognizes errors from another copy of this
 * package or from another realm, where `instanceof` fails.
 *
 * @example
 * ```ts
 * import { githubActions, isTokenSourceError } from "resilient-sts/token-sources";
 *
 * const { signal } = new AbortController();
 * await githubActions()({ signal, attempt: 1 }).catch((error: unknown) => {
 *   if (!isTokenSourceError(error)) throw error;
 *   console.error(error.message, error.hint, error.retryable);
 * });
 * ```
 */
export function isTokenSourceError(value: unknown): value is TokenSourceError {
  return (
    readField(value, "name") === ERROR_NAME && typeof readField(value, "retryable") === "boolean"
  );
}
