import { randomUUID } from "node:crypto";
import { sendAnswer } from "../answer.js";
import type { Exchange } from "../loopback-server.js";
import type { WireError } from "./wire-error.js";
import { writeXml, type XmlContent } from "./xml.js";

const XMLNS = ' xmlns="https://sts.amazonaws.com/doc/2011-06-15/"';

/** Answers an action with its result. */
export function sendResult(
  exchange: Exchange,
  now: number,
  action: string,
  result: XmlContent,
): void {
  const RequestId = randomUUID();
  const body = { [`${action}Result`]: result, ResponseMetadata: { RequestId } };
  const xml = writeXml(`${action}Response`, body, XMLNS);
  sendAnswer(exchange, 200, xml, answerHeaders(RequestId, now));
}

/** Answers with an error. */
export function sendError(
  exchange: Exchange,
  now: number,
  { code, message, httpStatus, headers }: WireError,
): void {
  const RequestId = randomUUID();
  const Type = httpStatus >= 500 ? "Receiver" : "Sender";
  const content = { Error: { Type, Code: code, Message: message }, RequestId };
  const xml = writeXml("ErrorResponse", content, XMLNS);
  sendAnswer(exchange, httpStatus, xml, { ...answerHeaders(RequestId, now), ...headers });
}

function answerHeaders(requestId: string, now: number): Record<string, string> {
  return {
    "x-amzn-requestid": requestId,
    "content-type": "text/xml",
    date: new Date(now).toUTCString(),
  };
}
