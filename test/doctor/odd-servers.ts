import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import type { SecureVersion } from "node:tls";
import type { TlsIdentity } from "../../src/testing/index.js";

/** A port with a server that is closed on disposal. */
export interface OddServer extends AsyncDisposable {
  readonly port: number;
}

/** Accepts connections and never responds. */
export async function startSilentServer(): Promise<OddServer> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on("error", () => {});
  });
  return await listening(server, () => {
    for (const socket of open) socket.destroy();
  });
}

/** Begins a response to every request and never ends it. */
export async function startEndlessServer(): Promise<OddServer> {
  const server = createHttpServer((request, response) => {
    request.resume();
    response.writeHead(200, { "content-type": "text/xml" });
    response.write("<");
  });
  return await listening(server, () => server.closeAllConnections());
}

/** Passes STS's responds on, with a Date that can't be right. */
export async function startLyingFront(sts: { readonly url: string }): Promise<OddServer> {
  const front = createHttpServer(async (request, response) => {
    const { method = "GET", headers } = request;
    const body = await text(request);
    const reply = await fetch(sts.url, {
      method,
      headers: { "content-type": headers["content-type"] ?? "" },
      ...(method === "POST" && { body }),
    });
    response.writeHead(reply.status, {
      "content-type": "text/xml",
      "x-amzn-requestid": "1",
      date: "Thu, 01 Jan 1970 00:00:00 GMT",
    });
    response.end(await reply.text());
  });
  return await listening(front, () => front.closeAllConnections());
}

/** Resets every connection immediately. */
export async function startResettingServer(): Promise<OddServer> {
  return await listening(createServer((socket) => socket.resetAndDestroy()));
}

/** A port without a listener. */
export async function closedPort(): Promise<number> {
  const server = await startSilentServer();
  await server[Symbol.asyncDispose]();
  return server.port;
}

/** The kernel keeps one connection more than a listener's backlog before it drops what comes. */
const BACKLOG = 1;

/**
 * A port whose connections never come about: the kernel drops every SYN once the queue of a listener
 * that accepts none is full. What a firewall that drops packets does.
 */
export async function startFirewalledPort(): Promise<OddServer> {
  // It prints its port and then blocks forever, before it can accept anything.
  const script = `const server = require("net").createServer();
    server.listen({ port: 0, host: "127.0.0.1", backlog: ${BACKLOG} }, () => {
      require("fs").writeSync(1, String(server.address().port));
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    });`;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  const [text] = (await once(child.stdout, "data")) as [Buffer];
  const port = Number(text.toString());
  const fillers = Array.from({ length: BACKLOG + 1 }, () => connect({ port, host: "127.0.0.1" }));
  await Promise.all(fillers.map((filler) => once(filler, "connect")));
  return {
    port,
    async [Symbol.asyncDispose]() {
      for (const filler of fillers) filler.on("error", () => {}).destroy();
      child.kill("SIGKILL");
    },
  };
}

/** HTTPS of certain versions, with responses by path. */
export async function startTlsServer(
  identity: TlsIdentity,
  versions: { readonly min: SecureVersion; readonly max: SecureVersion },
  bodyFor: (path: string) => string | undefined,
): Promise<OddServer> {
  const isOld = versions.max === "TLSv1.1";
  const server = createHttpsServer(
    {
      ...identity,
      minVersion: versions.min,
      maxVersion: versions.max,
      ...(isOld && { ciphers: "ALL:@SECLEVEL=0" }),
    },
    (request, response) => {
      const body = bodyFor(request.url ?? "");
      response.writeHead(body === undefined ? 404 : 200, { "content-type": "application/json" });
      response.end(body);
    },
  );
  return await listening(server, () => server.closeAllConnections());
}

/** Leads every CONNECT to one port. */
export async function startTunnelProxy(port: number): Promise<OddServer> {
  const { createServer: createHttpServer } = await import("node:http");
  const server = createHttpServer().on("connect", (_request, socket) => {
    const upstream = connect(port, "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      upstream.pipe(socket).pipe(upstream);
    });
    upstream.on("error", () => socket.destroy());
    socket.on("error", () => upstream.destroy());
  });
  return await listening(server, () => server.closeAllConnections());
}

async function listening(server: Server, cut: () => void = () => {}): Promise<OddServer> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
