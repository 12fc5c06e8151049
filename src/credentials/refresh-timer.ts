import type { Clock } from "../runtime/clock.js";

/**
 * The longest single wait. A machine that slept, or whose clock was set, is late by no more than
 * this, since timers count the time it was awake.
 */
const MAX_WAIT_MS = 300_000;

interface Refreshable {
  /** Called when the time has come. */
  onTimer(): void;
}

/**
 * Starts a refresh at a time on the wall clock, whether or not anybody calls. It keeps neither the
 * process nor the cache alive: one that its owner dropped is collected, and its timer ends.
 */
export class RefreshTimer {
  readonly #clock: Clock;
  readonly #owner: WeakRef<Refreshable>;
  #cancel = () => {};

  constructor(clock: Clock, owner: Refreshable) {
    this.#clock = clock;
    this.#owner = new WeakRef(owner);
  }

  /** Sets how long from now, in milliseconds; the time set before is forgotten. */
  set(inMs: number): void {
    this.#cancel();
    if (!Number.isFinite(inMs)) return;
    this.#wait(this.#clock.now() + inMs, this.#clock.monotonic() + inMs);
  }

  /**
   * Waits until either clock says that the time has come: a wall clock that is set back would put it
   * off, and the other one stands still while a machine sleeps.
   */
  #wait(at: number, monotonicAt: number): void {
    const left = () => Math.min(at - this.#clock.now(), monotonicAt - this.#clock.monotonic());
    this.#cancel = this.#clock.schedule(Math.min(Math.max(0, left()), MAX_WAIT_MS), () => {
      const owner = this.#owner.deref();
      if (owner === undefined) return;
      if (left() > 0) this.#wait(at, monotonicAt);
      else owner.onTimer();
    });
  }

  clear(): void {
    this.#cancel();
  }
}
