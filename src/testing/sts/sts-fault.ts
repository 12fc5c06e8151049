import type { Verdict } from "../../model/failure.js";
import type { FaultRule } from "../fault-script.js";
import type { RateLimit } from "../rate-limit.js";
import type { StsRequest } from "./request-log.js";
import { WIRE_ERRORS, type WireError } from "./wire-error.js";

/** A failure by what it means to a client: the verdicts that an answer of STS can lead to. */
export type StsVerdictFault = Exclude<
  Verdict,
  "token-unavailable" | "token-invalid" | "sts-blocked"
>;

/**
 * A failure of what carries the answer.
 *
 * - `hang`: the request is taken and never answered.
 * - `reset`: the connection is reset.
 * - `html`: a page, as from a proxy; 502 unless `httpStatus` says otherwise.
 * - `empty-200`: a success with an empty result.
 * - `slow`: the right answer, after `delayMs`.
 */
export type StsTransportFault = "hang" | "reset" | "html" | "empty-200" | "slow";

/** Records, so that the compiler notices what is left out. */
const TRANSPORT_FAULTS: Readonly<Record<StsTransportFault, true>> = {
  hang: true,
  reset: true,
  html: true,
  "empty-200": true,
  slow: true,
};
const VERDICT_FAULTS: Readonly<Record<StsVerdictFault, true>> = {
  "idp-unreachable": true,
  throttled: true,
  "sts-unavailable": true,
  "token-expired": true,
  "token-early": true,
  "token-rejected": true,
  "access-denied": true,
  "region-disabled": true,
  "request-invalid": true,
  unknown: true,
};

/** Every fault of STS that has a name. */
export const STS_FAULT_NAMES = Object.keys({
  ...VERDICT_FAULTS,
  ...TRANSPORT_FAULTS,
}) as readonly (StsVerdictFault | StsTransportFault)[];

/** What can be wrong with STS: by meaning, by transport, or as it stands on the wire. */
export type StsFault = StsVerdictFault | StsTransportFault | WireError;

/** When a fault of STS strikes, and its details. */
export interface StsFaultOptions extends FaultRule<StsRequest> {
  /** Waits this long before the fault, in milliseconds. @default 0; 1000 for `slow` */
  readonly delayMs?: number | undefined;
  /** Adds a `Retry-After` header to an error. @default none */
  readonly retryAfterSeconds?: number | undefined;
  /** For `html`. @default 502 */
  readonly httpStatus?: number | undefined;
  /** Strikes only what is over this limit. @default everything */
  readonly limit?: RateLimit | undefined;
}

/** The account in answers that name one and are not about a role. */
const SAMPLE_ACCOUNT = "111122223333";

/** The error that leads a client to a verdict. */
export function wireErrorFor(fault: StsVerdictFault, request: StsRequest): WireError {
  const seconds = Math.floor(request.at / 1000);
  switch (fault) {
    case "idp-unreachable":
      return WIRE_ERRORS.verificationKey;
    case "throttled":
      return WIRE_ERRORS.throttled;
    case "sts-unavailable":
      return WIRE_ERRORS.unavailable;
    case "token-expired":
      return WIRE_ERRORS.tokenExpired(seconds - 300, seconds - 324);
    case "token-early":
      return WIRE_ERRORS.issuedInFuture(seconds + 310);
    case "token-rejected":
      return WIRE_ERRORS.notValidated;
    case "access-denied":
      return WIRE_ERRORS.accessDenied;
    case "region-disabled":
      return WIRE_ERRORS.regionDisabled(
        /^arn:[^:]*:iam::(\d{12}):/.exec(request.parameters.RoleArn ?? "")?.[1] ?? SAMPLE_ACCOUNT,
      );
    case "request-invalid":
      return WIRE_ERRORS.validation("Request ARN is invalid");
    case "unknown":
      return WIRE_ERRORS.neverSeen;
  }
}

/** Whether a fault stands for a verdict, and not for a transport failure. */
export function isVerdictFault(
  fault: StsVerdictFault | StsTransportFault,
): fault is StsVerdictFault {
  return !(fault in TRANSPORT_FAULTS);
}
