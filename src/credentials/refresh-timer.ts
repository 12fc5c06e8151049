import type { Clock } from "../clock.js";

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

  /** Sets the time, in milliseconds since the epoch; the one set before is forgotten. */
  set(at: number): void {
    this.#cancel();
    if (!Number.isFinite(at)) return;
    const wait = Math.max(0, at - this.#clock.now());
    this.#cancel = this.#clock.schedule(Math.min(wait, MAX_WAIT_MS), () => {
      const owner = this.#owner.deref();
      if (owner === undefined) return;
      if (this.#clock.now() < at) this.set(at);
      else owner.onTimer();
    });
  }

  clear(): void {
    this.#cancel();
  }
}
