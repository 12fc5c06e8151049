import type { Clock } from "./clock.js";

/*
 * Waits that end with an AbortSignal or a time limit. A caller's signal may live as long as the process:
 * when a wait ends, no listener of it remains there. `AbortSignal.any` and `AbortSignal.timeout` do not
 * promise that, and a fake clock does not control them.
 */

/**
 * Throws the signal's reason if it has aborted. A caller's signal may be of an older library, whose signals
 * have neither `throwIfAborted` nor a reason.
 */
export function throwIfAborted(signal: AbortSignal | null | undefined): void {
  if (signal?.aborted) throw reasonOf(signal);
}

/** The signal's reason; of a signal without one, the reason that `abort()` sets by itself. */
function reasonOf({ reason }: AbortSignal): unknown {
  return reason === undefined
    ? new DOMException("This operation was aborted", "AbortError")
    : reason;
}

/** The callbacks of one signal, which share one listener. */
class Callbacks {
  readonly #signal: AbortSignal;
  readonly #callbacks = new Set<{ readonly call: () => void }>();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  add(callback: () => void): () => void {
    // Each call gets its own entry: one function may be added twice.
    const entry = { call: callback };
    this.#callbacks.add(entry);
    return () => this.#remove(entry);
  }

  #remove(entry: { readonly call: () => void }): void {
    const wasLast = this.#callbacks.delete(entry) && this.#callbacks.size === 0;
    if (!wasLast) return;
    this.#signal.removeEventListener("abort", this.#onAbort);
    if (bySignal.get(this.#signal) === this) bySignal.delete(this.#signal);
  }

  readonly #onAbort = () => {
    for (const { call } of this.#callbacks) call();
  };
}

const bySignal = new WeakMap<AbortSignal, Callbacks>();

/**
 * Calls back when the signal aborts. All callbacks of a signal share one listener: Node warns of a leak at
 * eleven, and one signal may end any number of calls. Never calls back for a signal that has already aborted.
 *
 * @returns a function that removes the callback, and with the last callback the listener.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const callbacks = bySignal.get(signal) ?? new Callbacks(signal);
  bySignal.set(signal, callbacks);
  return callbacks.add(callback);
}

interface Waiter {
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;
}

/** The waiters for each promise. A callback passed to `then` stays until the promise settles; a set can remove it. */
const waitersOf = new WeakMap<Promise<unknown>, Set<Waiter>>();

/**
 * Settles as `work` does, or rejects with the signal's reason if the signal aborts first. An aborted wait
 * leaves no callback on the signal or on the work.
 */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const waiters = waitersOf.get(work) ?? gatherWaiters(work);
  if (signal.aborted) return Promise.reject(reasonOf(signal));
  return new Promise<unknown>((resolve, reject) => {
    const ignoreSignal = onAbort(signal, () => {
      waiters.delete(waiter);
      reject(reasonOf(signal));
    });
    const waiter: Waiter = {
      resolve(value) {
        ignoreSignal();
        resolve(value);
      },
      reject(reason) {
        ignoreSignal();
        reject(reason);
      },
    };
    waiters.add(waiter);
  }) as Promise<T>;
}

function gatherWaiters(work: Promise<unknown>): Set<Waiter> {
  const waiters = new Set<Waiter>();
  waitersOf.set(work, waiters);
  work.then(
    (value) => {
      waitersOf.delete(work);
      for (const { resolve } of waiters) resolve(value);
    },
    (reason: unknown) => {
      waitersOf.delete(work);
      for (const { reject } of waiters) reject(reason);
    },
  );
  return waiters;
}

/** An object that a signal can close. */
interface Closable {
  close(reason: unknown): void;
}

/** Removes the listener of an owner that was garbage-collected. */
const collected = new FinalizationRegistry<() => void>((remove) => remove());

/**
 * Closes the owner with the signal's reason when the signal aborts. The signal may live as long as the
 * process and have any number of owners: it keeps none of them from being garbage-collected.
 *
 * @returns a function that removes the owner.
 */
export function closeOnAbort(signal: AbortSignal, owner: Closable): () => void {
  if (signal.aborted) {
    owner.close(reasonOf(signal));
    return () => {};
  }
  const ref = new WeakRef(owner);
  const remove = onAbort(signal, () => ref.deref()?.close(reasonOf(signal)));
  collected.register(owner, remove);
  return remove;
}

interface TimeoutOptions {
  readonly clock: Clock;
  /** The caller's own signal. Without one, only the time limit ends the work. */
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs: number;
  /** The reason of the rejection, and of the work's signal, when the time is up. */
  readonly reason: Error;
}

/**
 * Runs `work` with a signal that aborts with the caller's or when the time is up. The result settles by
 * then, even if the work ignores the signal.
 */
export async function withTimeout<T>(
  options: TimeoutOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  throwIfAborted(options.signal);
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
  /** Ends the limit: the signal no longer aborts, and no timer or listener remains. */
  end(): void;
}

/** Starts a limit: its signal aborts with the caller's or when the time is up, unless the limit ends first. */
export function startLimit({ clock, signal, timeoutMs, reason }: TimeoutOptions): Limit {
  const { controller, unlink } = linkedController(signal);
  const cancel = clock.schedule(timeoutMs, () => controller.abort(reason));
  return {
    signal: controller.signal,
    end() {
      cancel();
      unlink();
    },
  };
}

interface LinkedController {
  readonly controller: AbortController;
  /** Ends the link: the controller no longer aborts with the signal, and no listener remains there. */
  unlink(): void;
}

/** A new controller that aborts with the signal, if there is one, and with the signal's reason. */
export function linkedController(signal: AbortSignal | undefined): LinkedController {
  const controller = new AbortController();
  // A caller in JavaScript may pass null.
  if (!signal) return { controller, unlink: () => {} };
  if (signal.aborted) controller.abort(reasonOf(signal));
  const unlink = onAbort(signal, () => controller.abort(reasonOf(signal)));
  return { controller, unlink };
}

/** Waits `ms` milliseconds; rejects with the signal's reason as soon as it aborts. */
export function sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(reasonOf(signal));
      return;
    }
    const cancel = clock.schedule(ms, () => {
      ignoreSignal();
      resolve();
    });
    const ignoreSignal = onAbort(signal, () => {
      cancel();
      reject(reasonOf(signal));
    });
  });
}
