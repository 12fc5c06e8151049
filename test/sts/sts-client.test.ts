import { type Agent, get, type IncomingMessage } from "node:http";
import { STSClient, type STSClientConfig } from "@aws-sdk/client-sts";
import { describe, expect, test, vi } from "vitest";
import { quietConnections, resolveEndpoint, withoutSecrets } from "../../src/sts/sts-client.js";
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
  test("are kept for the next call, up to a limit", () => {
    const { httpAgent, httpsAgent } = agents(7);
    for (const agent of [httpAgent, httpsAgent]) {
      expect(agent).toMatchObject({ maxSockets: 7, options: { keepAlive: true } });
      agent.destroy();
    }
  });

  test("never keep the process alive, whether new, in use, idle or used again", async () => {
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

const TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl";

test("a log line of the SDK shows the command and the status, and nothing of the answer", () => {
  const info = vi.fn();
  const logger = withoutSecrets({ debug: info, info, warn: info, error: info });
  const metadata = { httpStatusCode: 200, requestId: "1" };
  const output = { Credentials: { SessionToken: "secret" } };
  logger.info({ clientName: "STSClient", commandName: "Assume", input: TOKEN, output, metadata });
  logger.error(`refused ${TOKEN}`, null);
  expect(info.mock.calls).toEqual([
    [{ clientName: "STSClient", commandName: "Assume", metadata: { httpStatusCode: 200 } }],
    ["refused [redacted]", { metadata: {} }],
  ]);
});

test("a logger that lacks a level, throws or rejects makes no call fail", () => {
  const warn = () => {
    throw new Error("the disk is full");
  };
  const logger = withoutSecrets({ warn, error: async () => warn() } as never);
  for (const level of ["trace", "debug", "info", "warn", "error"] as const) {
    expect(() => logger[level]?.("a line")).not.toThrow();
  }
});

test.each<[string, STSClientConfig, string, boolean]>([
  ["a region", { region: "eu-west-1" }, "https://sts.eu-west-1.amazonaws.com/", false],
  [
    "another partition",
    { region: "cn-north-1" },
    "https://sts.cn-north-1.amazonaws.com.cn/",
    false,
  ],
  [
    "FIPS",
    { region: "us-east-1", useFipsEndpoint: true },
    "https://sts-fips.us-east-1.amazonaws.com/",
    false,
  ],
  [
    "dual stack",
    { region: "eu-west-1", useDualstackEndpoint: true },
    "https://sts.eu-west-1.api.aws/",
    false,
  ],
  [
    "the global endpoint",
    { region: "eu-west-1", useGlobalEndpoint: true },
    "https://sts.amazonaws.com/",
    true,
  ],
  [
    "a region without the global endpoint",
    { region: "eu-south-1", useGlobalEndpoint: true },
    "https://sts.eu-south-1.amazonaws.com/",
    false,
  ],
  [
    "a custom endpoint",
    { region: "eu-west-1", endpoint: "http://127.0.0.1:4566/sts" },
    "http://127.0.0.1:4566/sts",
    false,
  ],
  [
    "the global endpoint as a custom endpoint",
    { region: "eu-west-1", endpoint: "https://sts.amazonaws.com" },
    "https://sts.amazonaws.com/",
    true,
  ],
])(
  "the endpoint of a client with %s is the one that the SDK resolves",
  async (_, config, url, isGlobal) => {
    const client = new STSClient(config);
    const resolved = await resolveEndpoint(client);
    expect({ url: resolved.url.href, isGlobal: resolved.isGlobal }).toEqual({ url, isGlobal });
    client.destroy();
  },
);

test("the global endpoint is resolved with the host of the regional one", async () => {
  const client = new STSClient({ region: "eu-west-1", useGlobalEndpoint: true });
  expect((await resolveEndpoint(client)).regionalHost).toBe("sts.eu-west-1.amazonaws.com");
});
