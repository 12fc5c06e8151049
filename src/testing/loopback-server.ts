import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer as createHttpServer } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { Socket } from "node:net";
import { resolveNumber } from "../runtime/validators.js";

/** The address every local server listens on. */
const LOOPBACK = "127.0.0.1";

/** A private key and its certificate chain, PEM encoded. */
export interface TlsIdentity {
  readonly key: string | Buffer;
  readonly cert: string | Buffer;
}

/** What every local server can do, whatever it speaks. */
export interface LocalServer extends AsyncDisposable {
  /** The loopback port; the same before and after {@link LocalServer.refuseConnections}. */
  readonly port: number;
  /** TCP connections: accepted since the start, and open now. */
  readonly connections: { readonly total: number; readonly open: number };
  /** Stops listening and cuts every open connection: from here on connections are refused. */
  refuseConnections(): Promise<void>;
  /**
   * Listens again, on the same port.
   *
   * @throws the system's error (`EADDRINUSE`) when another process took the port meanwhile.
   */
  acceptConnections(): Promise<void>;
  /** Stops for good and cuts every open connection at once, hung requests included. */
  close(): Promise<void>;
}

/** One request with its answer, and the connection it came over. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Numbers the connection, from 1 in the order of arrival. */
  readonly connection: number;
  /** Aborts when the client is gone or the server closes. */
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
  // Clients may keep idle connections for as long as they like: a server that closes them after
  // Node's 5 seconds makes tests of pooled clients fail now and then.
  server.keepAliveTimeout = 0;

  server.on("connection", (socket: Socket) => {
    total += 1;
    numbers.set(socket, total);
    numberOfPort.set(socket.remotePort, total);
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    socket.on("error", () => socket.destroy());
  });
  // Over TLS a request carries the encrypted socket, not the one that was accepted; others may have
  // been accepted meanwhile.
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
      // A function of the test's own threw: say so instead of a puzzling reset.
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

  // A string that is no number would be the path of a socket to `listen`.
  await listen(resolveNumber("port", options.port, 0, 0, 65_535));
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
      if (closed) throw new TypeError("This server is closed; start a new one");
      if (!server.listening) await listen(port);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
