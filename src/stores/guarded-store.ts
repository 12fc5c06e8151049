import { type CredentialStore, type StoreOperation, storeName } from "../model/credential-store.js";
import { publishStoreOperation } from "../model/events.js";
import { untilAborted } from "../runtime/abort.js";
import type { Clock } from "../runtime/clock.js";
import { safeCause } from "../runtime/redact.js";

/**
 * The limit of one operation, in milliseconds. A Redis nearby responds in 1 ms, and a store must cost a
 * caller less than the STS call that it may save.
 */
export const STORE_OPERATION_MS = 250;

/**
 * The limit is counted in parts. In a process that is short of CPU time, or loads the AWS SDK, timers
 * are late and responses are read late: a part that took a fifth longer than it should does not count
 * against the store, up to 1 s in total.
 */
const PARTS = { count: 5, lateFactor: 1.2, maxMs: 1_000 };

/** How long a store that failed is not used: random, so that the processes of a fleet do not all return at the same time. */
const PAUSE_MS = { min: 30_000, max: 60_000 };

/** Why an operation failed. */
export interface StoreFailure {
  readonly operation: StoreOperation;
  readonly reason: "timeout" | "error";
  /** Printable, and without tokens. */
  readonly message: string;
  /** Until when the store is not used, in milliseconds since the epoch. */
  readonly openUntil: number;
}

interface GuardOptions {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/**
 * Keeps a slow or broken store from delaying a refresh: each operation ends after 250 ms, and after one
 * failure the store is not used for 30 to 60 s. Then one operation probes it.
 */
export class GuardedStore {
  readonly name: string;
  readonly #store: CredentialStore;
  readonly #options: GuardOptions;
  #openFrom = 0;
  #openUntil = 0;
  #isProbing = false;

  constructor(store: CredentialStore, options: GuardOptions) {
    this.name = storeName(store);
    this.#store = store;
    this.#options = options;
  }

  /** Until when the store is not used, in milliseconds since the epoch. */
  get openUntil(): number | undefined {
    const now = this.#options.clock.now();
    // If the pause begins in the future, the clock was set back since.
    return now >= this.#openFrom && now < this.#openUntil ? this.#openUntil : undefined;
  }

  /**
   * Returns the operation's result; `undefined` if it fails or the store is not used now. A failure is
   * passed to `onFailure`, and never thrown.
   *
   * @param late - called with a result that arrives after the limit.
   */
  async run<T>(
    operation: StoreOperation,
    act: (store: CredentialStore) => Promise<T>,
    { onFailure, late }: RunOptions<T>,
  ): Promise<T | undefined> {
    const { clock } = this.#options;
    if (this.openUntil !== undefined || this.#isProbing) return undefined;
    const isProbe = this.#openUntil > 0;
    this.#isProbing = isProbe;
    const reason = new Error(`no response in ${STORE_OPERATION_MS} ms`);
    // `async` turns a synchronous throw into a rejection.
    const running = (async () => act(this.#store))();
    const limit = new AbortController();
    const start = clock.monotonic();
    const about = () => ({ store: this.name, operation, ms: clock.monotonic() - start });
    const cancel = scheduleInParts(clock, () => limit.abort(reason));
    try {
      const result = await untilAborted(running, limit.signal);
      if (isProbe) this.#openUntil = 0;
      const isClaimed = operation === "claim" ? Boolean(result) : undefined;
      publishStoreOperation({ ...about(), outcome: "success", isClaimed });
      return result;
    } catch (error) {
      if (error === reason && late !== undefined) running.then(late, () => {});
      this.#open();
      const { message } = safeCause(error);
      const openUntil = this.#openUntil;
      const errorType = error === reason ? "timeout" : "error";
      publishStoreOperation({ ...about(), outcome: "failure", errorType });
      onFailure({ operation, reason: errorType, message, openUntil });
      return undefined;
    } finally {
      cancel();
      if (isProbe) this.#isProbing = false;
    }
  }

  #open(): void {
    const { clock, random } = this.#options;
    this.#openFrom = clock.now();
    const pauseMs = PAUSE_MS.min + random() * (PAUSE_MS.max - PAUSE_MS.min);
    // A whole number: events and `status()` show the time.
    this.#openUntil = this.#openFrom + Math.floor(pauseMs);
  }
}

function scheduleInParts(clock: Clock, callback: () => void): () => void {
  const partMs = STORE_OPERATION_MS / PARTS.count;
  const start = clock.monotonic();
  let left = PARTS.count;
  let cancel = () => {};
  const wait = () => {
    const begin = clock.monotonic();
    cancel = clock.schedule(partMs, () => {
      const now = clock.monotonic();
      if (now - begin < partMs * PARTS.lateFactor) left -= 1;
      if (left === 0 || now - start >= PARTS.maxMs) callback();
      else wait();
    });
  };
  wait();
  return () => cancel();
}

interface RunOptions<T> {
  readonly onFailure: (failure: StoreFailure) => void;
  readonly late?: ((result: T) => void) | undefined;
}

/** One guard for each store: all providers that use the store share what one of them learns. */
const guards = new WeakMap<CredentialStore, GuardedStore>();

export function guardOf(store: CredentialStore, options: GuardOptions): GuardedStore {
  const known = guards.get(store);
  if (known !== undefined) return known;
  const guard = new GuardedStore(store, options);
  guards.set(store, guard);
  return guard;
}
