import type { Finding } from "./findings.js";

/** What a failed attempt means, and so what to do next. */
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

/** What went wrong in one attempt, as plain facts: no SDK object, no token, no secret. */
export interface Failure {
  /**
   * - `token`: no usable token, STS was not asked.
   * - `request`: the request itself cannot be sent as configured, STS was not asked.
   * - `preflight`: what the issuer publishes cannot work, STS was not asked.
   * - `answer`: STS answered with an error, or something in front of it did: then there is no `code`.
   * - `bad-answer`: the answer was a success without usable credentials.
   * - `proxy`: a proxy refused the connection to STS (`PROXY_STATUS_403`).
   * - `network`: no answer: refused, reset, unresolved, TLS.
   * - `timeout`: no answer in time.
   * - `local`: something on this side of the wire threw.
   */
  readonly kind:
    | "token"
    | "request"
    | "preflight"
    | "answer"
    | "bad-answer"
    | "proxy"
    | "network"
    | "timeout"
    | "local";
  /** The wire code of the answer, or the system's (`ECONNRESET`). */
  readonly code?: string | undefined;
  /** The words of the answer, made printable and free of the token. */
  readonly message: string;
  readonly httpStatus?: number | undefined;
  readonly requestId?: string | undefined;
  /** What `Retry-After` asked for, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
  /** How long until the token becomes valid for STS, in milliseconds. */
  readonly validInMs?: number | undefined;
  /** The source gave the very token again that had expired in the attempt before. */
  readonly sameToken?: boolean | undefined;
  /**
   * Whether another attempt can get a token, where the source itself knows: it is retried to the
   * budget, or not at all. Absent for any other failure.
   */
  readonly retryable?: boolean | undefined;
  /** No answer came because the call was ended, or not even made, before its own time was up. */
  readonly cutShort?: boolean | undefined;
  /** Another region can be asked at once. */
  readonly alternative?: boolean | undefined;
  /** What the local checks found. */
  readonly findings?: readonly Finding[] | undefined;
  /** A copy of the error that is safe to show. */
  readonly cause?: Error | undefined;
  /** The region whose STS was asked. */
  readonly region?: string | undefined;
}

/** Carries a {@link Failure} up to the retry loop. Never reaches a user. */
export class AttemptError extends Error {
  override readonly name = "AttemptError";

  constructor(readonly failure: Failure) {
    super(failure.message);
  }
}
