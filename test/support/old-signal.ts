/**
 * An `AbortController` as older libraries have it (`abort-controller` on npm): its signal has neither
 * `throwIfAborted` nor a reason.
 */
export class OldController {
  readonly #callbacks = new Set<() => void>();
  readonly #members = {
    aborted: false,
    addEventListener: (_: string, callback: () => void) => this.#callbacks.add(callback),
    removeEventListener: (_: string, callback: () => void) => this.#callbacks.delete(callback),
  };

  readonly signal = this.#members as unknown as AbortSignal;

  /** How many listeners the signal has. */
  get listeners(): number {
    return this.#callbacks.size;
  }

  abort(): void {
    this.#members.aborted = true;
    for (const callback of this.#callbacks) callback();
  }
}
