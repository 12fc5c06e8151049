import type { Clock } from "./clock.js";

/** The one deadline of a refresh: over attempts, waits, regions and token reads. */
export interface Deadline {
  /** The time that is left, in milliseconds; never negative. */
  remainingMs(): number;
}

export function startDeadline(clock: Clock, budgetMs: number): Deadline {
  const end = clock.monotonic() + budgetMs;
  return { remainingMs: () => Math.max(0, end - clock.monotonic()) };
}
