import type { Clock } from "./clock.js";
import { onAbort } from "./on-abort.js";

interface Waiter {
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;
}

/** Those who wait for a promise. What `then` is given stays with it until it settles; a set lets go. */
const waitersOf = new WeakMap<Promise<unknown>, Set<Waiter>>();

/**
 * Settles as `work` does, or rejects with the signal's reason if that comes first. A wait that was
 * aborted leaves nothing behind, neither on the signal nor on the work.
 */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const waiters = waitersOf.get(work) ?? gatherWaiters(work);
  if (signal.aborted) return Promise.reject(signal.reason);
  return new Promise<unknown>((resolve, reject) => {
    const ignoreSignal = onAbort(signal, () => {
      waiters.delete(waiter);
      reject(signal.reason);
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

/** What a signal may end. */
interface Closable {
  close(reason: unknown): void;
}

/** Takes a collected owner off its signal. */
const collected = new FinalizationRegistry<() => void>((remove) => remove());

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
  const remove = onAbort(signal, () => ref.deref()?.close(signal.reason));
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
  if (signal.aborted) controller.abort(signal.reason);
  const ignoreSignal = onAbort(signal, () => controller.abort(signal.reason));
  const cancel = clock.schedule(timeoutMs, () => controller.abort(reason));
  return {
    signal: controller.signal,
    end() {
      cancel();
      ignoreSignal();
    },
  };
}
