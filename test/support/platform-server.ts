import {
  createServer,
  type IncomingHttpHeaders,
  type RequestListener,
  type Server,
  type ServerResponse,
} from "node:http";
import { createServer as createTlsServer, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

/** A request as it came over the wire. */
export interface SeenRequest {
  readonly line: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What a platform returns. */
export interface PlatformResponse {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

type Play = (response: ServerResponse, seen: SeenRequest) => void;

/** A server that speaks a platform's protocol, or plays a fault. */
export interface PlatformServer extends AsyncDisposable {
  readonly url: string;
  readonly requests: readonly SeenRequest[];
  /** What it returns from here on. */
  respond(response: PlatformResponse | Play): void;
  /** Stops listening: connections are refused from here on. */
  close(): Promise<void>;
}

interface PlatformOptions {
  /** Listens on this unix socket instead of a loopback port. */
  readonly socketPath?: string;
  readonly tls?: ServerOptions;
}

export async function startPlatform(
  first: PlatformResponse | Play,
  { socketPath, tls }: PlatformOptions = {},
): Promise<PlatformServer> {
  const requests: SeenRequest[] = [];
  let current = first;
  const listener: RequestListener = async (request, response) => {
    const line = `${request.method} ${request.url}`;
    const seen = { line, headers: request.headers, body: await text(request) };
    requests.push(seen);
    if (typeof current === "function") current(response, seen);
    else response.writeHead(current.status ?? 200, current.headers).end(current.body);
  };
  const server: Server = tls ? createTlsServer(tls, listener) : createServer(listener);
  await new Promise<void>((resolve) => {
    if (socketPath === undefined) server.listen(0, "127.0.0.1", resolve);
    else server.listen(socketPath, resolve);
  });
  const { port = 0 } = (server.address() ?? {}) as Partial<AddressInfo>;
  const close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return {
    url: `${tls ? "https://localhost" : "http://127.0.0.1"}:${port}`,
    requests,
    respond(next) {
      current = next;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
