/** How waits between attempts grow. */
export interface BackoffOptions {
  /** Upper bound of the first wait, in milliseconds; at least 0. */
  readonly baseDelayMs: number;
  /** Upper bound of every wait, in milliseconds; at least 0. */
  readonly maxDelayMs: number;
}

/**
 * Equal jitter: half of the exponential bound, and a uniformly random part of the other half. The
 * random half keeps clients that failed together from coming back together, the certain half from
 * coming back before anything can have changed. (AWS Architecture Blog, "Exponential Backoff And
 * Jitter": it prefers full jitter for clients that contend for a row; for a fleet that waits for its
 * identity provider, `bench/fleet` measures fewer wasted calls and a lower peak with this one.)
 *
 * @param retry - 0 for the wait before the first retry.
 * @param random - uniform in [0, 1).
 * @returns milliseconds, between half of `min(maxDelayMs, baseDelayMs * 2 ** retry)` and all of it.
 */
export function equalJitterMs(
  retry: number,
  { baseDelayMs, maxDelayMs }: BackoffOptions,
  random: () => number,
): number {
  const boundMs = Math.min(maxDelayMs, baseDelayMs * 2 ** retry);
  return boundMs * (0.5 + random() / 2);
}
