import { Agent, get, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import {
  AssumeRoleWithWebIdentityCommand,
  STSClient,
  type STSClientConfig,
} from "@aws-sdk/client-sts";
import { describe, expect, test, vi } from "vitest";
import {
  createStsClient,
  quietConnections,
  resolveEndpoint,
  withoutSecrets,
} from "../../src/sts/sts-client.js";
import { startLoopbackServer } from "../../src/testing/loopback-server.js";
import { makeTarget } from "../support/make-target.js";
import { INPUT } from "../support/responding-endpoint.js";

interface Agents {
  readonly httpAgent: Agent;
  readonly httpsAgent: Agent;
}

const agents = (maxSockets: number) => quietConnections(maxSockets) as unknown as Agents;

/** Sockets that keep this process alive now. */
const held = () => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap");

/** Sends a request. @returns whether its socket was used before. */
const ask = (port: number, agent: Agent) =>
  new Promise<boolean>((resolve, reject) => {
    const onResponse = (response: IncomingMessage) =>
      response.resume().on("end", () => resolve(request.reusedSocket));
    const request = get({ host: "127.0.0.1", port, agent }, onResponse).on("error", reject);
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
    const reused: boolean[] = [];
    for (let round = 0; round < 3; round += 1) reused.push(await ask(server.port, httpAgent));
    // Node sends a request again if it fails on a socket that the server has just closed.
    expect(reused).toEqual([false, true, true]);
    seen.push(held().length - before);
    expect(seen).toEqual([0, 0, 0, 0]);
    expect(server.connections.total).toBe(1);
    httpAgent.destroy();
    httpsAgent.destroy();
  });
});

const create = (config: STSClientConfig = {}, maxSockets = 7) =>
  createStsClient(
    STSClient,
    makeTarget({ config: { region: "eu-west-1", ...config } }),
    maxSockets,
  );

describe("the client of a target", () => {
  test("signs no call and reads no credentials, not even for the global endpoint", async () => {
    const headers: object[] = [];
    const handle = async (request: { headers: object }) => {
      headers.push(request.headers);
      throw new Error("sent");
    };
    const credentials = vi.fn(async () => ({ accessKeyId: "a", secretAccessKey: "s" }));
    const requestHandler = { handle, metadata: { handlerProtocol: "http/1.1" } } as never;
    const { client } = create({ useGlobalEndpoint: true, credentials, requestHandler });
    await expect(client.send(new AssumeRoleWithWebIdentityCommand(INPUT))).rejects.toThrow("sent");
    expect(headers).toHaveLength(1);
    expect(headers[0]).not.toHaveProperty("authorization");
    expect(credentials).not.toHaveBeenCalled();
  });

  test("never retries, whatever the options say", async () => {
    const retryStrategy = { acquireInitialRetryToken: vi.fn() } as never;
    const { config } = create({ retryStrategy, maxAttempts: 9, retryMode: "adaptive" }).client;
    expect([await config.maxAttempts(), await config.retryMode]).toEqual([1, "standard"]);
    expect(await config.retryStrategy()).not.toBe(retryStrategy);
  });

  test("writes to the logger of the target without secrets, and to none without one", () => {
    const info = vi.fn();
    const logger = { ...console, info };
    create({ logger }).client.config.logger?.info(`a ${TOKEN}`);
    expect(info.mock.calls).toEqual([["a [redacted]"]]);
    create().client.config.logger?.info("quiet");
    expect(info).toHaveBeenCalledTimes(1);
  });

  test("has a limited number of connections of its own", async () => {
    const { client, ownsConnections } = create({}, 3);
    const { httpsAgent } = await settingsOf(client);
    expect([ownsConnections, httpsAgent?.maxSockets]).toEqual([true, 3]);
  });

  test("uses the request handler of the target, and does not own its connections", () => {
    const requestHandler = { handle: async () => ({}) } as never;
    const { client, ownsConnections } = create({ requestHandler });
    expect(client.config.requestHandler).toBe(requestHandler);
    expect(ownsConnections).toBe(false);
  });

  test.each<[string, NonNullable<STSClientConfig["requestHandler"]>, boolean]>([
    ["an HTTP agent", { httpAgent: new Agent() }, false],
    ["an HTTPS agent", { httpsAgent: new HttpsAgent() }, false],
    ["options of an agent", { httpAgent: { maxSockets: 2 }, httpsAgent: { maxSockets: 2 } }, true],
    ["a timeout", { connectionTimeout: 1_000 }, true],
  ])("with %s in the options of its handler has ownsConnections %s", (_, handler, owns) => {
    expect(create({ requestHandler: handler as never }).ownsConnections).toBe(owns);
  });
});

/** The settings of a client's request handler. */
async function settingsOf(client: STSClient): Promise<Partial<Agents>> {
  const { configProvider } = client.config.requestHandler as unknown as {
    configProvider: Promise<Partial<Agents>>;
  };
  return await configProvider;
}

const TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl";

test("a log line of the SDK shows the command and the status, and nothing of the response", () => {
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

test.each(["trace", "debug", "info", "warn", "error"] as const)(
  "a line of the level %s goes to that level of the logger",
  (level) => {
    const own = vi.fn();
    const other = vi.fn();
    const all = { trace: other, debug: other, info: other, warn: other, error: other };
    withoutSecrets({ ...all, [level]: own })[level]?.("a line");
    expect([own.mock.calls, other.mock.calls]).toEqual([[["a line"]], []]);
  },
);

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
  for (const endpoint of [undefined, "https://sts.amazonaws.com"]) {
    const global = { region: "eu-west-1", useGlobalEndpoint: true };
    const client = new STSClient({ ...global, ...(endpoint && { endpoint }) });
    expect((await resolveEndpoint(client)).regionalHost).toBe("sts.eu-west-1.amazonaws.com");
  }
});

test.each([
  [{ useFipsEndpoint: true }, { isFips: true, isDualStack: false }],
  [{ useDualstackEndpoint: true }, { isFips: false, isDualStack: true }],
])("the endpoint of a client with %j is resolved with %j", async (flags, expected) => {
  const client = new STSClient({ region: "us-east-1", ...flags });
  expect(await resolveEndpoint(client)).toMatchObject(expected);
});
