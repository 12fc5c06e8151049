import type {
  ClientRequest,
  IncomingHttpHeaders,
  IncomingMessage,
  RequestOptions,
} from "node:http";
import { isTokenSourceError, TokenSourceError } from "../model/token-source.js";
import { rememberSecret } from "../runtime/known-secrets.js";
import { safeCause, safeText } from "../runtime/redact.js";
import { isCertificateFault } from "../runtime/system-errors.js";
import { readRetryAfter } from "../runtime/time-text.js";
import { MAX_READ_BYTES } from "./source.js";

/** One request of a token source. */
export interface TokenRequest {
  /** The service's name in messages: `GitHub's token service`. */
  readonly service: string;
  readonly url: URL;
  /** @default "GET" */
  readonly method?: "GET" | "POST" | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | undefined;
  readonly signal: AbortSignal;
  /** Unix socket to connect to, whatever the URL's host is. */
  readonly socketPath?: string | undefined;
  /** PEM certificates to trust instead of Node's own. */
  readonly ca?: string | undefined;
  /** Bypasses every proxy: only this machine can reach a link-local address. */
  readonly direct?: boolean | undefined;
  /** Secrets that no error may show. */
  readonly secrets?: readonly string[] | undefined;
  /** The hint when the service can't be reached: who must do what. */
  readonly whenUnreachable: string;
}

/** A response of at most 64 KiB. */
export interface TokenResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/**
 * Makes one HTTP request. It follows no redirect and reads at most 64 KiB, and no error contains any
 * part of the request. Uses `node:http`, because `fetch` supports neither Unix sockets nor a CA for one
 * request, and can't bypass a proxy.
 *
 * @throws TokenSourceError when there is no response, or more than 64 KiB of one.
 */
async function request(options: TokenRequest): Promise<TokenResponse> {
  for (const secret of options.secrets ?? []) rememberSecret(secret);
  try {
    return await send(options);
  } catch (error) {
    options.signal.throwIfAborted();
    if (isTokenSourceError(error)) throw error;
    const cause = safeCause(error, options.secrets);
    const { code = "" } = cause as { code?: string };
    const isTls = isCertificateFault(code);
    // These faults don't pass within a minute: an untrusted certificate, no permission, a bad header.
    const retryable = !isTls && !/^(EACCES|EPERM|ERR_INVALID_\w+)$/.test(code);
    const words = code === "" || cause.message.includes(code) ? "" : `${code}: `;
    const trouble = safeText(`${words}${cause.message}`, 200, options.secrets);
    throw new TokenSourceError(`${options.service} can't be reached: ${trouble}`, {
      retryable,
      hint: isTls
        ? `Workload: trust the CA that signed the certificate of ${options.service}; Node reads further CAs from NODE_EXTRA_CA_CERTS.`
        : options.whenUnreachable,
      cause,
    });
  }
}

async function send(options: TokenRequest): Promise<TokenResponse> {
  const { url, method, headers, body, signal, socketPath, ca, direct } = options;
  signal.throwIfAborted();
  const isTls = url.protocol === "https:";
  const { request: start, Agent } = isTls ? await import("node:https") : await import("node:http");
  const settings: RequestOptions & { readonly ca?: string } = {
    ...(method !== undefined && { method }),
    headers: {
      "user-agent": "resilient-sts",
      ...headers,
      ...(body !== undefined && { "content-length": String(Buffer.byteLength(body)) }),
    },
    signal,
    ...(socketPath !== undefined && { socketPath }),
    ...(ca !== undefined && { ca }),
    // The global agent may go through a proxy, by NODE_USE_ENV_PROXY.
    ...(direct === true && { agent: new Agent() }),
  };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent: ClientRequest = start(url, settings, resolve);
    // Also catches errors after the response has begun; the response reports those itself.
    sent.on("error", reject);
    // A response that switches protocols (101) is neither a response nor an error.
    sent.once("close", () => reject(Object.assign(new Error("closed"), { code: "ECONNRESET" })));
    sent.end(body);
  });
  const { statusCode: status = 0, headers: received } = response;
  return { status, headers: received, text: await readBounded(response, options) };
}

async function readBounded(
  response: IncomingMessage,
  { service, whenUnreachable }: TokenRequest,
): Promise<string> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of response) {
    pieces.push(piece as Buffer);
    length += (piece as Buffer).length;
    if (length <= MAX_READ_BYTES) continue;
    response.destroy();
    throw new TokenSourceError(`${service} responded with more than 64 KiB`, {
      retryable: true,
      hint: whenUnreachable,
    });
  }
  return Buffer.concat(pieces).toString();
}

/** How to read one service's responses. */
export interface ResponseRules {
  /** Whether a refusal is temporary, in addition to 408, 425, 429 and 5xx. */
  readonly isPassing?: ((response: TokenResponse) => boolean) | undefined;
  /** Throws when a successful response came from something other than the service. */
  readonly check?: ((response: TokenResponse) => void) | undefined;
  /** The hint for a refusal with this status: who must do what. */
  readonly hintFor: (status: number) => string;
}

/** Request timeout, too early, too many requests (RFC 9110, RFC 8470 and RFC 6585). */
const PASSING_STATUS: readonly number[] = [408, 425, 429];

/**
 * The text of a successful response.
 *
 * @throws TokenSourceError for any other response, and for one that can't hold a token.
 */
export async function requestText(options: TokenRequest, rules: ResponseRules): Promise<string> {
  const response = await request(options);
  const { service, secrets } = options;
  const { status, text } = response;
  if (status >= 300 && status < 400) {
    throw new TokenSourceError(`${service} responded with a redirect (${status})`, {
      retryable: false,
      hint: "Network: let the request reach the service itself; redirects are not followed, because the request contains a secret.",
    });
  }
  if (status < 200 || status >= 300) {
    const isPassing =
      status >= 500 || PASSING_STATUS.includes(status) || (rules.isPassing?.(response) ?? false);
    throw new TokenSourceError(`${service} returned ${status}${quoted(text, secrets)}`, {
      retryable: isPassing,
      retryAfterMs: readRetryAfter(response.headers, Date.now()),
      hint: rules.hintFor(status),
    });
  }
  rules.check?.(response);
  if (text.trim() === "") throw noToken(options, "with an empty body");
  if (isHtml(text)) throw noToken(options, "with an HTML page instead of a token");
  return text;
}

/**
 * The string at `path` in a JSON response.
 *
 * @throws TokenSourceError when the text isn't JSON, or has no such string.
 */
export function tokenIn(text: string, path: readonly string[], options: TokenRequest): string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw noToken(options, "with text that is not JSON");
  }
  for (const name of path) value = (value as Readonly<Record<string, unknown>> | null)?.[name];
  if (typeof value === "string" && value.trim() !== "") return value;
  throw noToken(options, `without a string in \`${path.join(".")}\``);
}

/** A success without a token, as a proxy or a service that is still starting may send. */
function noToken({ service, whenUnreachable }: TokenRequest, how: string): TokenSourceError {
  return new TokenSourceError(`${service} responded ${how}`, {
    retryable: true,
    hint: whenUnreachable,
  });
}

function isHtml(text: string): boolean {
  return /^[\s\uFEFF]*</.test(text);
}

/** The words of a refusal, on one line and without secrets. */
function quoted(text: string, secrets: readonly string[] | undefined): string {
  if (text.trim() === "") return "";
  if (isHtml(text)) return " with an HTML page";
  return `: ${safeText(text, 200, secrets)}`;
}
