// Sends one request for a document: guarded, limited, and measured part by part.

import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from "node:http";
import { isIP, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { DocumentName, RequestTiming } from "../model/findings.js";
import { onAbort, untilAborted } from "../runtime/abort.js";
import type { Clock } from "../runtime/clock.js";
import type { Environment } from "../runtime/environment.js";
import { safeText } from "../runtime/redact.js";
import { errorCode } from "../runtime/system-errors.js";
import { roundMs } from "../runtime/time-text.js";
import { bareHostname, isLoopbackUrl } from "../runtime/url-host.js";
import {
  AddressRefused,
  guardedLookup,
  isWithin,
  type Reach,
  type ResolveHost,
} from "./guarded-lookup.js";
import { openTunnel } from "./proxy.js";

/** Reading stops at this length. Google's JWKS has 1 KiB, Entra's 20 KiB. */
export const MAX_DOCUMENT_BYTES = 512 * 1024;

/** The access to the network. Tests replace it. */
export interface Transport {
  readonly env: Environment;
  readonly resolve: ResolveHost;
  /** PEM certificates to trust instead of Node's own and those of NODE_EXTRA_CA_CERTS. */
  readonly ca?: string | Buffer | undefined;
  /** Called with every request for a document that has ended. */
  readonly onRequest?: ((timing: RequestTiming) => void) | undefined;
}

export interface GetOptions {
  readonly transport: Transport;
  readonly reach: Reach;
  readonly proxy: URL | undefined;
  readonly clock: Clock;
  /** Aborts the request. */
  readonly signal: AbortSignal;
  /** Headers besides the user agent. @default {} */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

interface FetchOptions extends Omit<GetOptions, "headers"> {
  readonly document: DocumentName;
  /** For `If-None-Match`. */
  readonly etag?: string | undefined;
}

/** Why a request returned no document. */
export type FetchProblem =
  | { readonly kind: "not-public"; readonly address: string }
  | { readonly kind: "timeout"; readonly phase: Phase }
  | { readonly kind: "tls"; readonly code: string }
  | { readonly kind: "network"; readonly code: string; readonly phase: Phase }
  | { readonly kind: "encoded"; readonly encoding: string }
  | { readonly kind: "too-large" };

/** A response of any status, or the reason why there is none. */
type Outcome<Timing> = { readonly timing: Timing } & (
  | { readonly headers: IncomingHttpHeaders; readonly status: number; readonly body: Buffer }
  | { readonly problem: FetchProblem }
);

/** Requests one document of an issuer through {@link guardedGet}. */
export async function fetchDocument(
  url: URL,
  { document, etag, transport, reach, proxy, clock, signal }: FetchOptions,
): Promise<Outcome<RequestTiming>> {
  const headers = {
    // A Kubernetes API server returns 406 when the request does not accept the media type of a JWKS.
    accept: "application/json, application/jwk-set+json",
    ...(etag !== undefined && { "if-none-match": etag }),
  };
  const outcome = await guardedGet(url, { transport, reach, proxy, clock, signal, headers });
  const timing = { document, fromCache: false, ...outcome.timing };
  transport.onRequest?.(timing);
  return { ...outcome, timing };
}

/** Sends one GET under all guards and limits. Never rejects: every failure is an outcome. */
export async function guardedGet(url: URL, options: GetOptions): Promise<Outcome<MeasuredRequest>> {
  const literal = bareHostname(url);
  const isAddress = isIP(literal) !== 0;
  const isResolved = isAddress || options.proxy !== undefined;
  const watch = new Stopwatch(options.clock, url, isResolved);
  const { reach } = options;
  const isRefused = isAddress
    ? !isWithin(reach, literal)
    : reach === "public" && isLoopbackUrl(url);
  if (isRefused) {
    return { timing: watch.stop(), problem: { kind: "not-public", address: literal } };
  }
  try {
    const result = await untilAborted(exchange(url, options, watch), options.signal);
    return { ...result, timing: watch.stop() };
  } catch (error) {
    const problem = problemOf(error, watch.phase, options.signal.aborted);
    return { timing: watch.stop(codeOf(problem)), problem };
  }
}

class EncodedBody extends Error {}
class BodyTooLarge extends Error {}

async function exchange(url: URL, options: GetOptions, watch: Stopwatch) {
  options.signal.throwIfAborted();
  const request = await open(url, options, watch);
  const ignoreSignal = onAbort(options.signal, () => request.destroy());
  try {
    const response = await responseOf(request);
    watch.responded(response.statusCode ?? 0, response.headers);
    // Some object stores send an empty header.
    const encoding = response.headers["content-encoding"] || "identity";
    if (response.statusCode === 200 && encoding.toLowerCase() !== "identity") {
      throw new EncodedBody(encoding);
    }
    const body = response.statusCode === 200 ? await readBody(response, watch) : Buffer.alloc(0);
    return { status: response.statusCode ?? 0, headers: response.headers, body };
  } finally {
    ignoreSignal();
    // Closes the connection too, so that the rest of an unwanted body is never read.
    request.destroy();
  }
}

async function open(url: URL, options: GetOptions, watch: Stopwatch): Promise<ClientRequest> {
  const { transport, reach, proxy, signal, headers = {} } = options;
  const isAllowed = (address: string) => isWithin(reach, address);
  const isSecure = url.protocol === "https:";
  const { request: start } = await import(isSecure ? "node:https" : "node:http");
  const ca = transport.ca === undefined ? {} : { ca: transport.ca };
  const wait = {
    signal,
    onQueued: () => watch.queued(),
    onStarted: () => watch.resolving(),
  };
  /** Opens a tunnel through the proxy, for the TLS connection to the issuer. */
  const throughProxy = async (via: URL) => {
    const { connect } = await import("node:tls");
    const socket = await openTunnel(via, url, { signal, resolve: transport.resolve });
    watch.connected();
    const host = bareHostname(url);
    const name = isIP(host) === 0 ? { servername: host } : { host };
    return () => connect({ socket, ...name, ...ca, rejectUnauthorized: true });
  };
  const connection =
    proxy === undefined
      ? { agent: false, lookup: guardedLookup(transport.resolve, isAllowed, wait), ...ca }
      : { createConnection: await throughProxy(proxy) };
  signal.throwIfAborted();
  const request: ClientRequest = start(url, {
    ...connection,
    // STS verifies certificates, so this check does too, even with NODE_TLS_REJECT_UNAUTHORIZED=0.
    rejectUnauthorized: true,
    headers: {
      ...headers,
      "accept-encoding": "identity",
      "user-agent": "resilient-sts",
    },
  });
  request.on("socket", (socket) => {
    // A check does not keep the process alive; a caller that waits for it does.
    socket.unref();
    watch.observe(socket);
    if (proxy !== undefined) return;
    socket.once("connect", () => {
      const { remoteAddress = "" } = socket;
      if (!isAllowed(remoteAddress)) socket.destroy(new AddressRefused(remoteAddress));
    });
  });
  request.end();
  return request;
}

function responseOf(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once("response", resolve);
    // This listener stays: an error after the response arrives through the response, but Node would also
    // throw it if the request had no listener.
    request.on("error", reject);
    request.once("close", () => reject(Object.assign(new Error("closed"), { code: "ECONNRESET" })));
  });
}

async function readBody(response: IncomingMessage, watch: Stopwatch): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    if (watch.received(chunk.length) > MAX_DOCUMENT_BYTES) throw new BodyTooLarge();
  }
  return Buffer.concat(chunks);
}

function problemOf(error: unknown, phase: Phase, isTimeUp: boolean): FetchProblem {
  if (error instanceof AddressRefused) return { kind: "not-public", address: error.address };
  if (error instanceof EncodedBody) {
    return { kind: "encoded", encoding: safeText(error.message, 40) };
  }
  if (error instanceof BodyTooLarge) return { kind: "too-large" };
  if (isTimeUp) return { kind: "timeout", phase };
  const known = errorCode(error) ?? "UNKNOWN";
  if (known === "ETIMEDOUT") return { kind: "timeout", phase };
  // An error during the handshake is a TLS error, unless the peer only closed the connection.
  const isTls = phase === "tls" && !["ECONNRESET", "EPIPE"].includes(known);
  return isTls ? { kind: "tls", code: known } : { kind: "network", code: known, phase };
}

function codeOf(problem: FetchProblem): string {
  return "code" in problem ? problem.code : problem.kind;
}

/** The part of a request that is in progress. */
export type Phase = "dns-queue" | "dns" | "connect" | "tls" | "response" | "body";

/** The times and the response of one request, for a document or not. */
export type MeasuredRequest = Omit<RequestTiming, "document" | "fromCache">;

/** Measures one request, part by part. */
class Stopwatch {
  readonly #clock: Clock;
  readonly #url: URL;
  readonly #start: number;
  #phase: Phase;
  #phaseStart: number;
  #times: Partial<Pick<RequestTiming, "dnsMs" | "connectMs" | "tlsMs" | "firstByteMs">> = {};
  #bytes = 0;
  #response: Partial<Pick<RequestTiming, "status" | "headers">> = {};
  #peer: Partial<Pick<RequestTiming, "address" | "tlsProtocol" | "certificate">> = {};

  /** @param isResolved - whether no name has to be resolved here: the host is an address, or a proxy resolves it */
  constructor(clock: Clock, url: URL, isResolved: boolean) {
    this.#clock = clock;
    this.#url = url;
    this.#phase = isResolved ? "connect" : "dns";
    this.#start = clock.monotonic();
    this.#phaseStart = this.#start;
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** Follows a connection from its creation. */
  observe(socket: Socket): void {
    socket.once("lookup", (error: Error | null) => {
      if (error === null) this.#times = { ...this.#times, dnsMs: this.#next("connect") };
    });
    socket.once("connect", () => {
      this.#peer = { ...this.#peer, address: socket.remoteAddress };
      this.connected();
    });
    socket.once("secureConnect", () => {
      const tls = socket as TLSSocket;
      const tlsProtocol = tls.getProtocol() ?? undefined;
      this.#peer = { ...this.#peer, tlsProtocol, certificate: validityOf(tls) };
      this.#times = { ...this.#times, tlsMs: this.#next("response") };
    });
  }

  /** Other names are resolved before this one. */
  queued(): void {
    this.#next("dns-queue");
  }

  /** From now on, this name is resolved. */
  resolving(): void {
    this.#next("dns");
  }

  connected(): void {
    const phase = this.#url.protocol === "https:" ? "tls" : "response";
    this.#times = { ...this.#times, connectMs: this.#next(phase) };
  }

  responded(status: number, headers: IncomingHttpHeaders): void {
    this.#next("body");
    const firstByteMs = roundMs(this.#clock.monotonic() - this.#start);
    this.#times = { ...this.#times, firstByteMs };
    this.#response = { status, headers: selected(headers) };
  }

  /** Counts bytes of the body, and returns the number so far. */
  received(bytes: number): number {
    this.#bytes += bytes;
    return this.#bytes;
  }

  stop(error?: string): MeasuredRequest {
    return {
      url: shownUrl(this.#url),
      ...(error !== undefined && { error: safeText(error, 100) }),
      ...this.#times,
      totalMs: roundMs(this.#clock.monotonic() - this.#start),
      bytes: this.#bytes,
      headers: {},
      ...this.#peer,
      ...this.#response,
    };
  }

  #next(phase: Phase): number {
    const now = this.#clock.monotonic();
    const took = now - this.#phaseStart;
    this.#phase = phase;
    this.#phaseStart = now;
    return roundMs(took);
  }
}

function validityOf(socket: TLSSocket): RequestTiming["certificate"] {
  const own = socket.getPeerX509Certificate();
  return (
    own && {
      validFrom: new Date(own.validFrom).toISOString(),
      validTo: new Date(own.validTo).toISOString(),
    }
  );
}

/** Findings read the host from this URL, so it is never shortened. In lower case it can't be a token. */
function shownUrl({ origin, pathname, search }: URL): string {
  return `${origin}${safeText(`${pathname}${search}`, 200)}`;
}

/** The headers that a report shows. */
const SHOWN_HEADERS = [
  "age",
  "cache-control",
  "content-encoding",
  "content-type",
  "date",
  "etag",
  "expires",
  "location",
  "pragma",
  "retry-after",
  "server",
] as const;

function selected(headers: IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(
    SHOWN_HEADERS.flatMap((name) => {
      const value = headers[name];
      return typeof value === "string" ? [[name, safeText(value, 200)]] : [];
    }),
  );
}
