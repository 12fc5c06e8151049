import type {
  AssumeRoleWithWebIdentityCommandOutput,
  STSClient,
  STSClientConfig,
} from "@aws-sdk/client-sts";
import { type Clock, type Moment, systemClock } from "../runtime/clock.js";
import type { Environment } from "../runtime/environment.js";
import { CircuitBreaker } from "./circuit-breaker.js";
import { withoutSecrets } from "./client-logger.js";
import { ConcurrencyLimit } from "./concurrency.js";
import { quietConnections } from "./connections.js";
import { loadSdk } from "./load-sdk.js";
import { ServerClock } from "./server-clock.js";
import { SharedCalls } from "./shared-calls.js";
import type { StsTarget } from "./target.js";
import { TargetKeys } from "./target-key.js";

/**
 * Calls in flight, and so sockets, for each client. A thousand roles that start together take turns
 * instead of opening a thousand connections.
 */
const MAX_SOCKETS = 40;

/** Clients kept without anybody using them; the longest unused goes first. */
const MAX_IDLE_CLIENTS = 16;

/** A success, and what is needed to judge its times. */
export interface StsAnswer {
  readonly output: AssumeRoleWithWebIdentityCommandOutput;
  /** The `Date` header. */
  readonly date: string | undefined;
  readonly sentAt: Moment;
}

/** A pooled client. Shared by every provider whose target is equal. */
export interface PooledClient {
  readonly client: STSClient;
  readonly limit: ConcurrencyLimit;
}

interface Entry extends PooledClient {
  readonly target: StsTarget;
  /** Pieces of work that are using it now. */
  leases: number;
  /** To be closed with the last of them. */
  released: boolean;
  /** Whether its connections end with it. */
  readonly ownsConnections: boolean;
}

/** What is known of one STS endpoint, whoever asks it. */
interface Endpoint {
  readonly serverClock: ServerClock;
  breaker?: CircuitBreaker;
}

/** Endpoints remembered; the oldest is forgotten first. */
const MAX_ENDPOINTS = 256;

/** Keeps one STS client, and with it one set of connections, for each distinct target. */
export class ClientPool {
  /** In order of last use, the longest unused first. */
  readonly #entries = new Map<string, Entry>();
  readonly #keys = new TargetKeys();
  readonly #clock: Clock;
  /** The calls under way, over whichever client. */
  readonly calls = new SharedCalls<StsAnswer>();
  readonly #endpoints = new Map<string, Endpoint>();

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** Starts to load the SDK, so that it is there when the first call is due. */
  preload(): void {
    // What goes wrong here goes wrong again where somebody waits for it.
    loadSdk().catch(() => {});
  }

  /** Lends the target's client for one piece of work. */
  async use<T>(
    target: StsTarget,
    env: Environment,
    work: (pooled: PooledClient) => Promise<T>,
  ): Promise<T> {
    const key = this.#keys.of(target, env);
    const entry = this.#entries.get(key) ?? (await this.#open(key, target));
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    entry.leases += 1;
    entry.released = false;
    try {
      return await work(entry);
    } finally {
      entry.leases -= 1;
      if (entry.released && entry.leases === 0) this.#drop(key, entry);
      this.#trim();
    }
  }

  /** The name under which a request to the target is one of {@link ClientPool.calls}. */
  nameOf(request: string, target: StsTarget, env: Environment): string {
    return JSON.stringify([this.#keys.ofAnswer(target, env), request]);
  }

  /**
   * Closes the target's idle connections. Whoever else shares the client gets a new one at its next
   * call; a call in flight is left alone, and the connections are closed after it.
   */
  release(target: StsTarget, env: Environment): void {
    const key = this.#keys.of(target, env);
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.released = true;
    if (entry.leases === 0) this.#drop(key, entry);
  }

  /** Releases what a provider used before and no longer does: at its end it will not know of it. */
  moveOn(before: readonly StsTarget[], after: readonly StsTarget[], env: Environment): void {
    if (before.length === 0) return;
    const kept = after.map((target) => this.#keys.of(target, env));
    for (const target of before) {
      if (!kept.includes(this.#keys.of(target, env))) this.release(target, env);
    }
  }

  /** The equal target that is here already, if there is one: a thousand roles keep one, not their own. */
  canonical(target: StsTarget, env: Environment): StsTarget {
    return this.#entries.get(this.#keys.of(target, env))?.target ?? target;
  }

  /** The breaker of the target's endpoint: one for all providers that would ask it. */
  breaker(target: StsTarget, env: Environment, random: () => number): CircuitBreaker {
    const endpoint = this.#endpoint(target, env);
    endpoint.breaker ??= new CircuitBreaker(random);
    return endpoint.breaker;
  }

  /** The clock of the target's endpoint, as its answers show it. */
  serverClock(target: StsTarget, env: Environment): ServerClock {
    return this.#endpoint(target, env).serverClock;
  }

  get size(): number {
    return this.#entries.size;
  }

  #endpoint(target: StsTarget, env: Environment): Endpoint {
    const key = this.#keys.ofEndpoint(target, env);
    const endpoint = this.#endpoints.get(key) ?? { serverClock: new ServerClock(this.#clock) };
    this.#endpoints.set(key, endpoint);
    const [oldest] = this.#endpoints.keys();
    if (this.#endpoints.size > MAX_ENDPOINTS && oldest !== undefined) {
      this.#endpoints.delete(oldest);
    }
    return endpoint;
  }

  #trim(): void {
    for (const [key, entry] of this.#entries) {
      if (this.#entries.size <= MAX_IDLE_CLIENTS) return;
      if (entry.leases === 0) this.#drop(key, entry);
    }
  }

  async #open(key: string, target: StsTarget): Promise<Entry> {
    const { STSClient } = await loadSdk();
    // Somebody else was here while the modules loaded.
    const existing = this.#entries.get(key);
    if (existing !== undefined) return existing;
    const connections = target.config.requestHandler ?? quietConnections(MAX_SOCKETS);
    const entry = createEntry(STSClient, target, connections);
    this.#entries.set(key, entry);
    return entry;
  }

  #drop(key: string, entry: Entry): void {
    if (this.#entries.get(key) === entry) this.#entries.delete(key);
    if (entry.ownsConnections) entry.client.destroy();
  }
}

/**
 * The call is never signed. For the global endpoint the SDK would sign it all the same, and look for
 * credentials in its default chain: in the environment that this very call is made for.
 */
const UNSIGNED: NonNullable<STSClientConfig["httpAuthSchemeProvider"]> = () => [
  { schemeId: "smithy.api#noAuth" },
];

function createEntry(
  Client: typeof STSClient,
  target: StsTarget,
  requestHandler: NonNullable<STSClientConfig["requestHandler"]>,
): Entry {
  const { config, plugins } = target;
  const { retryStrategy: _, ...rest } = config;
  const client = new Client({
    ...rest,
    ...(config.logger && { logger: withoutSecrets(config.logger) }),
    requestHandler,
    // Retrying is done outside, where the verdict is: a second loop inside would multiply the calls.
    maxAttempts: 1,
    retryMode: "standard",
    httpAuthSchemeProvider: UNSIGNED,
  });
  for (const plugin of plugins) client.middlewareStack.use(plugin);
  const ownsConnections = !isLent(config.requestHandler);
  return {
    target,
    client,
    limit: new ConcurrencyLimit(MAX_SOCKETS),
    leases: 0,
    released: false,
    ownsConnections,
  };
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
