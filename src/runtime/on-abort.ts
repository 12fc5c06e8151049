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
