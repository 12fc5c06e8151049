import type { Clock } from "./clock.js";

/** Settles as `work` does, or rejects with the signal's reason if that comes first. */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      work.catch(() => {});
      reject(signal.reason);
      return;
    }
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/** What a signal may end. */
interface Closable {
  close(reason: unknown): void;
}

/** Takes a collected owner off its signal. */
const collected = new FinalizationRegistry<() => void>((remove) => remove());

/** What closes the owners of one signal: its one listener, since Node warns of a leak at eleven. */
const closers = new WeakMap<AbortSignal, Closer>();

class Closer {
  readonly #owners = new Set<WeakRef<Closable>>();
  readonly #signal: AbortSignal;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener("abort", this.#onAbort, { once: true });
    closers.set(signal, this);
  }

  readonly #onAbort = () => {
    for (const owner of this.#owners) owner.deref()?.close(this.#signal.reason);
  };

  add(owner: WeakRef<Closable>): void {
    this.#owners.add(owner);
  }

  remove(owner: WeakRef<Closable>): void {
    const wasLast = this.#owners.delete(owner) && this.#owners.size === 0;
    if (!wasLast) return;
    this.#signal.removeEventListener("abort", this.#onAbort);
    closers.delete(this.#signal);
  }
}

/**
 * Closes the owner with the signal's reason when it aborts. The signal may live as long as the
 * process, and end any number of owners: it does not keep one alive that everybody else has dropped.
 *
 * @returns takes the owner off.
 */
export function closeOnAbort(signal: AbortSignal, owner: Closable): () => void {
  if (signal.aborted) {
    owner.close(signal.reason);
    return () => {};
  }
  const ref = new WeakRef(owner);
  const closer = closers.get(signal) ?? new Closer(signal);
  closer.add(ref);
  const remove = () => closer.remove(ref);
  collected.register(owner, remove);
  return remove;
}

interface TimeoutOptions {
  readonly clock: Clock;
  /** The caller's own signal. */
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  /** What the promise rejects with, and the work's signal aborts with, when time is up. */
  readonly reason: Error;
}

/**
 * Runs `work` with a signal that aborts with the caller's or when the time is up, and settles then
 * at the latest, whether or not the work heeds it. Unlike `AbortSignal.any`, it leaves nothing
 * behind on a signal that lives as long as the process.
 */
export async function withTimeout<T>(
  options: TimeoutOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  options.signal.throwIfAborted();
  const limit = startLimit(options);
  try {
    // `async` turns a synchronous throw into a rejection.
    const running = (async () => work(limit.signal))();
    return await untilAborted(running, limit.signal);
  } finally {
    limit.end();
  }
}

interface Limit {
  readonly signal: AbortSignal;
  /** From here on the signal does not abort, and nothing is left behind. */
  end(): void;
}

/** A signal that aborts with the caller's or when the time is up, unless it is ended before. */
export function startLimit({ clock, signal, timeoutMs, reason }: TimeoutOptions): Limit {
  const controller = new AbortController();
  const onAbort = () => controller.abort(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  const cancel = clock.schedule(timeoutMs, () => controller.abort(reason));
  return {
    signal: controller.signal,
    end() {
      cancel();
      signal.removeEventListener("abort", onAbort);
    },
  };
}
