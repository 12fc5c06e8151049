import { type Agent, get, type IncomingMessage } from "node:http";
import { describe, expect, test } from "vitest";
import { quietConnections } from "../../src/sts/connections.js";
import { startLoopbackServer } from "../../src/testing/loopback-server.js";

interface Agents {
  readonly httpAgent: Agent;
  readonly httpsAgent: Agent;
}

const agents = (maxSockets: number) => quietConnections(maxSockets) as unknown as Agents;

/** Sockets that keep this process alive now. */
const held = () => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap");

const ask = (port: number, agent: Agent) =>
  new Promise<void>((resolve, reject) => {
    const onAnswer = (answer: IncomingMessage) => answer.resume().on("end", resolve);
    get({ host: "127.0.0.1", port, agent }, onAnswer).on("error", reject);
  });

describe("the connections to STS", () => {
  test("are kept for the next call, and no more than so many are made", () => {
    const { httpAgent, httpsAgent } = agents(7);
    for (const agent of [httpAgent, httpsAgent]) {
      expect(agent).toMatchObject({ maxSockets: 7, options: { keepAlive: true } });
      agent.destroy();
    }
  });

  test("never keep the process alive: neither new, nor in use, nor idle, nor used again", async () => {
    const { httpAgent, httpsAgent } = agents(1);
    const seen: number[] = [];
    const before = held().length;
    await using server = await startLoopbackServer({
      onRequest: async ({ request, response }) => {
        // The server's own end is in this process too.
        request.socket.unref();
        seen.push(held().length - before);
        response.end("ok");
      },
    });
    for (let round = 0; round < 3; round += 1) await ask(server.port, httpAgent);
    seen.push(held().length - before);
    expect(seen).toEqual([0, 0, 0, 0]);
    expect(server.connections.total).toBe(1);
    httpAgent.destroy();
    httpsAgent.destroy();
  });
});
