import type { OutgoingHttpHeaders } from "node:http";
import {
  htmlPage,
  resetConnection,
  sendAnswer,
  trickleAnswer,
  waitBeforeAnswer,
} from "../answer.js";
import type { Exchange } from "../loopback-server.js";
import type { RateLimit } from "../rate-limit.js";
import type { IdpDocumentName } from "./idp-document.js";

/** Whom a fault of the IdP strikes, and when. */
export interface IdpFaultRule {
  /** @default both documents */
  readonly on?: IdpDocumentName;
  /** Strikes this many requests, then is gone. @default standing until cleared */
  readonly times?: number;
  /** Strikes this share of the requests, 0 to 1. @default 1 */
  readonly probability?: number;
  /** Waits this long before the fault, in milliseconds. @default 0 */
  readonly delayMs?: number;
}

/**
 * What can be wrong with an IdP.
 *
 * - `slow`: the right answer, after `delayMs`.
 * - `rate-limit`: 429; with `limit` only for what is over the limit.
 * - `status`: that HTTP status, with a JSON error as its body unless told otherwise.
 * - `html`: a page instead of the document, with 200 unless told otherwise: a login wall.
 * - `redirect`: to another URL.
 * - `hang`: the request is taken and never answered.
 * - `reset`: the connection is reset.
 * - `trickle`: the right answer, a byte at a time.
 * - `truncate`: the right answer, cut in the middle.
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

/** Plays a fault; returns false when the right answer is still to be sent. */
export async function playIdpFault(
  fault: IdpFault,
  exchange: Exchange,
  body: string,
  headers: OutgoingHttpHeaders,
): Promise<boolean> {
  await waitBeforeAnswer(exchange, fault.delayMs ?? 0);
  const date = headers.date;
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
      await trickleAnswer(exchange, body, headers, fault.intervalMs ?? 50);
      return true;
    case "truncate": {
      const { response } = exchange;
      const bytes = Buffer.from(body);
      response.writeHead(200, { ...headers, "content-length": bytes.length });
      response.write(bytes.subarray(0, bytes.length / 2), () => response.destroy());
      return true;
    }
    case "redirect":
      sendAnswer(exchange, fault.httpStatus ?? 302, "", { date, location: fault.location });
      return true;
    case "html": {
      const status = fault.httpStatus ?? 200;
      sendAnswer(exchange, status, htmlPage(status), { date, "content-type": "text/html" });
      return true;
    }
    case "rate-limit": {
      const answer: OutgoingHttpHeaders = { ...json };
      if (fault.retryAfterSeconds !== undefined)
        answer["retry-after"] = String(fault.retryAfterSeconds);
      sendAnswer(exchange, 429, '{"error":"too_many_requests"}', answer);
      return true;
    }
    case "status":
      sendAnswer(exchange, fault.httpStatus, fault.body ?? '{"error":"server_error"}', json);
      return true;
  }
}
