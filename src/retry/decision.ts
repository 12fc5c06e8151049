import type { Failure, Verdict } from "../model/failure.js";
import { firstFatal } from "../model/findings.js";
import { keyRefusalOf } from "./verdict.js";

/** How waits between attempts grow. */
export interface BackoffOptions {
  /** Upper bound of the first wait, in milliseconds; at least 0. */
  readonly baseDelayMs: number;
  /** Upper bound of every wait, in milliseconds; at least 0. */
  readonly maxDelayMs: number;
}

/** What the decision depends on besides the verdict. */
export interface DecisionContext {
  readonly failure: Failure;
  /** Failures with this verdict so far, this one included. */
  readonly timesSeen: number;
  /** Failed attempts so far, this one included. */
  readonly failures: number;
  /** What is left of the retry budget, in milliseconds. */
  readonly remainingMs: number;
  /** An attempt with less time than this is not worth starting, in milliseconds. */
  readonly minAttemptMs: number;
  readonly backoff: BackoffOptions;
  readonly retryAccessDenied: boolean;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** How long to wait before the next attempt, in milliseconds; `undefined` for no further attempt. */
export type Decision = number | undefined;

/** STS throttles for seconds, so a retry after milliseconds can't succeed. */
const THROTTLED_BASE_MS = 1_000;

/** The retries after a failure that probably lasts. */
const RETRIES_WHEN_UNSURE = 2;

/**
 * Whether another attempt can help, and after how long. Pure except for `random`. A `Retry-After` that
 * leaves no time for another attempt is cut to between a quarter and a half of the remaining budget: the
 * cause may end sooner, and the next refresh waits for the whole time.
 */
export function decide(verdict: Verdict, context: DecisionContext): Decision {
  const waitMs = waitFor(verdict, context);
  if (waitMs === undefined) return undefined;
  return waitMs + context.minAttemptMs <= context.remainingMs ? waitMs : undefined;
}

function waitFor(verdict: Verdict, context: DecisionContext): Decision {
  const { failure, timesSeen, backoff } = context;
  switch (verdict) {
    case "idp-unreachable":
      // STS can't use what the identity provider publishes, and waiting does not change that.
      if (firstFatal(failure.findings ?? []) !== undefined) return undefined;
      return afterRetryAfter(backoffMs(context), context);
    case "sts-unavailable":
      if (failure.alternative) return 0;
      return afterRetryAfter(backoffMs(context), context);
    case "throttled": {
      const baseDelayMs = Math.max(THROTTLED_BASE_MS, backoff.baseDelayMs);
      const maxDelayMs = Math.max(baseDelayMs, backoff.maxDelayMs);
      return afterRetryAfter(backoffMs(context, { baseDelayMs, maxDelayMs }), context);
    }
    case "sts-blocked":
      // Another region may be behind another certificate, VPC endpoint or proxy rule.
      if (failure.alternative) return 0;
      return timesSeen <= RETRIES_WHEN_UNSURE ? backoffMs(context) : undefined;
    case "token-expired":
      if (failure.sameToken || failure.retryable === false) return undefined;
      return timesSeen === 1 ? 0 : backoffMs(context);
    case "token-early":
      return (failure.validInMs ?? 0) + backoffMs(context);
    case "region-disabled":
      return failure.alternative ? 0 : undefined;
    case "access-denied":
      return context.retryAccessDenied ? backoffMs(context) : undefined;
    case "token-unavailable":
      if (failure.retryable === false) return undefined;
      if (failure.retryable) return afterRetryAfter(backoffMs(context), context);
      return timesSeen <= RETRIES_WHEN_UNSURE ? backoffMs(context) : undefined;
    case "unknown":
      return timesSeen <= RETRIES_WHEN_UNSURE ? backoffMs(context) : undefined;
    case "token-rejected":
      return isOfOneReplica(failure) ? backoffMs(context) : undefined;
    case "token-invalid":
    case "request-invalid":
      return undefined;
  }
}

/** Whether STS may have read the keys of one replica while another one publishes the token's key. */
function isOfOneReplica(failure: Failure): boolean {
  const { findings = [] } = failure;
  const isInconsistent = findings.some(({ id }) => id === "jwks-inconsistent");
  const isKnown = firstFatal(findings) !== undefined;
  return isInconsistent && !isKnown && keyRefusalOf(failure) === "not-validated";
}

/** The backoff after the time in `Retry-After`, or after as much of it as the budget allows. */
function afterRetryAfter(
  backoff: number,
  { failure, remainingMs, minAttemptMs, random }: DecisionContext,
): number {
  const { retryAfterMs = 0 } = failure;
  const waitMs = retryAfterMs + backoff;
  if (retryAfterMs === 0 || waitMs + minAttemptMs <= remainingMs) return waitMs;
  const half = remainingMs / 2;
  return Math.max(backoff, equalJitterMs(0, { baseDelayMs: half, maxDelayMs: half }, random));
}

function backoffMs(
  { failures, backoff, random }: DecisionContext,
  options: BackoffOptions = backoff,
): number {
  return equalJitterMs(failures - 1, options, random);
}

/**
 * Equal jitter: half of the exponential bound, and a uniformly random part of the other half. The
 * random half keeps clients that failed together from retrying together, the fixed half keeps them from
 * retrying before anything can have changed. (AWS Architecture Blog, "Exponential Backoff And
 * Jitter": it prefers full jitter for clients that contend for a row; for a fleet that waits for its
 * identity provider, `bench/research` measures fewer wasted calls and a lower peak with this one.)
 *
 * @param retry - 0 for the wait before the first retry.
 * @param random - uniform in [0, 1).
 * @returns milliseconds, between half of `min(maxDelayMs, baseDelayMs * 2 ** retry)` and all of it.
 */
export function equalJitterMs(
  retry: number,
  { baseDelayMs, maxDelayMs }: BackoffOptions,
  random: () => number,
): number {
  const boundMs = Math.min(maxDelayMs, baseDelayMs * 2 ** retry);
  return boundMs * (0.5 + random() / 2);
}
