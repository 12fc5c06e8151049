import { htmlPage, resetConnection, sendAnswer, waitBeforeAnswer } from "../answer.js";
import type { Exchange } from "../loopback-server.js";
import type { OpenStsRequest } from "./request-log.js";
import { sendError, sendResult } from "./sts-answer.js";
import { isVerdictFault, type StsFault, type StsFaultOptions, wireErrorFor } from "./sts-fault.js";
import type { WireError } from "./wire-error.js";

/** A fault with its details, as it was scripted. */
export interface ScriptedStsFault {
  readonly fault: StsFault;
  readonly options: StsFaultOptions;
}

/** Plays a fault; returns false when the right answer is still to be sent. */
export async function playStsFault(
  { fault, options }: ScriptedStsFault,
  exchange: Exchange,
  record: OpenStsRequest,
  now: () => number,
): Promise<boolean> {
  await waitBeforeAnswer(exchange, options.delayMs ?? (fault === "slow" ? 1000 : 0));
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
      const date = new Date(now()).toUTCString();
      sendAnswer(exchange, httpStatus, htmlPage(httpStatus), { date, "content-type": "text/html" });
      break;
    }
    case "empty-200":
      sendResult(exchange, now(), record.action, {});
      break;
  }
  return true;
}

function withRetryAfter(error: WireError, seconds: number | undefined): WireError {
  if (seconds === undefined) return error;
  return { ...error, headers: { ...error.headers, "retry-after": String(seconds) } };
}
