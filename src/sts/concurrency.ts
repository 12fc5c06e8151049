import { untilAborted } from "../runtime/abort.js";

/** At most `limit` pieces of work at a time, first come, first served. */
export class ConcurrencyLimit {
  #running = 0;
  readonly #waiting = new Set<() => void>();

  constructor(private readonly limit: number) {}

  /** Runs `work` once there is room; a waiter whose signal aborts leaves the queue. */
  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await this.#enter(signal);
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  async #enter(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#running < this.limit) {
      this.#running += 1;
      return;
    }
    let admit = () => {};
    const turn = new Promise<void>((resolve) => {
      admit = resolve;
    });
    this.#waiting.add(admit);
    try {
      await untilAborted(turn, signal);
    } catch (error) {
      // Admitted and aborted in the same breath: the place goes to the next one.
      if (!this.#waiting.delete(admit)) this.#leave();
      throw error;
    }
  }

  #leave(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#running -= 1;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
