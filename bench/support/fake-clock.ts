import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../../src/runtime/clock.js";

/** 2026-01-02T03:04:05Z: an arbitrary moment, so that no test depends on today. */
const START_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

interface Timer {
  readonly dueAt: number;
  /** Of two timers that are due at the same time, the one that was scheduled first fires first. */
  readonly order: number;
  readonly callback: () => void;
  /** It has fired, or was cancelled. */
  isOver: boolean;
}

/** The next timer of many: a binary heap, because a simulated fleet has tens of thousands. */
class TimerQueue {
  readonly #heap: Timer[] = [];
  #cancelled = 0;
  #added = 0;

  get size(): number {
    return this.#heap.length - this.#cancelled;
  }

  /** @returns a function that cancels the timer. */
  add(dueAt: number, callback: () => void): () => void {
    this.#added += 1;
    const timer = { dueAt, order: this.#added, callback, isOver: false };
    this.#heap.push(timer);
    this.#rise(this.#heap.length - 1);
    return () => {
      if (timer.isOver) return;
      timer.isOver = true;
      this.#cancelled += 1;
    };
  }

  /** When the next timer is due; `undefined` without one. */
  get nextAt(): number | undefined {
    for (let [first] = this.#heap; first !== undefined; [first] = this.#heap) {
      if (!first.isOver) return first.dueAt;
      this.#cancelled -= 1;
      this.#removeFirst();
    }
    return undefined;
  }

  /** Removes and returns the next timer, if it is due by then. */
  takeBy(target: number): Timer | undefined {
    const at = this.nextAt;
    if (at === undefined || at > target) return undefined;
    const first = this.#heap[0] as Timer;
    first.isOver = true;
    this.#removeFirst();
    return first;
  }

  #removeFirst(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#sink();
  }

  #rise(from: number): void {
    for (let at = from; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (!this.#isBefore(at, parent)) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #sink(): void {
    for (let at = 0; ; ) {
      const left = 2 * at + 1;
      const child =
        left + 1 < this.#heap.length && this.#isBefore(left + 1, left) ? left + 1 : left;
      if (child >= this.#heap.length || !this.#isBefore(child, at)) return;
      this.#swap(at, child);
      at = child;
    }
  }

  #isBefore(one: number, other: number): boolean {
    const [a, b] = [this.#heap[one] as Timer, this.#heap[other] as Timer];
    return a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.order < b.order);
  }

  #swap(one: number, other: number): void {
    const timer = this.#heap[one] as Timer;
    this.#heap[one] = this.#heap[other] as Timer;
    this.#heap[other] = timer;
  }
}

/** A clock that advances only when a test advances it. */
export class FakeClock implements Clock {
  /** Every requested delay, in milliseconds and in order. */
  readonly scheduled: number[] = [];
  #elapsed = 0;
  #wallStart: number;
  #holds = 0;
  readonly #timers = new TimerQueue();

  /** Absent until {@link FakeClock.withBootClock}: not every system reports the time since boot. */
  sinceBoot: (() => number) | undefined;
  #suspended = 0;

  constructor(startMs = START_MS) {
    this.#wallStart = startMs;
  }

  /** The same clock, on a machine that reports the time since boot: one hour at the start. */
  withBootClock(): this {
    this.sinceBoot = () => 3_600_000 + this.#elapsed + this.#suspended;
    return this;
  }

  /** The machine is suspended: only `now` and `sinceBoot` advance. */
  suspend(ms: number): void {
    this.#wallStart += ms;
    this.#suspended += ms;
  }

  // Arrow functions, so that a user of the clock may detach them, as with `Date.now`.
  readonly now = (): number => this.#wallStart + this.#elapsed;
  readonly monotonic = (): number => this.#elapsed;

  schedule(ms: number, callback: () => void): () => void {
    this.scheduled.push(ms);
    return this.#timers.add(this.#elapsed + Math.max(0, ms), callback);
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
    for (;;) {
      const timer = this.#timers.takeBy(target);
      if (timer === undefined) break;
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
      const nextAt = this.#timers.nextAt ?? this.#elapsed;
      if (nextAt > target) {
        throw new Error(`not finished after ${limitMs} ms of the fake clock`);
      }
      await this.advanceTo(Math.max(this.#elapsed, nextAt));
    }
    return work;
  }

  /** Runs whatever is ready without letting time pass. */
  async flush(): Promise<void> {
    // All promise callbacks have run before the next turn of the event loop begins.
    await nextTurn();
  }

  /** Sets the wall clock: `now` jumps, `monotonic` and timers are unaffected. */
  setWallClock(ms: number): void {
    this.#wallStart = ms - this.#elapsed;
  }
}
