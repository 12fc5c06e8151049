import { startLimit, untilAborted } from "../runtime/abort.js";
import type { Clock } from "../runtime/clock.js";

/** One refresh, and all who wait for it. While anybody does, the process is kept alive. */
export class Flight<T> {
  readonly #landing: Promise<T>;
  readonly #clock: Clock;
  readonly #startedAt: number;
  #waiters = 0;
  #letGo: (() => void) | undefined;

  constructor(landing: Promise<T>, clock: Clock) {
    this.#landing = landing;
    this.#clock = clock;
    this.#startedAt = clock.monotonic();
    // In the background nobody waits for it, and a failure there is no unhandled rejection.
    landing.catch(() => {});
  }

  /** Settles as the refresh does. The waiter's signal ends this wait alone: the refresh goes on. */
  wait(signal: AbortSignal | undefined): Promise<T> {
    return this.#holding(signal ? untilAborted(this.#landing, signal) : this.#landing);
  }

  /**
   * The same, or `undefined` if the refresh takes longer than this, in milliseconds. It counts from
   * its start, so that a request that asks several times, as the SDK's do, is not held up each time.
   */
  async waitBriefly(signal: AbortSignal | undefined, patienceMs: number): Promise<T | undefined> {
    const leftMs = this.#startedAt + patienceMs - this.#clock.monotonic();
    if (leftMs <= 0) return undefined;
    const reason = new Error("the refresh takes longer");
    const caller = signal ?? new AbortController().signal;
    const limit = startLimit({ clock: this.#clock, signal: caller, timeoutMs: leftMs, reason });
    try {
      return await this.#holding(untilAborted(this.#landing, limit.signal));
    } catch (error) {
      if (error === reason) return undefined;
      throw error;
    } finally {
      limit.end();
    }
  }

  async #holding<R>(wait: Promise<R>): Promise<R> {
    this.#waiters += 1;
    this.#letGo ??= this.#clock.hold();
    try {
      return await wait;
    } finally {
      this.#waiters -= 1;
      if (this.#waiters === 0) {
        this.#letGo?.();
        this.#letGo = undefined;
      }
    }
  }
}
