import type { IncomingHttpHeaders } from "node:http";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { RequestTiming } from "../model/issuer-report.js";
import type { Clock } from "../runtime/clock.js";
import { safeText } from "../runtime/redact.js";

/** How far a request has come. */
export type Phase = "dns-queue" | "dns" | "connect" | "tls" | "answer" | "body";

/** The times and the answer of one request, whatever was requested. */
export type MeasuredRequest = Omit<RequestTiming, "document" | "fromCache">;

/** Takes the times of one request, part by part. */
export class Stopwatch {
  readonly #clock: Clock;
  readonly #url: URL;
  readonly #start: number;
  #phase: Phase;
  #phaseStart: number;
  #times: Partial<Pick<RequestTiming, "dnsMs" | "connectMs" | "tlsMs" | "firstByteMs">> = {};
  #bytes = 0;
  #answer: Partial<Pick<RequestTiming, "status" | "headers">> = {};
  #peer: Partial<Pick<RequestTiming, "address" | "tlsProtocol" | "certificate">> = {};

  /** @param isResolved whether there is no name to resolve: an address, or a proxy's business */
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

  /** Follows a connection from the moment it is there. */
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
      this.#times = { ...this.#times, tlsMs: this.#next("answer") };
    });
  }

  /** Other names are resolved first. */
  queued(): void {
    this.#next("dns-queue");
  }

  /** From here on the name itself is resolved. */
  resolving(): void {
    this.#next("dns");
  }

  connected(): void {
    const phase = this.#url.protocol === "https:" ? "tls" : "answer";
    this.#times = { ...this.#times, connectMs: this.#next(phase) };
  }

  answered(status: number, headers: IncomingHttpHeaders): void {
    this.#next("body");
    const firstByteMs = round(this.#clock.monotonic() - this.#start);
    this.#times = { ...this.#times, firstByteMs };
    this.#answer = { status, headers: selected(headers) };
  }

  /** Counts bytes of the body; returns how many there are by now. */
  received(bytes: number): number {
    this.#bytes += bytes;
    return this.#bytes;
  }

  stop(error?: string): MeasuredRequest {
    return {
      url: shownUrl(this.#url),
      ...(error !== undefined && { error: safeText(error, 100) }),
      ...this.#times,
      totalMs: round(this.#clock.monotonic() - this.#start),
      bytes: this.#bytes,
      headers: {},
      ...this.#peer,
      ...this.#answer,
    };
  }

  #next(phase: Phase): number {
    const now = this.#clock.monotonic();
    const took = now - this.#phaseStart;
    this.#phase = phase;
    this.#phaseStart = now;
    return round(took);
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

/** Findings read the host off it again, so that stays whole: in lower case it can be no token. */
function shownUrl({ origin, pathname, search }: URL): string {
  return `${origin}${safeText(`${pathname}${search}`, 200)}`;
}

/** What of the headers is worth telling. */
const TOLD = [
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
    TOLD.flatMap((name) => {
      const value = headers[name];
      return typeof value === "string" ? [[name, safeText(value, 200)]] : [];
    }),
  );
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}
