/** What one signal's one listener calls. */
class Callbacks {
  readonly #signal: AbortSignal;
  readonly #callbacks = new Set<{ readonly call: () => void }>();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  add(callback: () => void): () => void {
    // An entry of its own: one function may be added twice.
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
 * Calls back when the signal aborts, through one listener however many wait for it: Node warns of a
 * leak at eleven, and one signal may end any number of calls. For a signal that has aborted already
 * it never calls.
 *
 * @returns removes the callback, and with the last one the listener.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const callbacks = bySignal.get(signal) ?? new Callbacks(signal);
  bySignal.set(signal, callbacks);
  return callbacks.add(callback);
}
