import type { BackoffOptions } from "../../src/retry/decision.js";

/**
 * The wait of a curve other than the project's own, in milliseconds.
 *
 * @param failures - 1 after the first.
 * @param previousMs - the wait before, 0 when there was none.
 * @param random - uniform in [0, 1).
 */
export type Curve = (
  options: BackoffOptions,
  failures: number,
  previousMs: number,
  random: number,
) => number;

const boundMs = ({ baseDelayMs, maxDelayMs }: BackoffOptions, failures: number) =>
  Math.min(maxDelayMs, baseDelayMs * 2 ** (failures - 1));

// AWS Architecture Blog, "Exponential Backoff And Jitter".

export const noJitter: Curve = boundMs;

/** This share of the bound is fixed, and the rest is random: 0 is full jitter, a half is equal jitter. */
export const partlyDrawn =
  (certain: number): Curve =>
  (options, failures, _, random) =>
    (certain + (1 - certain) * random) * boundMs(options, failures);

export const fullJitter = partlyDrawn(0);
export const equalJitter = partlyDrawn(1 / 2);

export const decorrelatedJitter: Curve = ({ baseDelayMs, maxDelayMs }, _, previousMs, random) => {
  const bound = Math.max(baseDelayMs, previousMs) * 3;
  return Math.min(maxDelayMs, baseDelayMs + random * (bound - baseDelayMs));
};
