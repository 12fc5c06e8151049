import type { Clock } from "./clock.js";
import { onAbort } from "./on-abort.js";

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
  /** The reason of the rejection, and of the work's signal, when the time is up. */
  readonly reason: Error;
}

/**
 * Runs `work` with a signal that aborts with the caller's or when the time is up. The result settles by
 * then, even if the work ignores the signal. Unlike `AbortSignal.any`, it leaves no listener on a signal
 * that lives as long as the process.
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
  /** Ends the limit: the signal no longer aborts, and no timer or listener remains. */
  end(): void;
}

/** Starts a limit: its signal aborts with the caller's or when the time is up, unless the limit ends first. */
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
