import type { Finding } from "./findings.js";

/*
 * This folder is the vocabulary that all folders share: failures, errors, events, findings, reports, tokens,
 * and the contracts of stores and token sources. It decides nothing and imports only `src/runtime`. This file
 * names what failed in one attempt and what that means.
 */

/** What a failed attempt means. It decides what happens next. */
export type Verdict =
  | "idp-unreachable"
  | "throttled"
  | "sts-unavailable"
  | "sts-blocked"
  | "token-unavailable"
  | "token-invalid"
  | "token-expired"
  | "token-early"
  | "token-rejected"
  | "access-denied"
  | "region-disabled"
  | "request-invalid"
  | "unknown";

/** Why one attempt failed, as plain facts: no SDK object, no token, no secret. */
export interface Failure {
  /**
   * - `token`: there is no usable token. STS was not called.
   * - `request`: the request can't be sent as configured. STS was not called.
   * - `preflight`: STS can't use what the issuer publishes. STS was not called.
   * - `response`: STS returned an error. Without a `code`, something in front of STS may have returned it.
   * - `bad-response`: STS reported success, but returned no usable credentials.
   * - `proxy`: a proxy refused the connection to STS (`PROXY_STATUS_403`).
   * - `network`: no response: the connection was refused or reset, the name did not resolve, or TLS failed.
   * - `timeout`: no response in time.
   * - `local`: code in this process threw.
   */
  readonly kind:
    | "token"
    | "request"
    | "preflight"
    | "response"
    | "bad-response"
    | "proxy"
    | "network"
    | "timeout"
    | "local";
  /** The error code of the response (`InvalidIdentityToken`) or of the system (`ECONNRESET`). */
  readonly code?: string | undefined;
  /** The message of the response, made printable and without the token. */
  readonly message: string;
  readonly httpStatus?: number | undefined;
  readonly requestId?: string | undefined;
  /** The `Retry-After` of the response, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
  /** How long until STS accepts the token, in milliseconds. */
  readonly validInMs?: number | undefined;
  /** The source returned the same token that had expired in the attempt before. */
  readonly sameToken?: boolean | undefined;
  /**
   * Whether another attempt can get a token, if the source knows: true means attempts until the budget
   * ends, false means none. Absent for any other failure.
   */
  readonly retryable?: boolean | undefined;
  /** There is no response because the call ended before its own timeout, or was not made at all. */
  readonly cutShort?: boolean | undefined;
  /** Another region can be called immediately. */
  readonly alternative?: boolean | undefined;
  /** What the local checks found. */
  readonly findings?: readonly Finding[] | undefined;
  /** A copy of the error that is safe to show. */
  readonly cause?: Error | undefined;
  /** The region of the STS endpoint that was called. */
  readonly region?: string | undefined;
}

/** One attempt to get credentials, as errors and events report it. */
export interface AttemptRecord {
  /** 1 for the first. */
  readonly attempt: number;
  /** The region of the STS endpoint that was called; absent when none was. */
  readonly region?: string | undefined;
  /** How the attempt ended. */
  readonly verdict: Verdict;
  /** The error code of the response (`InvalidIdentityToken`) or of the system (`ECONNRESET`). */
  readonly code?: string | undefined;
  /** The message of the response. */
  readonly message: string;
  /** HTTP status of the response; absent when there was none. */
  readonly httpStatus?: number | undefined;
  /** The request ID. AWS Support asks for it. */
  readonly requestId?: string | undefined;
  /** How long the attempt took, in milliseconds. */
  readonly ms: number;
  /** How long the provider waited after it, in milliseconds; absent after the last attempt. */
  readonly waitMs?: number | undefined;
}

/** Carries a {@link Failure} to the retry loop. It never reaches a user. */
export class AttemptError extends Error {
  override readonly name = "AttemptError";

  constructor(readonly failure: Failure) {
    super(failure.message);
  }
}
