import type { OutgoingHttpHeaders } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import type { Exchange } from "./loopback-server.js";

/** Sends a whole answer. `content-length` is always there, so that clients can keep the connection. */
export function sendAnswer(
  { request, response }: Exchange,
  httpStatus: number,
  body: string,
  headers: OutgoingHttpHeaders = {},
): void {
  const bytes = Buffer.from(body);
  response.sendDate = false;
  // A 304 has no body and says nothing about its length (RFC 9110, section 15.4.5).
  const length = httpStatus === 304 ? {} : { "content-length": bytes.length };
  response.writeHead(httpStatus, { ...headers, ...length });
  response.end(request.method === "HEAD" || httpStatus === 304 ? undefined : bytes);
}

/** Sends the headers at once and then the body byte by byte. */
export async function trickleAnswer(
  { response, signal }: Exchange,
  body: string,
  headers: OutgoingHttpHeaders,
  intervalMs: number,
): Promise<void> {
  const bytes = Buffer.from(body);
  response.sendDate = false;
  response.writeHead(200, { ...headers, "content-length": bytes.length });
  response.flushHeaders();
  for (const byte of bytes) {
    await delay(intervalMs, undefined, { signal });
    response.write(Buffer.of(byte));
  }
  response.end();
}

/** Cuts the connection with a TCP reset, before any answer. */
export function resetConnection({ request }: Exchange): void {
  const { socket } = request;
  // The socket of a TLS connection cannot be reset, only cut; clients report the same.
  if ("encrypted" in socket) socket.destroy();
  else socket.resetAndDestroy();
}

/** Waits, and gives up with the exchange. */
export async function waitBeforeAnswer({ signal }: Exchange, delayMs: number): Promise<void> {
  if (delayMs > 0) await delay(delayMs, undefined, { signal });
}

/** The page a proxy, a login wall or a load balancer would send. */
export function htmlPage(httpStatus: number): string {
  return `<!DOCTYPE html>\n<html><head><title>${httpStatus}</title></head><body><h1>${httpStatus}</h1></body></html>\n`;
}
