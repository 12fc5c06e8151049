import { untilAborted } from "../abort.js";
import { type Clock, sleep } from "../clock.js";

/** One refresh, and all who wait for it. While anybody does, the process is kept alive. */
export class Flight<T> {
  readonly #landing: Promise<T>;
  readonly #clock: Clock;
  #waiters = 0;
  #letGo: (() => void) | undefined;

  constructor(landing: Promise<T>, clock: Clock) {
    this.#landing = landing;
    this.#clock = clock;
    // In the background nobody waits for it, and a failure there is no unhandled rejection.
    landing.catch(() => {});
  }

  /**
   * Settles as the refresh does. The waiter's signal ends this wait alone, and so does its patience
   * (in milliseconds): the refresh goes on.
   */
  async wait(signal: AbortSignal | undefined, patienceMs: number): Promise<T> {
    this.#waiters += 1;
    this.#letGo ??= this.#clock.hold();
    const enough = new AbortController();
    try {
      const landed = signal === undefined ? this.#landing : untilAborted(this.#landing, signal);
      if (patienceMs === Number.POSITIVE_INFINITY) return await landed;
      const tired = sleep(this.#clock, patienceMs, enough.signal).then(() => {
        throw new Error("the refresh takes longer than a caller should wait");
      });
      return await Promise.race([landed, tired]);
    } finally {
      enough.abort();
      this.#waiters -= 1;
      if (this.#waiters === 0) {
        this.#letGo?.();
        this.#letGo = undefined;
      }
    }
  }
}
