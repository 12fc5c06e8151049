import type { Verdict } from "./failure.js";

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
