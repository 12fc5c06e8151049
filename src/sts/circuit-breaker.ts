/** How long a region that failed is left alone: uniform, so that a fleet does not come back at once. */
const PAUSE_MS = { min: 30_000, max: 60_000 };

/**
 * Remembers that a region did not answer, so that it costs one timeout and not one for each refresh.
 * After the pause one caller tries it; the others wait for how that ends.
 */
export class CircuitBreaker {
  #openFrom = Number.NEGATIVE_INFINITY;
  #openUntil = Number.NEGATIVE_INFINITY;

  constructor(private readonly random: () => number) {}

  /** Whether the region is worth asking. A caller that is let in after the pause is the trial. */
  admits(now: number): boolean {
    if (this.#openUntil === Number.NEGATIVE_INFINITY) return true;
    if (this.openUntil(now) !== undefined) return false;
    this.failed(now);
    return true;
  }

  failed(now: number): void {
    this.#openFrom = now;
    this.#openUntil = now + PAUSE_MS.min + this.random() * (PAUSE_MS.max - PAUSE_MS.min);
  }

  succeeded(): void {
    this.#openUntil = Number.NEGATIVE_INFINITY;
  }

  /** Until when the region is left alone; `undefined` while it is in use. */
  openUntil(now: number): number | undefined {
    // A rest that has yet to begin is one from before the clock was set back.
    return now >= this.#openFrom && now < this.#openUntil ? this.#openUntil : undefined;
  }
}
