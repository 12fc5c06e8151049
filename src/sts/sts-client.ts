import { type AgentOptions, type ClientRequest, Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import type { NetConnectOpts, Socket } from "node:net";
import type { STSClient, STSClientConfig } from "@aws-sdk/client-sts";
import type { Logger } from "@smithy/types";
import { callListener } from "../model/events.js";
import { safeText } from "../runtime/redact.js";
import { type StsTarget, settle } from "./target.js";

/*
 * The SDK's STS client as this library needs it: it does not retry or sign, its connections do not keep
 * the process alive, and what it logs contains no secret.
 */

/** A client, and whether it owns its connections: if it does, they are closed with it. */
export interface CreatedClient {
  readonly client: STSClient;
  readonly ownsConnections: boolean;
}

/**
 * The call is never signed. The SDK would sign a call to the global endpoint with the credentials of its
 * default chain, which may be waiting for this very call.
 */
const UNSIGNED: NonNullable<STSClientConfig["httpAuthSchemeProvider"]> = () => [
  { schemeId: "smithy.api#noAuth" },
];

/**
 * @param Client - the SDK's class, which is loaded with the first refresh only.
 * @param maxSockets - the limit of connections, unless the target has a request handler.
 */
export function createStsClient(
  Client: typeof STSClient,
  { config, plugins }: StsTarget,
  maxSockets: number,
): CreatedClient {
  const { retryStrategy: _, ...rest } = config;
  const client = new Client({
    ...rest,
    ...(config.logger && { logger: withoutSecrets(config.logger) }),
    requestHandler: config.requestHandler ?? quietConnections(maxSockets),
    // The retry loop, which knows the verdict, decides: a second loop here would multiply the calls.
    maxAttempts: 1,
    retryMode: "standard",
    httpAuthSchemeProvider: UNSIGNED,
  });
  for (const plugin of plugins) client.middlewareStack.use(plugin);
  return { client, ownsConnections: !isLent(config.requestHandler) };
}

/**
 * Whether a request handler, or an agent in its options, belongs to the calling client or the user.
 * Destroying it would interrupt their requests.
 */
function isLent(handler: STSClientConfig["requestHandler"]): boolean {
  const { handle, httpAgent, httpsAgent } = (handler ?? {}) as {
    handle?: unknown;
    httpAgent?: { destroy?: unknown };
    httpsAgent?: { destroy?: unknown };
  };
  const methods = [handle, httpAgent?.destroy, httpsAgent?.destroy];
  return methods.some((method) => typeof method === "function");
}

type Connect = (options: NetConnectOpts, callback?: () => void) => unknown;

/**
 * Connections that are kept alive between calls and never keep the process alive, not even during a
 * call. A caller that waits for credentials keeps it alive; a refresh in the background must not.
 */
export function quietConnections(
  maxSockets: number,
): NonNullable<STSClientConfig["requestHandler"]> {
  const options: AgentOptions = { keepAlive: true, maxSockets };
  return {
    httpAgent: quiet(new HttpAgent(options)),
    httpsAgent: quiet(new HttpsAgent(options)),
    // By default, the SDK checks 3 s after each call for calls that wait for a socket. Ours never do.
    socketAcquisitionWarningTimeout: 0,
  };
}

function quiet<A extends HttpAgent>(agent: A): A {
  const { createConnection } = agent as unknown as { createConnection: Connect };
  const connectQuietly: Connect = (options, callback) => {
    const socket = createConnection.call(agent, options, callback);
    (socket as { unref?: () => void } | undefined)?.unref?.();
    return socket;
  };
  return Object.assign(agent, {
    createConnection: connectQuietly,
    // Node checks whether it is truthy. For `true`, the SDK starts a timer of 3 s, which keeps the
    // process alive, to set on the socket what the agent has already set.
    keepAlive: 1,
    reuseSocket(socket: Socket, request: ClientRequest) {
      // Node lets a socket that is used again keep the process alive.
      HttpAgent.prototype.reuseSocket.call(agent, socket, request);
      socket.unref();
    },
  });
}

/** The longest text of the SDK that is logged, in characters. */
const MAX_LOGGED = 2_000;

/**
 * The user's logger as the STS client gets it. The SDK logs whole responses and errors, which contain the
 * session token, the token's `sub`, and the token itself when a response repeats it.
 */
export function withoutSecrets(logger: Logger): Logger {
  const log =
    (level: keyof Logger) =>
    (...content: unknown[]) => {
      // A logger that throws must not fail the call.
      callListener(
        () => logger[level]?.(...content.map(withoutResponse)),
        () => {},
      );
    };
  return {
    trace: log("trace"),
    debug: log("debug"),
    info: log("info"),
    warn: log("warn"),
    error: log("error"),
  };
}

/** Which command was called, and the status of the response. */
function withoutResponse(content: unknown): unknown {
  if (typeof content === "string") return safeText(content, MAX_LOGGED);
  const { clientName, commandName, metadata } = (content ?? {}) as Record<string, unknown>;
  const { httpStatusCode } = (metadata ?? {}) as { httpStatusCode?: unknown };
  return { clientName, commandName, metadata: { httpStatusCode } };
}

/** Where a client sends its calls, by the SDK's own rules. */
export interface ResolvedEndpoint {
  readonly url: URL;
  readonly isFips: boolean;
  readonly isDualStack: boolean;
  /** The original, global endpoint of STS, which is in us-east-1. */
  readonly isGlobal: boolean;
  /** The host of the regional endpoint. */
  readonly regionalHost: string;
}

/**
 * Reads the endpoint from the client itself: no host name is composed by hand.
 *
 * @throws the SDK's error for a combination of options that has no endpoint.
 */
export async function resolveEndpoint(client: STSClient): Promise<ResolvedEndpoint> {
  const { config } = client;
  const [Region, UseFIPS, UseDualStack, custom] = await Promise.all([
    config.region(),
    config.useFipsEndpoint(),
    config.useDualstackEndpoint(),
    config.endpoint?.(),
  ]);
  const UseGlobalEndpoint = (await settle(config.useGlobalEndpoint)) ?? false;
  const urlOf = (changes: { Region?: string; UseGlobalEndpoint?: boolean } = {}) => {
    const parameters = { Region, UseFIPS, UseDualStack, UseGlobalEndpoint, ...changes };
    return config.endpointProvider(parameters, {}).url;
  };
  const flags = { isFips: UseFIPS, isDualStack: UseDualStack };
  if (custom !== undefined) {
    const port = custom.port === undefined ? "" : `:${custom.port}`;
    const url = new URL(`${custom.protocol}//${custom.hostname}${port}${custom.path}`);
    const isGlobal = url.host === urlOf({ Region: "aws-global" }).host;
    return { ...flags, url, isGlobal, regionalHost: urlOf({ UseGlobalEndpoint: false }).host };
  }
  const url = urlOf();
  const regionalHost = urlOf({ UseGlobalEndpoint: false }).host;
  return { ...flags, url, isGlobal: UseGlobalEndpoint && url.host !== regionalHost, regionalHost };
}
