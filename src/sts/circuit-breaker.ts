import type { Clock } from "../runtime/clock.js";

/**
 * How long the circuit of a region that failed stays open, in milliseconds: uniform, so that the
 * processes of a fleet do not come back at the same time.
 */
const OPEN_MS = { min: 30_000, max: 60_000 };

/**
 * A region counts as failed when hedged requests to other regions got the first response this often in a
 * row, and it was silent for this long in total. Either limit alone is not enough: one call may be
 * slow by chance, and the hedge delay may be shorter than the usual response time of the region.
 */
const MAX_OUTPACED = { count: 3, silentMs: 1_000 };

/** Times are of `Clock.monotonic()`: setting the wall clock changes no state. */
type State =
  /** The region is called. */
  | { readonly value: "closed" }
  /** The region failed at `since`, and is not called before `until`. */
  | { readonly value: "open"; readonly since: number; readonly until: number }
  /** One call probes the region. If it has no outcome by `until`, another call probes the region. */
  | { readonly value: "half-open"; readonly since: number; readonly until: number };

const CLOSED: State = { value: "closed" };

/** What a caller may use the region for: any call, or a probe that shows whether it has recovered. */
export type Permission = "call" | "probe";

/**
 * Remembers that a region failed, so that its silence costs one timeout in total and not one for each
 * refresh. When the circuit has been open for long enough, one caller probes the region, and the
 * others call another region until the outcome is known.
 */
export class CircuitBreaker {
  #state: State = CLOSED;
  /** Since the last response of the region. */
  #outpaced = { count: 0, silentMs: 0 };
  readonly #clock: Clock;
  readonly #random: () => number;

  /** @param random - uniform in [0, 1). */
  constructor(clock: Clock, random: () => number) {
    this.#clock = clock;
    this.#random = random;
  }

  /**
   * Permits a call to the region; `undefined` while callers should call another one. The first caller
   * after the pause probes the region, and must report the outcome.
   */
  permit(): Permission | undefined {
    if (this.#state.value === "closed") return "call";
    if (this.openForMs > 0) return undefined;
    this.#state = { value: "half-open", ...this.#pause() };
    return "probe";
  }

  /** The region responded. */
  succeeded(): void {
    this.#outpaced = { count: 0, silentMs: 0 };
    this.#state = CLOSED;
  }

  /** The region did not respond, or what responded was not STS. */
  failed(): void {
    this.#state = { value: "open", ...this.#pause() };
  }

  /** The probe ended without an outcome: the next caller probes the region. */
  abandoned(): void {
    if (this.#state.value !== "half-open") return;
    this.#state = { ...this.#state, value: "open", until: this.#clock.monotonic() };
  }

  /** A hedged request to another region got the first response, after this region was silent for `silentMs`. */
  outpaced(silentMs: number): void {
    this.#outpaced.count += 1;
    this.#outpaced.silentMs += silentMs;
    const { count, silentMs: total } = this.#outpaced;
    if (count >= MAX_OUTPACED.count && total >= MAX_OUTPACED.silentMs) this.failed();
  }

  /** Whether the region failed after that time of `Clock.monotonic()`, and its circuit is still open. */
  failedSince(time: number): boolean {
    return this.#state.value !== "closed" && this.#state.since > time && this.openForMs > 0;
  }

  /** For how long callers should call another region, in milliseconds; 0 when this one may be called. */
  get openForMs(): number {
    if (this.#state.value === "closed") return 0;
    return Math.max(0, this.#state.until - this.#clock.monotonic());
  }

  #pause(): { readonly since: number; readonly until: number } {
    const since = this.#clock.monotonic();
    return { since, until: since + OPEN_MS.min + this.#random() * (OPEN_MS.max - OPEN_MS.min) };
  }
}
