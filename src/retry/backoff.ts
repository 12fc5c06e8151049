/** How waits between attempts grow. */
export interface BackoffOptions {
  /** Upper bound of the first wait, in milliseconds. */
  readonly baseDelayMs: number;
  /** Upper bound of every wait, in milliseconds. */
  readonly maxDelayMs: number;
}

/**
 * Full jitter: a uniformly random wait between 0 and the exponential bound, so that clients that
 * failed together do not come back together.
 * (AWS Architecture Blog, "Exponential Backoff And Jitter".)
 *
 * @param retry - 0 for the wait before the first retry.
 * @param random - uniform in [0, 1).
 */
export function fullJitterMs(retry: number, options: BackoffOptions, random: () => number): number {
  return random() * Math.min(options.maxDelayMs, options.baseDelayMs * 2 ** retry);
}
