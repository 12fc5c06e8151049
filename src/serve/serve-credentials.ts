/**
 * The container-credentials endpoint: the protocol by which every AWS SDK and the AWS CLI read
 * credentials from an HTTP server (`AWS_CONTAINER_CREDENTIALS_FULL_URI`).
 *
 * `request-guard.ts` decides whether a request gets credentials, `credentials-response.ts` makes the
 * response from a provider's credentials or error, and `token-files.ts` writes the bearer tokens for
 * other containers. This file runs the server: its address, limits and connections.
 */
import { randomBytes } from "node:crypto";
import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setImmediate } from "node:timers/promises";
import { publishServeRequest } from "../model/events.js";
import { type Clock, systemClock } from "../runtime/clock.js";
import { rememberSecret } from "../runtime/known-secrets.js";
import { readField, safeText } from "../runtime/redact.js";
import { checkKeys, checkString, checkType, expected, requireInit } from "../runtime/validators.js";
import {
  type EndpointResponse,
  responseFor,
  type ServedProvider,
  statusOf,
} from "./credentials-response.js";
import { type GuardedRole, RequestGuard } from "./request-guard.js";
import { TokenFiles } from "./token-files.js";

/** Options of {@link serveCredentials}. */
export interface ServeCredentialsOptions {
  /**
   * A provider for each role name. The name is the last part of the role's URL: 1 to 64 letters,
   * digits, `.`, `_` or `-`. The first role is the default of {@link CredentialsServer.env}.
   *
   * The AWS CLI and boto3 request credentials again when 15 minutes are left, so refresh earlier:
   * `refresh: { advisoryWindowSeconds: 1200 }` fits sessions of one hour.
   */
  readonly roles: Readonly<Record<string, ServedProvider>>;
  /**
   * Loopback address and port to listen on, such as `127.0.0.1:9912` or `[::1]:9912`. Port 0 lets
   * the system choose. All other addresses are refused: AWS SDKs accept plain HTTP from
   * loopback only, and the responses contain secrets.
   * @default "127.0.0.1:0"
   */
  readonly listen?: string | undefined;
  /**
   * Directory for the files with the bearer tokens, one for each role. They are for programs that don't
   * inherit this process's environment, such as another container of a pod. The directory is created
   * with mode 0700, the files with mode 0600 and without a newline. `close()` removes the files.
   * @default none: {@link CredentialsServer.env} contains the token itself
   */
  readonly tokenDirectory?: string | undefined;
}

/** A running container-credentials endpoint. */
export interface CredentialsServer extends AsyncDisposable {
  /** Base URL, such as `http://127.0.0.1:9912`. The role `app` is at `/v1/roles/app`. */
  readonly url: string;
  /**
   * Environment variables that make every AWS SDK and the AWS CLI use this server for a role.
   * Without `tokenDirectory` they contain the role's bearer token: give them only to the child
   * process, and never print them.
   *
   * @param role - @default the first of `roles`
   * @throws TypeError for a name that is not in `roles`.
   */
  env(role?: string): Record<string, string>;
  /**
   * Stops accepting connections, finishes the requests in progress, and removes the token files.
   * The providers stay open: they belong to the caller.
   */
  close(): Promise<void>;
}

/** Limit of the request line and headers together; a credentials request has a few hundred bytes. */
const MAX_HEADER_BYTES = 8 * 1024;

/** The server closes the connection of a request that takes longer to arrive, in milliseconds. */
const REQUEST_TIMEOUT_MS = 5_000;

/** How often Node checks for requests past their time limit, in milliseconds. Its default is 30 s. */
const CHECK_CONNECTIONS_MS = 1_000;

/** Limit of open connections. At the limit, a new connection replaces the one that has been idle longest. */
const MAX_CONNECTIONS = 256;

const ROLE_NAME = /^(?!\.{1,2}$)[\w.-]{1,64}$/;
const KNOWN_OPTIONS = ["roles", "listen", "tokenDirectory"];

/**
 * Serves credentials to programs in any language over the container-credentials protocol, on a
 * loopback address and behind a random bearer token for each role.
 *
 * Credentials come from the providers' memory. For a role without credentials, the server responds
 * within 1.8 s, because boto3 and the AWS CLI wait 2 s: with 503, the error code, and who must change
 * what. It never serves expired or incomplete credentials.
 *
 * @returns the server as soon as it listens. To start with credentials, call each provider
 * first, and wait for it.
 * @throws TypeError for an option that can never work; the system's error when the address is taken
 * or the token files can't be written.
 *
 * @example
 * ```ts
 * import { spawn } from "node:child_process";
 * import { fromTokenFile } from "resilient-sts";
 * import { serveCredentials } from "resilient-sts/serve";
 *
 * const server = await serveCredentials({ roles: { app: fromTokenFile() } });
 * spawn("python3", ["job.py"], { env: { ...process.env, ...server.env("app") }, stdio: "inherit" });
 * ```
 */
export async function serveCredentials(
  options: ServeCredentialsOptions,
): Promise<CredentialsServer> {
  return await startEndpoint(options, systemClock);
}

/** {@link serveCredentials} with the caller's clock. */
export async function startEndpoint(
  options: ServeCredentialsOptions,
  clock: Clock,
): Promise<CredentialsServer> {
  const { host, port } = checkOptions(options);
  const roles = Object.entries(options.roles).map(([name, provider]) => ({
    name,
    provider,
    token: randomBytes(32).toString("base64url"),
  }));
  for (const { token } of roles) rememberSecret(token);
  const server = new EndpointServer(roles, clock);
  const address = await server.listen(host, port);
  const { tokenDirectory } = options;
  const files = new TokenFiles();
  try {
    if (tokenDirectory !== undefined) await files.write(tokenDirectory, roles);
  } catch (error) {
    await server.close();
    throw error;
  }
  // Fetches the first credentials before the first request. If this fails, that request reports the error.
  for (const { provider } of roles) {
    (async () => provider())().catch(() => {});
  }
  const url = `http://${address}`;
  const close = async () => {
    await server.close();
    await files.remove();
  };
  return {
    url,
    env(name = roles[0]?.name ?? "") {
      const role = roles.find((one) => one.name === name);
      if (role === undefined) throw expected("role", `to be one of ${namesOf(roles)}`, name);
      const file = files.pathOf(name);
      return {
        AWS_CONTAINER_CREDENTIALS_FULL_URI: `${url}/v1/roles/${name}`,
        ...(file === undefined
          ? { AWS_CONTAINER_AUTHORIZATION_TOKEN: role.token }
          : { AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: file }),
      };
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function checkOptions(options: ServeCredentialsOptions): { host: string; port: number } {
  requireInit("serveCredentials", options);
  checkKeys("options", options, KNOWN_OPTIONS);
  checkType("roles", options.roles, "object");
  const entries = Object.entries(options.roles ?? {});
  if (entries.length === 0) throw new TypeError("Expected `roles` to name at least one provider.");
  for (const [name, provider] of entries) {
    if (!ROLE_NAME.test(name)) {
      throw new TypeError(
        "Expected every name in `roles` to have 1 to 64 letters, digits, `.`, `_` or `-`.",
      );
    }
    checkType(`roles.${name}`, provider, "function");
    if (provider === undefined) throw expected(`roles.${name}`, "to be a provider", provider);
  }
  checkString("tokenDirectory", options.tokenDirectory);
  return parseListen(options.listen);
}

/** 127.0.0.0/8, ::1 or localhost, with a port. */
function parseListen(listen: unknown = "127.0.0.1:0"): { host: string; port: number } {
  checkString("listen", listen);
  const [, host = "", digits = ""] =
    /^(localhost|127(?:\.\d{1,3}){3}|\[::1\]):(\d{1,5})$/i.exec(String(listen)) ?? [];
  const port = Number(digits);
  const isAddress = host.split(".").every((part) => !/^\d/.test(part) || Number(part) <= 255);
  if (host === "" || port > 65_535 || !isAddress) {
    throw new TypeError(
      "Expected `listen` to be a loopback address and a port, such as 127.0.0.1:9912; no other address is served.",
    );
  }
  return { host: host.toLowerCase() === "localhost" ? "127.0.0.1" : host, port };
}

function namesOf(roles: readonly { name: string }[]): string {
  return roles.map(({ name }) => name).join(", ");
}

interface ServedRole extends GuardedRole {
  readonly provider: ServedProvider;
}

/** The HTTP server, its limits and its connections. */
class EndpointServer {
  readonly #server: Server;
  readonly #roles: readonly ServedRole[];
  readonly #clock: Clock;
  /** Open connections with the number of requests in progress; first the one that has been unused longest. */
  readonly #connections = new Map<Socket, number>();
  /** Settles when every client that was waiting to connect is connected. */
  #accepted: Promise<void> | undefined;
  #hasNewConnection = false;
  #guard: RequestGuard<ServedRole> | undefined;

  constructor(roles: readonly ServedRole[], clock: Clock) {
    this.#roles = roles;
    this.#clock = clock;
    this.#server = createServer({
      maxHeaderSize: MAX_HEADER_BYTES,
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: CHECK_CONNECTIONS_MS,
      // The guard refuses a missing Host itself, with a reason.
      requireHostHeader: false,
    });
    this.#server.on("connection", (socket: Socket) => this.#opened(socket));
    this.#server.on("request", (request, response) => this.#respond(request, response));
    // Without a listener Node would send 100 itself and wait for the body.
    this.#server.on("checkContinue", (request, response) => this.#respond(request, response));
    // Upgrades and tunnels are not part of the protocol.
    this.#server.on("upgrade", (_, socket) => socket.destroy());
    this.#server.on("connect", (_, socket) => socket.destroy());
  }

  /** @returns host and port in the form that URLs use. */
  async listen(host: string, port: number): Promise<string> {
    const name = host.replace(/^\[|\]$/g, "");
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ host: name, port, exclusive: true }, () => {
        this.#server.off("error", reject);
        // A connection that the system can't accept (EMFILE). Without a listener, it would end the process.
        this.#server.on("error", () => {});
        resolve();
      });
    });
    const bound = (this.#server.address() as AddressInfo).port;
    this.#guard = new RequestGuard({ host, port: bound, roles: this.#roles, clock: this.#clock });
    return `${host}:${bound}`;
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    for (const [socket, requests] of this.#connections) {
      if (requests === 0) socket.destroy();
    }
    await closed;
  }

  #opened(socket: Socket): void {
    this.#connections.set(socket, 0);
    this.#hasNewConnection = true;
    this.#accepted ??= this.#acceptAll();
    socket.on("close", () => this.#connections.delete(socket));
    socket.on("error", () => socket.destroy());
    if (this.#connections.size <= MAX_CONNECTIONS) return;
    const idle = [...this.#connections].find(([one, requests]) => requests === 0 && one !== socket);
    (idle?.[0] ?? socket).destroy();
  }

  /**
   * Accepts all waiting clients before the server responds to any. In each turn of its event loop, Node
   * accepts one connection, and reads all open ones. So of many programs that start together, the last
   * would wait until the others had many responses.
   */
  async #acceptAll(): Promise<void> {
    // Waits for the end of this turn. Each later turn shows whether another client was waiting.
    await setImmediate();
    for (let turns = 0; this.#hasNewConnection && turns < MAX_CONNECTIONS; turns += 1) {
      this.#hasNewConnection = false;
      await setImmediate();
    }
    this.#accepted = undefined;
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request;
    const startedAt = this.#clock.monotonic();
    this.#use(socket, 1);
    response.on("close", () => this.#use(socket, -1));
    await this.#accepted;
    const { role, reply } = await this.#reply(request);
    const body = JSON.stringify(reply.body);
    const headers: OutgoingHttpHeaders = {
      "content-type": "application/json",
      // Without a length the response goes out in chunks.
      "content-length": Buffer.byteLength(body),
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
    };
    const isRefused = reply.status !== 200 && reply.status !== 503;
    // A refused client connects again, and a server that closes waits only for the requests in progress.
    if (isRefused || !this.#server.listening) headers.connection = "close";
    if (reply.allow !== undefined) headers.allow = reply.allow;
    response.writeHead(reply.status, headers);
    response.end(body);
    publishServeRequest({
      role,
      status: reply.status,
      ms: Math.round(this.#clock.monotonic() - startedAt),
    });
  }

  async #reply(
    request: IncomingMessage,
  ): Promise<{ role: string | undefined; reply: EndpointResponse }> {
    const decision = this.#guard?.decide(request);
    if (decision === undefined) return { role: undefined, reply: NOT_READY };
    if ("refusal" in decision) return { role: undefined, reply: decision.refusal };
    if (decision.page === "health") return { role: undefined, reply: this.#health() };
    const { role } = decision;
    return { role: role.name, reply: await responseFor(role.provider, this.#clock) };
  }

  /** Reports the state of each role, without secrets, role ARNs and error texts. */
  #health(): EndpointResponse {
    const roles = this.#roles.map(({ name, provider }) => [name, healthOf(provider)] as const);
    const isServing = roles.every(([, { state }]) => state !== "empty" && state !== "expired");
    const status = isServing ? "ok" : "unavailable";
    return { status: isServing ? 200 : 503, body: { status, roles: Object.fromEntries(roles) } };
  }

  #use(socket: Socket, change: number): void {
    const requests = this.#connections.get(socket);
    if (requests === undefined) return;
    // Moves the connection to the end: the one that has been unused longest comes first.
    this.#connections.delete(socket);
    this.#connections.set(socket, requests + change);
  }
}

interface Health {
  readonly state: string | undefined;
  /** ISO 8601. */
  readonly expiration: string | undefined;
  /** The code of the last error. */
  readonly error: string | undefined;
}

/** The provider may be the user's own code, so fields without the expected type are left out. */
function healthOf(provider: ServedProvider): Health {
  const status = statusOf(provider);
  const text = (value: unknown) => (typeof value === "string" ? safeText(value, 100) : undefined);
  const expiresAt = readField(status, "expiresAt");
  return {
    state: text(readField(status, "state")),
    // `undefined` instead of null for a time that no date can have.
    expiration:
      typeof expiresAt === "number" ? (new Date(expiresAt).toJSON() ?? undefined) : undefined,
    error: text(readField(readField(status, "lastError"), "code")),
  };
}

const NOT_READY: EndpointResponse = {
  status: 503,
  body: { Code: "NotReady", Message: "The server is starting." },
};
