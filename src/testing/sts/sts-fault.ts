import type { Verdict } from "../../model/failure.js";
import { checkType, expected, requireString } from "../../runtime/validators.js";
import {
  checkHttpStatus,
  checkOneOf,
  checkWaits,
  type FaultRule,
  type RateLimit,
} from "../fault-script.js";
import {
  type Exchange,
  htmlPage,
  resetConnection,
  sendResponse,
  waitBeforeResponse,
} from "../loopback-server.js";
import { type OpenStsRequest, type StsRequest, sendError, sendResult } from "./query-protocol.js";
import { WIRE_ERRORS, type WireError } from "./wire-error.js";

/** A failure by its meaning to a client: the verdicts that a response of STS can lead to. */
export type StsVerdictFault = Exclude<
  Verdict,
  "token-unavailable" | "token-invalid" | "sts-blocked"
>;

/**
 * A failure of the transport.
 *
 * - `hang`: accepts the request and never responds.
 * - `reset`: resets the connection.
 * - `html`: sends an HTML page, as a proxy does. The default `httpStatus` is 502.
 * - `empty-200`: sends a success with an empty result.
 * - `slow`: sends the correct response after `delayMs`.
 */
export type StsTransportFault = "hang" | "reset" | "html" | "empty-200" | "slow";

/** Records and not lists, so that the compiler reports a missing name. */
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

/** The name of every fault that has one. */
export const STS_FAULT_NAMES = Object.keys({
  ...VERDICT_FAULTS,
  ...TRANSPORT_FAULTS,
}) as readonly (StsVerdictFault | StsTransportFault)[];

/** A fault of STS: by its meaning, by its transport, or as an error on the wire. */
export type StsFault = StsVerdictFault | StsTransportFault | WireError;

/** Selects the requests that a fault of STS applies to, and sets its details. */
export interface StsFaultOptions extends FaultRule<StsRequest> {
  /** Waits this long before the fault, in milliseconds. @default 0; 1000 for `slow` */
  readonly delayMs?: number | undefined;
  /** Adds a `Retry-After` header to an error. @default none */
  readonly retryAfterSeconds?: number | undefined;
  /** The status of `html`. @default 502 */
  readonly httpStatus?: number | undefined;
  /** Applies only to requests over this limit. @default no limit */
  readonly limit?: RateLimit | undefined;
}

/** The account in a response that must name one when the request has no role ARN. */
const SAMPLE_ACCOUNT = "111122223333";

/** The error on the wire that leads a client to a verdict. */
function wireErrorFor(fault: StsVerdictFault, request: StsRequest): WireError {
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

/** Whether a fault is a verdict, and not a transport failure. */
function isVerdictFault(fault: StsVerdictFault | StsTransportFault): fault is StsVerdictFault {
  return !(fault in TRANSPORT_FAULTS);
}

/**
 * Rejects a fault that STS can't play: a test would pass because nothing fails.
 *
 * @throws TypeError that names the option and the expected value.
 */
export function checkStsFault(fault: StsFault, options: StsFaultOptions): void {
  if (typeof fault === "object" && fault !== null) {
    requireString("code", fault.code);
    if (typeof fault.message !== "string") {
      throw expected("message", "to be a string", fault.message);
    }
    checkHttpStatus(fault.httpStatus ?? Number.NaN);
  } else {
    checkOneOf("fault", fault, STS_FAULT_NAMES);
  }
  checkType("options", options, "object");
  checkType("when", options.when, "function");
  checkWaits(options);
  checkHttpStatus(options.httpStatus);
}

/** A fault and its details. */
export interface ScriptedStsFault {
  readonly fault: StsFault;
  readonly options: StsFaultOptions;
}

/** The request that a fault applies to, and the clock of the server. */
interface FaultyExchange {
  readonly exchange: Exchange;
  readonly record: OpenStsRequest;
  readonly now: () => number;
}

/** Plays a fault. Returns false when the caller must still send the correct response. */
export async function playStsFault(
  { fault, options }: ScriptedStsFault,
  { exchange, record, now }: FaultyExchange,
): Promise<boolean> {
  await waitBeforeResponse(exchange, options.delayMs ?? (fault === "slow" ? 1000 : 0));
  if (fault === "slow") return false;
  if (typeof fault === "object" || isVerdictFault(fault)) {
    const error = typeof fault === "object" ? fault : wireErrorFor(fault, record);
    record.outcome = error.code;
    sendError(exchange, now(), withRetryAfter(error, options.retryAfterSeconds));
    return true;
  }
  record.outcome = fault;
  switch (fault) {
    case "hang":
      break;
    case "reset":
      resetConnection(exchange);
      break;
    case "html": {
      const httpStatus = options.httpStatus ?? 502;
      const headers = { date: new Date(now()).toUTCString(), "content-type": "text/html" };
      sendResponse(exchange, { httpStatus, body: htmlPage(httpStatus), headers });
      break;
    }
    case "empty-200":
      sendResult(exchange, now(), { action: record.action, result: {} });
      break;
  }
  return true;
}

function withRetryAfter(error: WireError, seconds: number | undefined): WireError {
  if (seconds === undefined) return error;
  return { ...error, headers: { ...error.headers, "retry-after": String(seconds) } };
}
