import type { STSClient, STSClientConfig } from "@aws-sdk/client-sts";
import { type Environment, readVariable } from "../environment.js";
import { withoutSecrets } from "./client-logger.js";
import { ConcurrencyLimit } from "./concurrency.js";
import type { StsTarget } from "./target.js";

/**
 * Calls in flight, and so sockets, for each client. A thousand roles that start together take turns
 * instead of opening a thousand connections.
 */
export const MAX_SOCKETS = 40;

/** Clients kept without anybody using them; the longest unused goes first. */
const MAX_IDLE_CLIENTS = 16;

/** Read by the SDK itself whenever a client is made, so part of what tells two clients apart. */
const SDK_VARIABLES = [
  "AWS_ENDPOINT_URL_STS",
  "AWS_ENDPOINT_URL",
  "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
  "AWS_PROFILE",
  "AWS_CONFIG_FILE",
  "AWS_SHARED_CREDENTIALS_FILE",
  "AWS_USE_FIPS_ENDPOINT",
  "AWS_USE_DUALSTACK_ENDPOINT",
  "AWS_SDK_UA_APP_ID",
];

/** A pooled client. Shared by every provider whose target is equal. */
export interface PooledClient {
  readonly client: STSClient;
  readonly limit: ConcurrencyLimit;
}

interface Entry extends PooledClient {
  /** Pieces of work that are using it now. */
  leases: number;
  /** Whether its connections end with it. */
  readonly ownsConnections: boolean;
}

/** Keeps one STS client, and with it one set of connections, for each distinct target. */
export class ClientPool {
  /** In order of last use, the longest unused first. */
  readonly #entries = new Map<string, Entry>();
  readonly #identities = new WeakMap<object, number>();
  #identityCount = 0;

  /** Starts to load the SDK, so that it is there when the first call is due. */
  preload(): void {
    // What goes wrong here goes wrong again where somebody waits for it.
    import("./sdk.js").catch(() => {});
  }

  /** Lends the target's client for one piece of work. */
  async use<T>(
    target: StsTarget,
    env: Environment,
    work: (pooled: PooledClient) => Promise<T>,
  ): Promise<T> {
    const key = this.#key(target, env);
    const { STSClient } = await import("./sdk.js");
    const entry = this.#entries.get(key) ?? create(STSClient, target);
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    entry.leases += 1;
    try {
      return await work(entry);
    } finally {
      entry.leases -= 1;
      this.#trim();
    }
  }

  /**
   * Closes the target's idle connections. Whoever else shares the client gets a new one at its next
   * call; a call in flight is left alone.
   */
  release(target: StsTarget, env: Environment): void {
    const key = this.#key(target, env);
    const entry = this.#entries.get(key);
    if (entry?.leases === 0) this.#drop(key, entry);
  }

  get size(): number {
    return this.#entries.size;
  }

  #trim(): void {
    for (const [key, entry] of this.#entries) {
      if (this.#entries.size <= MAX_IDLE_CLIENTS) return;
      if (entry.leases === 0) this.#drop(key, entry);
    }
  }

  #drop(key: string, entry: Entry): void {
    this.#entries.delete(key);
    if (entry.ownsConnections) entry.client.destroy();
  }

  /** Equal primitives are equal; functions and objects are equal only to themselves. */
  #key({ config, plugins }: StsTarget, env: Environment): string {
    const parts = Object.entries(config)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => [name, this.#part(value)]);
    const variables = SDK_VARIABLES.map((name) => readVariable(env, name) ?? null);
    return JSON.stringify([parts, plugins.map((plugin) => this.#part(plugin)), variables]);
  }

  #part(value: unknown): unknown {
    if (typeof value !== "object" && typeof value !== "function") return String(value);
    if (value === null) return null;
    let id = this.#identities.get(value);
    if (id === undefined) {
      this.#identityCount += 1;
      id = this.#identityCount;
      this.#identities.set(value, id);
    }
    return { id };
  }
}

/**
 * The call is never signed. For the global endpoint the SDK would sign it all the same, and look for
 * credentials in its default chain: in the environment that this very call is made for.
 */
const UNSIGNED: NonNullable<STSClientConfig["httpAuthSchemeProvider"]> = () => [
  { schemeId: "smithy.api#noAuth" },
];

function create(Client: typeof STSClient, { config, plugins }: StsTarget): Entry {
  const { retryStrategy: _, ...rest } = config;
  const client = new Client({
    ...rest,
    ...(config.logger && { logger: withoutSecrets(config.logger) }),
    requestHandler: config.requestHandler ?? pooledConnections(),
    // Retrying is done outside, where the verdict is: a second loop inside would multiply the calls.
    maxAttempts: 1,
    retryMode: "standard",
    httpAuthSchemeProvider: UNSIGNED,
  });
  for (const plugin of plugins) client.middlewareStack.use(plugin);
  const ownsConnections = !isLent(config.requestHandler);
  return { client, limit: new ConcurrencyLimit(MAX_SOCKETS), leases: 0, ownsConnections };
}

/**
 * Whether a request handler, or an agent in its options, is somebody else's: the calling client's or
 * the user's own. Destroying it would cut their requests off.
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

function pooledConnections(): NonNullable<STSClientConfig["requestHandler"]> {
  const agent = { keepAlive: true, maxSockets: MAX_SOCKETS };
  return { httpAgent: agent, httpsAgent: agent };
}
