import { STS_TIME_TOLERANCE_SECONDS } from "../../model/sts-limits.js";
import { StsRefusal, WIRE_ERRORS } from "./wire-error.js";

const REQUIRED = ["iss", "sub", "aud", "iat", "exp"] as const;

type Claims = Readonly<Record<string, unknown>>;

/** @throws StsRefusal naming the first claim that is missing. */
export function checkRequiredClaims(claims: Claims): void {
  for (const claim of REQUIRED) {
    if (claims[claim] === undefined) throw new StsRefusal(WIRE_ERRORS.missingClaim(claim));
  }
}

/** @throws StsRefusal for a time that is none, an `exp` before the token begins, or a time beyond the tolerance. */
export function checkTimes(claims: Claims, nowSeconds: number): void {
  const exp = readTime(claims.exp);
  const iat = readTime(claims.iat);
  const nbf = claims.nbf === undefined ? undefined : readTime(claims.nbf);
  // STS prints the limits it compares with, not the time: nobody can read a clock skew off them.
  const past = nowSeconds - STS_TIME_TOLERANCE_SECONDS;
  const future = nowSeconds + STS_TIME_TOLERANCE_SECONDS;
  if (past >= exp) throw new StsRefusal(WIRE_ERRORS.tokenExpired(past, exp));
  if (iat > future) throw new StsRefusal(WIRE_ERRORS.issuedInFuture(iat));
  if (nbf !== undefined && nbf > future) {
    throw new StsRefusal(WIRE_ERRORS.notYetValid(future, nbf));
  }
  // Only where both are within the tolerance: real STS was observed to compare each with the time first.
  if (exp < Math.max(iat, nbf ?? iat)) throw new StsRefusal(WIRE_ERRORS.invalidTimestamp);
}

/**
 * The subject: a number becomes a string, and the empty string is one.
 *
 * @throws StsRefusal for null: the InternalFailure that never passes.
 */
export function readSubject(claims: Claims): string {
  const subject = claims.sub;
  if (typeof subject === "string" || typeof subject === "number") return String(subject);
  throw new StsRefusal(WIRE_ERRORS.nullSubject);
}

/**
 * The audience that has to be registered: `azp` decides when it is there.
 *
 * @throws StsRefusal for several audiences without `azp`, and for none at all.
 */
export function readAudience(claims: Claims): string {
  const { aud, azp } = claims as { readonly aud?: unknown; readonly azp?: unknown };
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (azp === undefined && audiences.length > 1) {
    throw new StsRefusal(WIRE_ERRORS.ambiguousAudience);
  }
  const audience = azp === undefined ? audiences[0] : azp;
  if (typeof audience !== "string" || audience === "") {
    throw new StsRefusal(WIRE_ERRORS.notValidated);
  }
  return audience;
}

/** Whole seconds, as a number or as the string of one. */
function readTime(value: unknown): number {
  const isTime =
    Number.isSafeInteger(value) || (typeof value === "string" && /^-?\d{1,15}$/.test(value));
  if (!isTime) throw new StsRefusal(WIRE_ERRORS.invalidTimestamp);
  return Number(value);
}
