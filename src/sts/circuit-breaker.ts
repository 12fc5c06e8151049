/** How long a region that failed is left alone: uniform, so that a fleet does not come back at once. */
const PAUSE_MS = { min: 30_000, max: 60_000 };

/**
 * A region that lost so many hedges in a row, and kept its callers waiting for so long in all, rests
 * as one that failed. Neither alone will do: one call may be slow by chance, and a hedge may be
 * shorter than a region takes when all is well.
 */
const MAX_LOSSES = { count: 3, silentMs: 1_000 };

/**
 * Remembers that a region did not answer, so that it costs one timeout and not one for each refresh.
 * After the pause one caller tries it; the others wait for how that ends.
 */
export class CircuitBreaker {
  #openFrom = Number.NEGATIVE_INFINITY;
  #openUntil = Number.NEGATIVE_INFINITY;
  /** Whether it rests for the outcome of a trial, and not for a failure. */
  #isTried = false;
  /** Since the last answer. */
  #losses = { count: 0, silentMs: 0 };

  constructor(private readonly random: () => number) {}

  /** Whether the region is worth asking. A caller that is let in after the pause is the trial. */
  admits(now: number): boolean {
    if (this.#openUntil === Number.NEGATIVE_INFINITY) return true;
    if (this.openUntil(now) !== undefined) return false;
    this.failed(now);
    this.#isTried = true;
    return true;
  }

  /** The trial was given up before it told anything: the next caller is another one. */
  triedInVain(now: number): void {
    if (this.#isTried) this.#openUntil = now;
    this.#isTried = false;
  }

  failed(now: number): void {
    this.#isTried = false;
    this.#openFrom = now;
    // A whole number: the time is told.
    this.#openUntil =
      now + Math.floor(PAUSE_MS.min + this.random() * (PAUSE_MS.max - PAUSE_MS.min));
  }

  /** Another region, asked later, answered sooner; this one had been silent for so long. */
  lost(now: number, silentMs: number): void {
    this.#losses.count += 1;
    this.#losses.silentMs += silentMs;
    const { count, silentMs: total } = this.#losses;
    if (count >= MAX_LOSSES.count && total >= MAX_LOSSES.silentMs) this.failed(now);
  }

  succeeded(): void {
    this.#losses = { count: 0, silentMs: 0 };
    this.#openUntil = Number.NEGATIVE_INFINITY;
    this.#isTried = false;
  }

  /** Whether the region has failed after that time, and is left alone for it. */
  failedSince(time: number, now: number): boolean {
    return this.#openFrom > time && this.openUntil(now) !== undefined;
  }

  /** Until when the region is left alone; `undefined` while it is in use. */
  openUntil(now: number): number | undefined {
    // A rest that has yet to begin is one from before the clock was set back.
    return now >= this.#openFrom && now < this.#openUntil ? this.#openUntil : undefined;
  }
}
