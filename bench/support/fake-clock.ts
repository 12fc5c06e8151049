import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../../src/runtime/clock.js";

/** 2026-01-02T03:04:05Z: any moment will do, as long as no test depends on today. */
const START_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

interface Timer {
  readonly dueAt: number;
  readonly callback: () => void;
}

/** A clock that stands still until it is told to go on. */
export class FakeClock implements Clock {
  /** Every delay that was asked for, in milliseconds and in order. */
  readonly scheduled: number[] = [];
  #elapsed = 0;
  #wallStart: number;
  #holds = 0;
  /** In the order they were scheduled. */
  readonly #timers = new Set<Timer>();

  /** Absent until {@link FakeClock.withBootClock}: not every system says how long ago it booted. */
  sinceBoot: (() => number) | undefined;
  #suspended = 0;

  constructor(startMs = START_MS) {
    this.#wallStart = startMs;
  }

  /** The same clock, on a machine that says how long ago it booted: an hour, at the start. */
  withBootClock(): this {
    this.sinceBoot = () => 3_600_000 + this.#elapsed + this.#suspended;
    return this;
  }

  /** The machine is suspended: only `now` and `sinceBoot` go on. */
  suspend(ms: number): void {
    this.#wallStart += ms;
    this.#suspended += ms;
  }

  // Arrow functions: whoever takes a clock may take them off it, as one does with `Date.now`.
  readonly now = (): number => this.#wallStart + this.#elapsed;
  readonly monotonic = (): number => this.#elapsed;

  schedule(ms: number, callback: () => void): () => void {
    this.scheduled.push(ms);
    const timer = { dueAt: this.#elapsed + Math.max(0, ms), callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  hold(): () => void {
    let isHeld = true;
    this.#holds += 1;
    return () => {
      if (isHeld) this.#holds -= 1;
      isHeld = false;
    };
  }

  /** How many holds keep the process alive now. */
  get holds(): number {
    return this.#holds;
  }

  /** How many timers wait to fire. */
  get pending(): number {
    return this.#timers.size;
  }

  /**
   * Lets `ms` milliseconds pass: every timer due by then fires in its order, and what its callback
   * set off runs (promises, and one turn of the event loop) before the next one fires. Timers
   * scheduled on the way fire too, if they are due.
   */
  async advance(ms: number): Promise<void> {
    await this.advanceTo(this.#elapsed + ms);
  }

  /** The same up to a time of `monotonic()`: to the timer, where adding would round. */
  async advanceTo(target: number): Promise<void> {
    await this.flush();
    for (let timer = this.#nextBy(target); timer !== undefined; timer = this.#nextBy(target)) {
      this.#timers.delete(timer);
      this.#elapsed = Math.max(this.#elapsed, timer.dueAt);
      timer.callback();
      await this.flush();
    }
    this.#elapsed = Math.max(this.#elapsed, target);
    await this.flush();
  }

  /**
   * Lets time pass until `work` settles, timer by timer. For work that waits for this clock alone:
   * a timer does not wait for real I/O.
   */
  async run<T>(work: Promise<T>, limitMs = 24 * 3_600_000): Promise<T> {
    let isSettled = false;
    const mark = () => {
      isSettled = true;
    };
    work.then(mark, mark);
    const target = this.#elapsed + limitMs;
    await this.flush();
    while (!isSettled) {
      const next = this.#nextBy(target);
      if (next === undefined && this.#timers.size > 0) {
        throw new Error(`still at work after ${limitMs} ms of the fake clock`);
      }
      await this.advance(next === undefined ? 0 : Math.max(0, next.dueAt - this.#elapsed));
    }
    return work;
  }

  /** Runs whatever is ready without letting time pass. */
  async flush(): Promise<void> {
    // All promise callbacks have run before the next turn of the event loop begins.
    await nextTurn();
  }

  /** Someone sets the wall clock: `now` jumps, `monotonic` and timers do not notice. */
  setWallClock(ms: number): void {
    this.#wallStart = ms - this.#elapsed;
  }

  #nextBy(target: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueAt <= target && (next === undefined || timer.dueAt < next.dueAt)) next = timer;
    }
    return next;
  }
}
