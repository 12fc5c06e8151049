import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Server } from "node:http";

/** The HTTP server of this process that responds to a request. */
export async function httpServerOf(request: () => Promise<unknown>): Promise<Server> {
  const servers: Server[] = [];
  const onStart = (message: unknown) => servers.push((message as { server: Server }).server);
  subscribe("http.server.request.start", onStart);
  try {
    await request();
  } finally {
    unsubscribe("http.server.request.start", onStart);
  }
  const [server] = servers;
  if (server === undefined) throw new Error("no server of this process responded");
  return server;
}
