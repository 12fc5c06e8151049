/** Uniform bounds of the pause after a failed refresh, as the other AWS SDKs have it since 2026. */
const PAUSE_MS = { min: 300_000, max: 600_000 };

/** However little remains, the source is not asked without a break. */
const MIN_PAUSE_MS = 1_000;

/**
 * How long the source is left alone after a failed refresh while credentials with `remainingMs` of
 * life are cached. Half of what remains at most, so that the next try comes before they expire.
 */
export function pauseAfterFailure(remainingMs: number, random: () => number): number {
  const pause = PAUSE_MS.min + random() * (PAUSE_MS.max - PAUSE_MS.min);
  // A whole number: the time it ends at is told.
  return Math.max(MIN_PAUSE_MS, Math.floor(Math.min(pause, remainingMs / 2)));
}

/**
 * A time range in which no refresh starts by itself, or a refusal counts. By the monotonic clock: set
 * by the wall clock, a pause would last as long as that is wrong.
 */
export interface Gate {
  /** In milliseconds of `Clock.monotonic()`. */
  readonly until: number;
}

/** How long a refusal is remembered while nothing is cached, in whole milliseconds: 1 to 5 s. */
export function refusalMemory(random: () => number): number {
  return Math.floor(1_000 + random() * 4_000);
}
