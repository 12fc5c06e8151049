import type { Socket } from "node:net";
import { bareHostname } from "../runtime/bare-hostname.js";
import { onAbort } from "../runtime/on-abort.js";

/** The proxy answered, but would not connect. */
class TunnelRefused extends Error {
  readonly code: string;

  constructor(status: number | undefined) {
    super(`The proxy answered CONNECT with ${status}`);
    this.code = `PROXY_STATUS_${status}`;
  }
}

/**
 * A connection to the host of `target` through an HTTP proxy (CONNECT; RFC 9110, section 9.3.6).
 * Neither it nor the attempt keeps the process alive.
 */
export async function openTunnel(proxy: URL, target: URL, signal: AbortSignal): Promise<Socket> {
  const { request: open } =
    proxy.protocol === "https:" ? await import("node:https") : await import("node:http");
  signal.throwIfAborted();
  const authority = `${target.hostname}:${target.port === "" ? 443 : target.port}`;
  const credentials = `${decoded(proxy.username)}:${decoded(proxy.password)}`;
  const headers = {
    host: authority,
    ...(credentials !== ":" && {
      "proxy-authorization": `Basic ${Buffer.from(credentials).toString("base64")}`,
    }),
  };
  const place = {
    host: bareHostname(proxy),
    port: proxy.port === "" ? (proxy.protocol === "https:" ? 443 : 80) : Number(proxy.port),
  };
  return await new Promise((resolve, reject) => {
    const request = open({ ...place, method: "CONNECT", path: authority, headers, agent: false });
    const done = onAbort(signal, () => request.destroy(signal.reason));
    request.on("socket", (socket) => socket.unref());
    request.on("connect", ({ statusCode }, socket) => {
      done();
      if (statusCode === 200) {
        resolve(socket as Socket);
      } else {
        socket.destroy();
        reject(new TunnelRefused(statusCode));
      }
    });
    request.on("error", (error) => {
      done();
      reject(error);
    });
    request.end();
  });
}

/** As it stands where it is not percent-encoded: passwords may have a `%` of their own. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
