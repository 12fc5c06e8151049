import type { Failure } from "../model/failure.js";
import { readField, safeCause, safeText } from "../runtime/redact.js";
import { readRetryAfter } from "../runtime/retry-after.js";

/** A part of a token that is shorter than this is none worth hiding, and may be a word of the answer. */
const MIN_SECRET = 16;

/** Names the SDK gives to an answer that carries no error code. */
const NO_CODE = ["Unknown", "UnknownError", "Error"];

/** Configuration that the SDK refuses before it sends anything. */
const REQUEST_FAULTS =
  /^(EndpointError)$|Region (not accepted|is missing)|Invalid (URL|Configuration)/;

/**
 * The plain facts of whatever the STS client threw. The error itself is dropped: it holds the
 * request, and with it the token.
 */
export function readFailure(thrown: unknown, token: string, now: number): Failure {
  const secrets = secretsOf(token);
  const cause = safeCause(thrown, secrets);
  const status = readField(readField(thrown, "$metadata"), "httpStatusCode");
  if (typeof status === "number") return readAnswer(thrown, status, cause, secrets, now);

  const code = text(readField(cause, "code")) ?? cause.name;
  // An AggregateError of several addresses has no words of its own.
  const message = cause.message || code;
  if (REQUEST_FAULTS.test(cause.name) || REQUEST_FAULTS.test(message)) {
    return { kind: "request", code, message, cause };
  }
  // First the network: the SDK names a reset connection "TimeoutError" too.
  if (isNetworkFault(code, message)) return { kind: "network", code, message, cause };
  return { kind: cause.name === "TimeoutError" ? "timeout" : "local", code, message, cause };
}

function readAnswer(
  error: unknown,
  httpStatus: number,
  cause: Error,
  secrets: readonly string[],
  now: number,
): Failure {
  const shown = (value: string) => safeText(value, 100, secrets);
  const field = (name: string) => text(readField(error, name));
  const code = [field("Code"), field("name")].find((name) => name && !NO_CODE.includes(name));
  const isParseFault = /Deserialization error|parse error/i.test(cause.message);
  const requestId =
    text(readField(readField(error, "$metadata"), "requestId")) ?? field("RequestId");
  const known = code !== undefined && !isParseFault;
  return {
    kind: httpStatus < 300 ? "bad-answer" : "answer",
    code: known ? shown(code) : undefined,
    message: known ? cause.message : notFromSts(httpStatus),
    httpStatus,
    requestId: requestId === undefined ? undefined : shown(requestId),
    retryAfterMs: readRetryAfter(
      text(readField(readField(readField(error, "$response"), "headers"), "retry-after")),
      now,
    ),
    cause,
  };
}

/** The token, and its payload and signature, which an answer may repeat by themselves. */
function secretsOf(token: string): string[] {
  return [token, ...token.split(".").slice(1)].filter((secret) => secret.length >= MIN_SECRET);
}

function notFromSts(httpStatus: number): string {
  return `HTTP ${httpStatus} with a body that is no STS answer: a proxy or another server may have sent it`;
}

/** System errors (`ECONNRESET`, `ENOTFOUND`), OpenSSL's and Node's TLS codes, aborted sockets. */
function isNetworkFault(code: string, message: string): boolean {
  return (
    /^(E[A-Z]+|EAI_[A-Z]+)$/.test(code) ||
    /^(ERR_(TLS|SSL|SOCKET|HTTP2|STREAM)|CERT_|UNABLE_TO|SELF_SIGNED|DEPTH_ZERO|HPE_)/.test(code) ||
    /socket hang up|aborted|network/i.test(message)
  );
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
