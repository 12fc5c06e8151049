import { untilAborted } from "../runtime/abort.js";
import type { Clock } from "../runtime/clock.js";

/*
 * Calls to one endpoint at the same time: at most a fixed number of them, and equal ones only once.
 */

/** Runs at most `limit` pieces of work at a time, in the order of arrival. */
export class ConcurrencyLimit {
  #running = 0;
  readonly #waiting = new Set<() => void>();

  constructor(private readonly limit: number) {}

  /** Runs `work` when the queue reaches it. A waiter whose signal aborts leaves the queue. */
  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await this.#acquire(signal);
    try {
      return await work();
    } finally {
      this.#release();
    }
  }

  async #acquire(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#running < this.limit) {
      this.#running += 1;
      return;
    }
    let start = () => {};
    const started = new Promise<void>((resolve) => {
      start = resolve;
    });
    this.#waiting.add(start);
    try {
      await untilAborted(started, signal);
    } catch (error) {
      // The queue started this call at the moment of its abort: the next one starts instead.
      if (!this.#waiting.delete(start)) this.#release();
      throw error;
    }
  }

  #release(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#running -= 1;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}

/** After this time without a response, in milliseconds, a later caller makes a new call instead of joining. */
const JOIN_WITHIN_MS = 1_000;

interface SharedCall<T> {
  readonly result: Promise<T>;
  readonly abort: AbortController;
  readonly startedAt: number;
  callers: number;
  isSettled: boolean;
}

/** Calls in progress. Equal calls are made once, and every caller that waits gets the response. */
export class SharedCalls<T> {
  readonly #calls = new Map<string, SharedCall<T>>();

  constructor(private readonly clock: Clock) {}

  /**
   * Waits for the call with this name, and makes it if there is none.
   *
   * @param signal - ends this caller's wait; the call ends with the last caller's.
   */
  async join(
    name: string,
    signal: AbortSignal,
    make: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const call = this.#joinable(name) ?? this.#start(name, make);
    call.callers += 1;
    try {
      return await untilAborted(call.result, signal);
    } finally {
      call.callers -= 1;
      if (call.callers === 0 && !call.isSettled) this.#end(name, call, signal.reason);
    }
  }

  #joinable(name: string): SharedCall<T> | undefined {
    const call = this.#calls.get(name);
    const isRecent = call !== undefined && this.clock.monotonic() - call.startedAt < JOIN_WITHIN_MS;
    return isRecent ? call : undefined;
  }

  #start(name: string, make: (signal: AbortSignal) => Promise<T>): SharedCall<T> {
    const abort = new AbortController();
    const run = async () => {
      try {
        return await make(abort.signal);
      } finally {
        call.isSettled = true;
        this.#forget(name, call);
      }
    };
    const call: SharedCall<T> = {
      // In a later microtask, because `run` uses `call` even if it fails immediately.
      result: Promise.resolve().then(run),
      abort,
      startedAt: this.clock.monotonic(),
      callers: 0,
      isSettled: false,
    };
    this.#calls.set(name, call);
    return call;
  }

  #end(name: string, call: SharedCall<T>, reason: unknown): void {
    this.#forget(name, call);
    call.abort.abort(reason);
  }

  /** A newer call may have the same name. */
  #forget(name: string, call: SharedCall<T>): void {
    if (this.#calls.get(name) === call) this.#calls.delete(name);
  }
}
