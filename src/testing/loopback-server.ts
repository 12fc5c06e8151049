import {
  createServer as createHttpServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type Server,
  type ServerResponse,
} from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { resolveNumber } from "../runtime/validators.js";

/** Every local server listens on this address, which only this machine can reach. */
const LOOPBACK = "127.0.0.1";

/** A private key and its certificate chain, PEM encoded. */
export interface TlsIdentity {
  /** Private key, in PEM. */
  readonly key: string | Buffer;
  /** Certificate with its chain, in PEM. */
  readonly cert: string | Buffer;
}

/** The part that the local IdP and the local STS have in common. */
export interface LocalServer extends AsyncDisposable {
  /** The loopback port; the same before and after {@link LocalServer.refuseConnections}. */
  readonly port: number;
  /** The number of TCP connections accepted since the start, and of those open now. */
  readonly connections: { readonly total: number; readonly open: number };
  /** Stops listening and closes every open connection. New connections are refused. */
  refuseConnections(): Promise<void>;
  /**
   * Listens again, on the same port.
   *
   * @throws the system error (`EADDRINUSE`) when another process has taken the port, and `TypeError`
   * after {@link LocalServer.close}.
   */
  acceptConnections(): Promise<void>;
  /** Stops the server permanently and closes every open connection, including hung requests. */
  close(): Promise<void>;
}

/** One request with its response, and the connection it came over. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Numbers the connection, from 1 in the order of arrival. */
  readonly connection: number;
  /** Aborts when the client disconnects or the server closes. */
  readonly signal: AbortSignal;
}

export interface LoopbackServerOptions {
  readonly port?: number | undefined;
  readonly tls?: TlsIdentity | undefined;
  readonly onRequest: (exchange: Exchange) => Promise<void>;
}

/** Starts an HTTP server (HTTPS with `tls`) on the loopback address; resolves once it listens. */
export async function startLoopbackServer(options: LoopbackServerOptions): Promise<LocalServer> {
  const { onRequest, tls } = options;
  const open = new Set<Socket>();
  const numbers = new WeakMap<Socket, number>();
  const numberOfPort = new Map<number | undefined, number>();
  let total = 0;

  const server: Server = tls
    ? createHttpsServer({ key: tls.key, cert: tls.cert })
    : createHttpServer();
  // Never close an idle connection: with Node's default of 5 seconds, a pooled client sometimes
  // sends a request on a connection that the server is closing.
  server.keepAliveTimeout = 0;

  server.on("connection", (socket: Socket) => {
    total += 1;
    numbers.set(socket, total);
    numberOfPort.set(socket.remotePort, total);
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    socket.on("error", () => socket.destroy());
  });
  // A connection that the system can't accept (EMFILE). Without a listener, it would end the process.
  server.on("error", () => {});
  // Over TLS, a request carries the encrypted socket and not the accepted one. The server may have
  // accepted other connections meanwhile.
  server.on("secureConnection", (socket: Socket) => {
    numbers.set(socket, numberOfPort.get(socket.remotePort) ?? total);
  });
  server.on("request", (request, response) => {
    const gone = new AbortController();
    response.on("close", () => gone.abort());
    const connection = numbers.get(request.socket) ?? 0;
    onRequest({ request, response, connection, signal: gone.signal }).catch((error: unknown) => {
      if (gone.signal.aborted) return;
      if (response.headersSent) response.destroy();
      // A function that the test passed has thrown: report it, instead of a reset without a reason.
      else response.writeHead(500).end(`The local server failed: ${String(error)}`);
    });
  });

  const listen = (port: number) =>
    new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, LOOPBACK, () => {
        server.off("error", reject);
        resolve();
      });
    });
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const socket of open) socket.destroy();
      open.clear();
    });

  // `listen` would treat a string that isn't a number as the path of a socket.
  await listen(resolveNumber("port", options.port, { fallback: 0, min: 0, max: 65_535 }));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  let closed = false;

  const close = async () => {
    closed = true;
    if (server.listening) await stop();
  };
  return {
    port,
    get connections() {
      return { total, open: open.size };
    },
    async refuseConnections() {
      if (server.listening) await stop();
    },
    async acceptConnections() {
      if (closed) throw new TypeError("This server is closed. Start a new one.");
      if (!server.listening) await listen(port);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** A whole response. */
export interface FullResponse {
  readonly httpStatus: number;
  readonly body: string;
  readonly headers: OutgoingHttpHeaders;
}

/** Sends a response with its `content-length`, so that the client can keep the connection. */
export function sendResponse(
  { request, response }: Exchange,
  { httpStatus, body, headers }: FullResponse,
): void {
  const bytes = Buffer.from(body);
  response.sendDate = false;
  // A 304 has no body and no length (RFC 9110, section 15.4.5).
  const length = httpStatus === 304 ? {} : { "content-length": bytes.length };
  response.writeHead(httpStatus, { ...headers, ...length });
  response.end(request.method === "HEAD" || httpStatus === 304 ? undefined : bytes);
}

/** Sends the headers immediately, and then one byte of the body every `intervalMs` milliseconds. */
export async function trickleResponse(
  { response, signal }: Exchange,
  { httpStatus, body, headers }: FullResponse,
  intervalMs: number,
): Promise<void> {
  const bytes = Buffer.from(body);
  response.sendDate = false;
  response.writeHead(httpStatus, { ...headers, "content-length": bytes.length });
  response.flushHeaders();
  for (const byte of bytes) {
    await delay(intervalMs, undefined, { signal });
    response.write(Buffer.of(byte));
  }
  response.end();
}

/** Resets the TCP connection before any response. */
export function resetConnection({ request }: Exchange): void {
  const { socket } = request;
  // Node can't reset a TLS socket, only destroy it; clients report both in the same way.
  if ("encrypted" in socket) socket.destroy();
  else socket.resetAndDestroy();
}

/** Waits before the response; rejects when the exchange ends first. */
export async function waitBeforeResponse({ signal }: Exchange, delayMs: number): Promise<void> {
  if (delayMs > 0) await delay(delayMs, undefined, { signal });
}

/** An HTML page, as a proxy, a login page or a load balancer sends it. */
export function htmlPage(httpStatus: number): string {
  return `<!DOCTYPE html>\n<html><head><title>${httpStatus}</title></head><body><h1>${httpStatus}</h1></body></html>\n`;
}
