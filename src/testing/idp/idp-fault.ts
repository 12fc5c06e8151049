import type { OutgoingHttpHeaders } from "node:http";
import { MAX_TIMER_MS } from "../../runtime/clock.js";
import { checkNumber, checkType, expected, requireString } from "../../runtime/validators.js";
import { checkHttpStatus, checkOneOf, checkWaits, type RateLimit } from "../fault-script.js";
import {
  type Exchange,
  type FullResponse,
  htmlPage,
  resetConnection,
  sendResponse,
  trickleResponse,
  waitBeforeResponse,
} from "../loopback-server.js";
import type { IdpDocumentName } from "./issuer.js";

/** Selects the requests that a fault of the IdP applies to. */
export interface IdpFaultRule {
  /** The document that has the fault. @default both documents */
  readonly on?: IdpDocumentName;
  /** Applies to this many requests, then ends. @default applies until cleared */
  readonly times?: number;
  /** Applies to this share of the requests, 0 to 1. @default 1 */
  readonly probability?: number;
  /** Waits this long before the fault, in milliseconds. @default 0 */
  readonly delayMs?: number;
}

/**
 * A fault of the IdP.
 *
 * - `slow`: sends the correct document after `delayMs`.
 * - `rate-limit`: sends 429; with `limit`, only to requests over the limit.
 * - `status`: sends this HTTP status. The default `body` is a JSON error.
 * - `html`: sends an HTML page in place of the document, as a login page does. The default
 *   `httpStatus` is 200.
 * - `redirect`: redirects to `location`. The default `httpStatus` is 302.
 * - `hang`: accepts the request and never responds.
 * - `reset`: resets the connection.
 * - `trickle`: sends the correct document one byte at a time.
 * - `truncate`: sends half of the correct document and closes the connection.
 */
export type IdpFault = IdpFaultRule &
  (
    | { readonly kind: "slow"; readonly delayMs: number }
    | {
        readonly kind: "rate-limit";
        /** @default no `Retry-After` header */
        readonly retryAfterSeconds?: number;
        readonly limit?: RateLimit;
      }
    | { readonly kind: "status"; readonly httpStatus: number; readonly body?: string }
    | { readonly kind: "html"; readonly httpStatus?: number }
    | { readonly kind: "redirect"; readonly location: string; readonly httpStatus?: number }
    | { readonly kind: "hang" | "reset" | "truncate" }
    /** `intervalMs` between two bytes. @default 50 */
    | { readonly kind: "trickle"; readonly intervalMs?: number }
  );

/**
 * Plays a fault in place of `right`, the correct response. Returns false when the caller must still
 * send that response.
 */
export async function playIdpFault(
  fault: IdpFault,
  exchange: Exchange,
  right: FullResponse,
): Promise<boolean> {
  await waitBeforeResponse(exchange, fault.delayMs ?? 0);
  const { date } = right.headers;
  const json = { date, "content-type": "application/json" };
  switch (fault.kind) {
    case "slow":
      return false;
    case "hang":
      return true;
    case "reset":
      resetConnection(exchange);
      return true;
    case "trickle":
      await trickleResponse(exchange, right, fault.intervalMs ?? 50);
      return true;
    case "truncate": {
      const { response } = exchange;
      const bytes = Buffer.from(right.body);
      response.writeHead(200, { ...right.headers, "content-length": bytes.length });
      response.write(bytes.subarray(0, bytes.length / 2), () => response.destroy());
      return true;
    }
    case "redirect":
      sendResponse(exchange, {
        httpStatus: fault.httpStatus ?? 302,
        body: "",
        headers: { date, location: fault.location },
      });
      return true;
    case "html": {
      const httpStatus = fault.httpStatus ?? 200;
      const headers = { date, "content-type": "text/html" };
      sendResponse(exchange, { httpStatus, body: htmlPage(httpStatus), headers });
      return true;
    }
    case "rate-limit": {
      const headers: OutgoingHttpHeaders = { ...json };
      if (fault.retryAfterSeconds !== undefined)
        headers["retry-after"] = String(fault.retryAfterSeconds);
      sendResponse(exchange, { httpStatus: 429, body: '{"error":"too_many_requests"}', headers });
      return true;
    }
    case "status":
      sendResponse(exchange, {
        httpStatus: fault.httpStatus,
        body: fault.body ?? '{"error":"server_error"}',
        headers: json,
      });
      return true;
  }
}

/** Records and not lists, so that the compiler reports a missing name. */
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
 * Rejects a fault that the IdP can't play: a test would pass because nothing fails.
 *
 * @throws TypeError that names the option and the expected value.
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
    checkNumber("intervalMs", fault.intervalMs, { min: 0, max: MAX_TIMER_MS });
  }
}

function requireGiven(name: string, value: unknown): void {
  if (value === undefined) throw expected(name, "to be given", value);
}
