import type { Failure } from "../model/failure.js";
import { decodeToken } from "../model/jwt.js";
import { STS_MAX_TOKEN_LENGTH } from "../model/sts-limits.js";
import { readField, safeCause, safeText } from "../runtime/redact.js";
import { errorChain } from "../runtime/system-errors.js";
import { readRetryAfter } from "../runtime/time-text.js";

/** A shorter subject may be an ordinary word of the response, such as the name of a role. */
const MIN_SUBJECT = 16;

/** Names that the SDK gives a response without an error code; `NotFound` for every 404. */
const NO_CODE = ["Unknown", "UnknownError", "Error", "NotFound"];

/** Configuration that the SDK refuses before it sends anything. */
const REQUEST_FAULTS =
  /^EndpointError$|Region (not accepted|is missing)|Invalid (URL|Configuration)/;

/** What the functions below need to read one failure. */
interface Reading {
  readonly thrown: unknown;
  /** What was thrown, in texts that are safe to show. */
  readonly cause: Error;
  readonly secrets: readonly string[];
  readonly now: number;
}

/**
 * Reads the plain facts of any value that the STS client threw, from the shapes of the error and of its
 * causes. The error itself is not kept: it contains the request, and with it the token.
 */
export function readFailure(thrown: unknown, token: string, now: number): Failure {
  const secrets = secretsOf(token);
  const reading: Reading = { thrown, cause: safeCause(thrown, secrets), secrets, now };
  const chain = errorChain(thrown);
  const withStatus = chain.find((error) => statusOf(error) !== undefined);
  if (withStatus !== undefined) return readResponse(withStatus, reading);

  const links = chain.map((error) => linkOf(error, reading));
  const status = links.map(thrownStatus).find((each) => each !== undefined);
  if (status !== undefined) return readStatus(status, links, reading);
  const fault = links.find(({ name, message }) => [name, message].some(isRequestFault));
  if (fault !== undefined) return { kind: "request", ...shown(fault, reading) };
  for (const link of links) {
    const status = proxyStatus(link);
    if (status === undefined) continue;
    return { kind: "proxy", ...shown(link, reading), code: `PROXY_STATUS_${status}` };
  }
  const tunnel = links.find(isProxyFault);
  if (tunnel !== undefined)
    return { kind: "proxy", ...shown(tunnel, reading), code: "PROXY_FAILED" };
  // First the network: the SDK names a reset connection "TimeoutError" too.
  const network = links.find(isCodeOfNetwork) ?? links.map(withCodeInWords).find(isCodeOfNetwork);
  if (network !== undefined) return { kind: "network", ...shown(network, reading) };
  const timeout = links.find(isCutOff);
  if (timeout !== undefined) return { kind: "timeout", ...shown(timeout, reading) };
  // The deepest error says most: the ones around it often say only "fetch failed".
  const words = links.findLast(isNetworkInWords);
  if (words !== undefined) return { kind: "network", ...shown(words, reading) };
  return { kind: "local", ...shown(links[0] as Link, reading) };
}

/** One error of a chain, in texts that are safe to show. */
interface Link {
  readonly name: string;
  readonly code: string | undefined;
  readonly message: string;
  /** The system call that failed (`connect`). */
  readonly syscall: string | undefined;
  /** The status of a response or of a proxy, where the error has it in a field. */
  readonly statusCode: unknown;
  /** The response, where the error has it in a field. */
  readonly response: unknown;
}

function linkOf(error: unknown, { secrets }: Reading): Link {
  const { name, message } = safeCause(error, secrets, 0);
  const code = text(readField(error, "code"));
  return {
    name,
    code: code && safeText(code, 100, secrets),
    message,
    syscall: text(readField(error, "syscall")),
    statusCode: readField(error, "statusCode") ?? readField(error, "status"),
    response: readField(error, "response"),
  };
}

/** An AggregateError of several addresses has no message of its own. */
function shown({ name, code = name, message }: Link, { cause }: Reading) {
  return { code, message: message || code, cause };
}

function isRequestFault(words: string): boolean {
  return REQUEST_FAULTS.test(words);
}

function statusOf(error: unknown): number | undefined {
  const status = readField(readField(error, "$metadata"), "httpStatusCode");
  return typeof status === "number" ? status : undefined;
}

function readResponse(error: unknown, { thrown, cause, secrets, now }: Reading): Failure {
  const shown = (value: string) => safeText(value, 100, secrets);
  const field = (name: string) => text(readField(error, name));
  const header = (name: string) =>
    text(readField(readField(readField(error, "$response"), "headers"), name));
  const httpStatus = statusOf(error) ?? 0;
  const { message } = error === thrown ? cause : safeCause(error, secrets, 0);
  const code = [field("Code"), field("name")].find((name) => name && !NO_CODE.includes(name));
  const isParseFault = /Deserialization error|parse error/i.test(message);
  const requestId =
    text(readField(readField(error, "$metadata"), "requestId")) ?? field("RequestId");
  const known = code !== undefined && !isParseFault;
  const marks = SERVER_MARKS.flatMap((name) => {
    const value = header(name);
    return value === undefined ? [] : [`${name}: ${shown(value)}`];
  });
  return {
    kind: httpStatus < 300 ? "bad-response" : "response",
    code: known ? shown(code) : undefined,
    message: known ? message : notFromSts(httpStatus, marks),
    httpStatus,
    requestId: requestId === undefined ? undefined : shown(requestId),
    retryAfterMs: readRetryAfter(
      { "retry-after": header("retry-after"), date: header("date") },
      now,
    ),
    cause,
  };
}

/** Headers in which a proxy or another server identifies itself or its error. */
const SERVER_MARKS = ["server", "via", "proxy-agent", "x-squid-error", "x-amzn-errortype"];

function notFromSts(httpStatus: number, marks: readonly string[]): string {
  const sender = marks.length === 0 ? "" : ` (${marks.join(", ")})`;
  return `HTTP ${httpStatus} with a body that is not an STS response${sender}`;
}

/** The request ID of a response to a request with this token, as it may be shown. */
export function shownRequestId(requestId: string | undefined, token: string): string | undefined {
  return requestId === undefined ? undefined : safeText(requestId, 100, secretsOf(token));
}

/** The texts that must not be shown: the token, of which every part is removed, and its subject. */
function secretsOf(token: string): string[] {
  const decoded = token.length > STS_MAX_TOKEN_LENGTH ? undefined : decodeToken(token);
  const sub = decoded !== undefined && "claims" in decoded ? decoded.claims.sub : undefined;
  return typeof sub === "string" && sub.length >= MIN_SUBJECT ? [token, sub] : [token];
}

/** The messages of HTTP libraries that throw for a status: axios, got, ky, superagent, request-promise, undici. */
const THROWN_STATUS =
  /^(?:Request failed with status(?: code)?|Response (?:status )?code|Unsuccessful HTTP response:?) (\d{3})\b/;

/** The status for which a request handler threw an error instead of returning the response. */
function thrownStatus({ code, message, response, statusCode }: Link): number | undefined {
  const words = THROWN_STATUS.exec(message)?.[1];
  if (words !== undefined) return Number(words);
  const isStatusError = code === "ERR_NON_2XX_3XX_RESPONSE" || code === "UND_ERR_RESPONSE";
  const inside = readField(response, "statusCode") ?? readField(response, "status");
  const status = inside ?? (isStatusError ? statusCode : undefined);
  return typeof status === "number" && status >= 300 && status <= 599 ? status : undefined;
}

/** The body of the response is lost, and with it the error of STS, if there was one. */
function readStatus(httpStatus: number, links: readonly Link[], reading: Reading): Failure {
  const link = links.find((each) => thrownStatus(each) !== undefined) as Link;
  const facts = { ...shown(link, reading), httpStatus };
  // Only a proxy returns this status (RFC 9110, section 15.5.8).
  if (httpStatus === 407) return { kind: "proxy", ...facts, code: "PROXY_STATUS_407" };
  return { kind: "response", ...facts, code: `HTTP_STATUS_${httpStatus}` };
}

/**
 * How proxy agents report that a proxy did not open the tunnel: hpagent, tunnel-agent (and tunnel),
 * undici's ProxyAgent, and Node's own `NODE_USE_ENV_PROXY`. https-proxy-agent returns the proxy's
 * response as if it were the server's.
 */
const PROXY_REFUSALS: readonly RegExp[] = [
  /^Bad response: (\d{3})\b/,
  /^tunneling socket could not be established,? .*statusCode=(\d{3})\b/,
  /^Proxy response \((\d{3})\)/,
  /^Proxy authentication failed with status (\d{3})\b/,
  /\b(?:tunnel\w*|proxy)\b.*\b(?:status(?:Code)?|HTTP\/\d(?:\.\d)?)[\s:=]+([3-5]\d{2})\b/i,
];

/** The status with which a proxy refused a connection. */
function proxyStatus({ code, message, statusCode }: Link): number | undefined {
  const isTunnel = code === "ERR_PROXY_TUNNEL";
  if (isTunnel && typeof statusCode === "number") return statusCode;
  for (const pattern of PROXY_REFUSALS) {
    const status = pattern.exec(message)?.[1];
    if (status !== undefined) return Number(status);
  }
  // Agents for SOCKS report its codes in words, as Deno reports the status of its tunnel.
  if (/socks.*(authenticat|credential)|proxy auth\w* required/i.test(message)) return 407;
  return isTunnel || /\bsocks\d?\b.*\b(rejected|refused|denied)/i.test(message) ? 403 : undefined;
}

/**
 * A proxy that responds wrongly or not at all: https-proxy-agent, hpagent, tunnel, socks, undici, and
 * Chromium's network stack.
 */
function isProxyFault({ code = "", message }: Link): boolean {
  if (/^UND_ERR_(PRX_TLS|SOCKS5)/.test(code)) return true;
  return /^(proxy connection (ended|timed out)|proxy timeout$)|\b(from proxy CONNECT response|response body from proxy)|\binvalid socks\d|^socks\d invalid|^socks5? proxy error|^secure proxy connection failed|net::ERR_(TUNNEL|PROXY)_/i.test(
    message,
  );
}

/** System errors of the network; other ones, such as `ENOENT` for a plugin's file, are left out. */
const SYSTEM_CODES =
  /^(E(CONN|HOST|NET|ADDR)[A-Z]+|E(PIPE|PROTO|TIMEDOUT|TIMEOUT|SOCKETTIMEDOUT|NOTFOUND|NODATA|SERVFAIL|REFUSED|NOTCONN|SHUTDOWN|CANCELED|MFILE|NFILE|NOBUFS|OF|NETWORK)|EAI_[A-Z]+)$/;

/** Codes of OpenSSL, Node and undici; those of undici that report wrong use are left out. */
const RUNTIME_CODES =
  /^(ERR_(TLS|SSL|OSSL|SOCKET|HTTP2|STREAM|QUIC|NETWORK|PROXY|HTTP_CONTENT_LENGTH|READING_RESPONSE)|CERT_|CRL_|ERROR_IN_C|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|HOSTNAME_MISMATCH|INVALID_(CA|PURPOSE)$|PATH_LENGTH|HPE_|UND_ERR_(?!INVALID|NOT_SUPPORTED|REQ_CONTENT|MAX_ORIGINS|BPL_|WS_))/;

/** Bun's codes, and Deno's names. */
const OTHER_RUNTIMES =
  /^(Connection(Refused|Reset|Aborted|Closed)|FailedToOpenSocket|NotConnected|BrokenPipe|UnexpectedEof|TimedOut|NetworkUnreachable|HostUnreachable|AddrNotAvailable)$/;

const NETWORK_CALLS = /^(connect|getaddrinfo|query[A-Z]\w*|bind|socket)$/;

function isCodeOfNetwork({ code = "", name, syscall = "" }: Link): boolean {
  if (SYSTEM_CODES.test(code) || RUNTIME_CODES.test(code)) return true;
  if (/^E[A-Z]+$/.test(code) && NETWORK_CALLS.test(syscall)) return true;
  return OTHER_RUNTIMES.test(code) || OTHER_RUNTIMES.test(name);
}

/** The link with the code from its message: "connect ECONNREFUSED 10.0.0.1:443", also in a thrown string. */
function withCodeInWords(link: Link): Link {
  const words = link.message.match(/\bE[A-Z_]{3,}\b/g) ?? [];
  const code = words.find((word) => SYSTEM_CODES.test(word));
  return code === undefined ? link : { ...link, code };
}

/** Whether something ended the request before its response: a limit, or a signal. */
function isCutOff({ name, code = "", message }: Link): boolean {
  if (
    /^(Timeout|Abort|Canceled|Cancel)Error$/.test(name) ||
    /^(ERR_CANCELED|ABORT_ERR|ERR_ABORTED)$/.test(code)
  )
    return true;
  return /\btimed? ?out\b/i.test(message);
}

/** The last resort, for request handlers and runtimes that set no code. */
function isNetworkInWords({ message }: Link): boolean {
  return /socket hang up|did not get a response|abnormally aborted|^frame type id .* has failed|destroyed session|socket closed|net::ERR_|too many redirects|redirects exceeded|maximum redirect|unexpected redirect|redirect count exceeded|unable to verify the first certificate|certificate has expired|certificate is not yet valid|does not match certificate|\baborted\b|network|fetch failed|failed to fetch|^load failed|unable to connect|error sending request|connection (was )?(refused|reset|closed|lost|terminated)|other side closed|premature close|self[- ]signed certificate|local issuer certificate/i.test(
    message,
  );
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
