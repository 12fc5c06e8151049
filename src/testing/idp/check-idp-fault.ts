import { MAX_TIMER_MS } from "../../runtime/clock.js";
import { checkType, expected, requireString, resolveNumber } from "../../runtime/validators.js";
import { checkHttpStatus, checkOneOf, checkWaits } from "../check-fault.js";
import type { IdpDocumentName } from "./idp-document.js";
import type { IdpFault } from "./idp-fault.js";

/** Records, so that the compiler notices what is left out. */
const KINDS: Readonly<Record<IdpFault["kind"], true>> = {
  slow: true,
  "rate-limit": true,
  status: true,
  html: true,
  redirect: true,
  hang: true,
  reset: true,
  truncate: true,
  trickle: true,
};
const DOCUMENTS: Readonly<Record<IdpDocumentName, true>> = { discovery: true, jwks: true };

/**
 * Refuses a fault that could not be played: a test in which nothing goes wrong would pass for it.
 *
 * @throws TypeError that says what was expected.
 */
export function checkIdpFault(fault: IdpFault): void {
  if (typeof fault !== "object") {
    throw expected("fault", "to be an object, such as { kind: 'rate-limit' }", fault);
  }
  checkType("fault", fault, "object");
  checkOneOf("kind", fault.kind, Object.keys(KINDS));
  if (fault.on !== undefined) checkOneOf("on", fault.on, Object.keys(DOCUMENTS));
  checkWaits(fault);
  if ("httpStatus" in fault) checkHttpStatus(fault.httpStatus);
  if (fault.kind === "status") requireGiven("httpStatus", fault.httpStatus);
  if (fault.kind === "slow") requireGiven("delayMs", fault.delayMs);
  if (fault.kind === "redirect") requireString("location", fault.location);
  if (fault.kind === "trickle") {
    resolveNumber("intervalMs", fault.intervalMs, 0, 0, MAX_TIMER_MS);
  }
}

function requireGiven(name: string, value: unknown): void {
  if (value === undefined) throw expected(name, "to be given", value);
}
