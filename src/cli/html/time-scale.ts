const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** What people count in, in milliseconds. */
const STEPS: readonly number[] = [
  ...[0.1, 0.2, 0.5, 1, 2, 5, 10, 30].map((each) => each * SECOND),
  ...[1, 2, 5, 10, 20, 30].map((each) => each * MINUTE),
  ...[1, 2, 3, 6, 12].map((each) => each * HOUR),
  ...[1, 2, 5, 10, 30, 60, 180, 365, 730].map((each) => each * DAY),
];

/** The narrowest screen has room for these. */
const MAX_TICKS = 6;

/** From a time to a place in the picture, as a share of its width: it fits every screen. */
export class TimeScale {
  constructor(
    readonly fromMs: number,
    readonly toMs: number,
  ) {}

  /** The place of a time, at the edge when it lies outside. */
  x(ms: number): string {
    return `${(this.#share(ms) * 100).toFixed(3)}%`;
  }

  /** The width of a span, as far as it is inside. */
  width(fromMs: number, toMs: number): string {
    return `${(Math.max(0, this.#share(toMs) - this.#share(fromMs)) * 100).toFixed(3)}%`;
  }

  holds(ms: number): boolean {
    return ms >= this.fromMs && ms <= this.toMs;
  }

  /** Round distances from zero, few enough to be read. */
  ticks(): number[] {
    const { fromMs, toMs } = this;
    const rough = (toMs - fromMs) / MAX_TICKS;
    const step = STEPS.find((each) => each >= rough) ?? Math.ceil(rough / DAY) * DAY;
    const first = Math.ceil(fromMs / step);
    const last = Math.floor(toMs / step);
    return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
  }

  #share(ms: number): number {
    return Math.min(1, Math.max(0, (ms - this.fromMs) / (this.toMs - this.fromMs)));
  }
}
