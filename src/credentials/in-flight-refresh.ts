import { startLimit, untilAborted } from "../runtime/abort.js";
import type { Clock } from "../runtime/clock.js";

/**
 * The refresh in progress, which all callers share. It keeps the process alive only while at least one
 * caller waits for it.
 */
export class InFlightRefresh<T> {
  readonly #result: Promise<T>;
  readonly #clock: Clock;
  readonly #startedAt: number;
  #waiters = 0;
  #letProcessEnd: (() => void) | undefined;

  constructor(result: Promise<T>, clock: Clock) {
    this.#result = result;
    this.#clock = clock;
    this.#startedAt = clock.monotonic();
    // Without a waiter, a failure in the background must not become an unhandled rejection.
    result.catch(() => {});
  }

  /** Settles as the refresh does. The caller's signal ends only this wait: the refresh continues. */
  wait(signal: AbortSignal | undefined): Promise<T> {
    return this.#holdingProcess(signal ? untilAborted(this.#result, signal) : this.#result);
  }

  /**
   * Like `wait()`, but returns `undefined` when the refresh has taken `limitMs` milliseconds. The limit
   * counts from the start of the refresh, so that a client that calls several times for one request waits
   * only once.
   */
  async waitBriefly(signal: AbortSignal | undefined, limitMs: number): Promise<T | undefined> {
    const leftMs = this.#startedAt + limitMs - this.#clock.monotonic();
    if (leftMs <= 0) return undefined;
    const reason = new Error("the refresh takes longer");
    const limit = startLimit({ clock: this.#clock, signal, timeoutMs: leftMs, reason });
    try {
      return await this.#holdingProcess(untilAborted(this.#result, limit.signal));
    } catch (error) {
      if (error === reason) return undefined;
      throw error;
    } finally {
      limit.end();
    }
  }

  async #holdingProcess<R>(wait: Promise<R>): Promise<R> {
    this.#waiters += 1;
    this.#letProcessEnd ??= this.#clock.hold();
    try {
      return await wait;
    } finally {
      this.#waiters -= 1;
      if (this.#waiters === 0) {
        this.#letProcessEnd?.();
        this.#letProcessEnd = undefined;
      }
    }
  }
}
