import type { TokenFacts } from "../model/errors.js";
import type { Failure } from "../model/failure.js";
import type { Finding } from "../model/findings.js";
import { sentenceFor } from "../retry/sentences.js";

/** What STS itself answered, with its words. Where no answer came: what stands before it. */
export function answerFinding(failure: Failure, token?: TokenFacts): Finding {
  const { kind, code, message, httpStatus, requestId, region } = failure;
  const { id, severity, what, remedy } = sentenceFor(failure, token);
  const where = region === undefined ? "" : ` in ${region}`;
  const status = httpStatus === undefined ? "" : ` (HTTP ${httpStatus})`;
  const request = requestId === undefined ? "" : ` (request id ${requestId})`;
  const words = code === undefined ? message : `${code}: ${message}`;
  // An answer without a code has no words of STS's, but ours for it.
  const isFromSts = kind === "answer" && code !== undefined;
  const detail = isFromSts
    ? `STS${where} said${status}: ${words}${request}`
    : `The call to STS${where} failed: ${words}${request}`;
  const evidence = { kind, code, message, httpStatus, requestId, region };
  return { id, severity, title: `${what}.`, detail, remedy, evidence };
}
