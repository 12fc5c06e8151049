import type { AssumeRoleWithWebIdentityCommandOutput, STSClient } from "@aws-sdk/client-sts";
import type { Clock, Moment } from "../runtime/clock.js";
import { type Environment, readVariable } from "../runtime/environment.js";
import { CircuitBreaker } from "./circuit-breaker.js";
import { ConcurrencyLimit, SharedCalls } from "./concurrent-calls.js";
import { loadSdk } from "./load-sdk.js";
import { ServerClock } from "./server-clock.js";
import { type CreatedClient, createStsClient } from "./sts-client.js";
import type { StsTarget } from "./target.js";

/**
 * The limit of calls in progress, and so of sockets, for each client. A thousand roles that start
 * together wait in a queue instead of opening a thousand connections.
 */
const MAX_SOCKETS = 40;

/** Clients that are kept although none is in use; the least recently used one is closed first. */
const MAX_IDLE_CLIENTS = 16;

/** A successful response, and the facts that the check of its times needs. */
export interface StsResponse {
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

interface Entry extends PooledClient, CreatedClient {
  readonly target: StsTarget;
  /** How many callers use it now. */
  leases: number;
  /** Whether it is closed when the last of them returns it. */
  released: boolean;
}

/** What the responses of one STS endpoint have shown, for all providers that call it. */
interface Endpoint {
  readonly serverClock: ServerClock;
  readonly breaker: CircuitBreaker;
}

/** The clock, the environment and the random source of a pool. */
export interface PoolSeams {
  readonly clock: Clock;
  /** Part of what distinguishes two clients: the SDK reads some variables when a client is made. */
  readonly env: Environment;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** How many endpoints are remembered; the oldest is removed first. */
const MAX_ENDPOINTS = 256;

interface SharedRequest {
  readonly target: StsTarget;
  readonly request: string;
  readonly signal: AbortSignal;
}

/** Keeps one STS client, and with it one set of connections, for each distinct target. */
export class ClientPool {
  /** In the order of their last use, the least recently used first. */
  readonly #entries = new Map<string, Entry>();
  readonly #endpoints = new Map<string, Endpoint>();
  readonly #seams: PoolSeams;
  readonly #keys: TargetKeys;
  readonly #calls: SharedCalls<StsResponse>;

  constructor(seams: PoolSeams) {
    this.#seams = seams;
    this.#keys = new TargetKeys(seams.env);
    this.#calls = new SharedCalls(seams.clock);
  }

  get clock(): Clock {
    return this.#seams.clock;
  }

  /** Starts to load the SDK, so that it is there when the first call is due. */
  preload(): void {
    // A caller that waits for the SDK gets the same error.
    loadSdk().catch(() => {});
  }

  /** Lends the target's client for one piece of work. */
  async use<T>(target: StsTarget, work: (pooled: PooledClient) => Promise<T>): Promise<T> {
    const key = this.#keys.of(target);
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

  /**
   * Waits for the response to a request. Equal requests at the same time are sent once, with the client of
   * the first caller.
   *
   * @param request - equal for requests with equal responses.
   * @param signal - ends this caller's wait; the request ends with the last caller's.
   */
  share(
    { target, request, signal }: SharedRequest,
    send: (client: STSClient, signal: AbortSignal) => Promise<StsResponse>,
  ): Promise<StsResponse> {
    const name = JSON.stringify([this.#keys.ofResponse(target), request]);
    return this.#calls.join(name, signal, (abortSignal) =>
      // Lent until the last caller stops waiting for the response.
      this.use(target, ({ client }) => send(client, abortSignal)),
    );
  }

  /**
   * Closes the target's idle connections. Another provider that shares the client gets a new one with
   * its next call. A call in progress is not interrupted; the connections are closed after it.
   */
  release(target: StsTarget): void {
    const key = this.#keys.of(target);
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.released = true;
    if (entry.leases === 0) this.#drop(key, entry);
  }

  /**
   * Releases the targets of a provider that are not among its new ones.
   *
   * @returns the new ones; for one that equals a target of the pool, that target, so that a thousand roles
   * share one object.
   */
  replaceTargets(before: readonly StsTarget[], after: readonly StsTarget[]): StsTarget[] {
    const kept = after.map((target) => this.#keys.of(target));
    for (const target of before) {
      if (!kept.includes(this.#keys.of(target))) this.release(target);
    }
    return after.map((target, index) => this.#entries.get(kept[index] ?? "")?.target ?? target);
  }

  /** The circuit breaker of the target's endpoint: one for all providers that call it. */
  breaker(target: StsTarget): CircuitBreaker {
    return this.#endpoint(target).breaker;
  }

  /** The clock of the target's endpoint, as its responses show it. */
  serverClock(target: StsTarget): ServerClock {
    return this.#endpoint(target).serverClock;
  }

  get size(): number {
    return this.#entries.size;
  }

  #endpoint(target: StsTarget): Endpoint {
    const { clock, random } = this.#seams;
    const key = this.#keys.ofEndpoint(target);
    const endpoint = this.#endpoints.get(key) ?? {
      serverClock: new ServerClock(clock),
      breaker: new CircuitBreaker(clock, random),
    };
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
    // Another caller made it while the modules loaded.
    const existing = this.#entries.get(key);
    if (existing !== undefined) return existing;
    const limit = new ConcurrencyLimit(MAX_SOCKETS);
    const created = createStsClient(STSClient, target, MAX_SOCKETS);
    const entry = { ...created, target, limit, leases: 0, released: false };
    this.#entries.set(key, entry);
    return entry;
  }

  #drop(key: string, entry: Entry): void {
    if (this.#entries.get(key) === entry) this.#entries.delete(key);
    if (entry.ownsConnections) entry.client.destroy();
  }
}

/** The SDK reads these when a client is made, so two clients with different values differ. */
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

/** Object literals are compared by value down to this depth, which no option exceeds; deeper ones by identity. */
const MAX_DEPTH = 4;

/**
 * Names targets so that equal ones have the same name: primitives and object literals are equal by
 * value, functions and instances only to themselves.
 */
class TargetKeys {
  readonly #identities = new WeakMap<object, number>();
  #identityCount = 0;

  constructor(private readonly env: Environment) {}

  of({ config, plugins }: StsTarget): string {
    const parts = plugins.map((plugin) => this.#part(plugin));
    return JSON.stringify([this.#entries(config), parts, this.#variables()]);
  }

  /** Names the endpoint only: each calling client has its own request handler and logger. */
  ofEndpoint({ config }: StsTarget): string {
    const { region, endpoint, profile } = config;
    const { useFipsEndpoint, useDualstackEndpoint, useGlobalEndpoint } = config;
    const flags = { useFipsEndpoint, useDualstackEndpoint, useGlobalEndpoint };
    const parts = this.#entries({ region, endpoint, profile, ...flags });
    return JSON.stringify([parts, this.#variables()]);
  }

  /**
   * Names what a response depends on. The connection that it comes over is not part of that, unless the
   * request handler is one of the provider's options.
   */
  ofResponse({ config, plugins, isHandlerLent }: StsTarget): string {
    const { requestHandler, logger: _, userAgentAppId: __, ...rest } = config;
    const options = isHandlerLent ? rest : { ...rest, requestHandler };
    const parts = plugins.map((plugin) => this.#part(plugin));
    return JSON.stringify([this.#entries(options), parts, this.#variables()]);
  }

  #entries(literal: object, depth = 0): unknown {
    return Object.entries(literal)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => [name, this.#part(value, depth)]);
  }

  #part(value: unknown, depth = 0): unknown {
    if (typeof value !== "object" && typeof value !== "function") return String(value);
    if (value === null) return null;
    const isLiteral = Object.getPrototypeOf(value) === Object.prototype;
    if (isLiteral && depth < MAX_DEPTH) return this.#entries(value, depth + 1);
    let id = this.#identities.get(value);
    if (id === undefined) {
      this.#identityCount += 1;
      id = this.#identityCount;
      this.#identities.set(value, id);
    }
    return { id };
  }

  /** The current values: they may change while the process runs. */
  #variables(): (string | null)[] {
    return SDK_VARIABLES.map((name) => readVariable(this.env, name) ?? null);
  }
}
