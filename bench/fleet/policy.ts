import { pauseAfterFailure } from "../../src/credentials/gate.js";
import { DEFAULTS } from "../../src/provider/options.js";
import type { BackoffOptions } from "../../src/retry/backoff.js";
import type { RetryOptions } from "../../src/retry/retry-loop.js";

/** What a curve makes of the loop's own draw: bounds and a number in [0, 1] for `fullJitterMs`. */
interface Draw {
  readonly backoff: BackoffOptions;
  readonly random: number;
}

/** How one kind of workload waits. */
export interface Policy {
  readonly name: string;
  readonly retry: RetryOptions;
  /** Turns the project's full jitter into another curve; none leaves it as it is. */
  readonly curve?: (retry: RetryOptions, previousWaitMs: number, random: number) => Draw;
  /** Whether the refresh windows of a fleet are spread. */
  readonly spreadsWindows: boolean;
  /** How long the source is left alone after a failed refresh. */
  readonly pauseMs: (remainingMs: number, random: () => number) => number;
  /**
   * After how many failed attempts a process looks at the issuer's documents too, and so adds to its
   * load; 0 is beside the first call, none never.
   */
  readonly looksAfter?: number;
}

const { retry } = DEFAULTS;

/** Half of the bound for certain, the other half drawn. */
const equalJitter: Policy["curve"] = (backoff, _, random) => ({
  backoff,
  random: 0.5 + random / 2,
});

/** Uniform between the base and three times the wait before (AWS Architecture Blog). */
const decorrelated: NonNullable<Policy["curve"]> = (options, previousWaitMs, random) => {
  const { baseDelayMs, maxDelayMs } = options;
  const bound = Math.min(maxDelayMs, Math.max(baseDelayMs, previousWaitMs * 3));
  const least = Math.min(1, baseDelayMs / bound);
  return {
    backoff: { baseDelayMs: bound, maxDelayMs: bound },
    random: least + (1 - least) * random,
  };
};

const resilient: Omit<Policy, "name"> = {
  retry,
  spreadsWindows: true,
  pauseMs: pauseAfterFailure,
};

const variant = (
  name: string,
  changes: Partial<RetryOptions>,
  more: Partial<Policy> = {},
): Policy => ({ ...resilient, ...more, name, retry: { ...retry, ...changes } });

const ours = variant("ours", {}, { looksAfter: 0 });
const quiet = variant("ours, pre-flight off", {});

/** The same loop with waits that are not drawn at all: every client at the exponential bound. */
const noJitter = variant(
  "no jitter",
  {},
  {
    curve: (backoff) => ({ backoff, random: 1 }),
    spreadsWindows: false,
    pauseMs: (remainingMs) => pauseAfterFailure(remainingMs, () => 0),
  },
);

/** The SDKs' standard mode: full jitter from 100 ms to 20 s, three attempts; a pause of 5–10 min. */
const sdkCurve = variant(
  "SDKs' curve",
  { maxAttempts: 3, baseDelayMs: 100, maxDelayMs: 20_000 },
  { spreadsWindows: false, pauseMs: (_, random) => 300_000 + random() * 300_000 },
);

/** What stands side by side in the tables of the fleet. */
export const RIVALS: readonly Policy[] = [
  ours,
  quiet,
  noJitter,
  variant("equal jitter", {}, { curve: equalJitter }),
  sdkCurve,
];

/** Other defaults that might serve a fleet better. */
export const CANDIDATES: readonly Policy[] = [
  quiet,
  variant("base 250 ms", { baseDelayMs: 250 }),
  variant("base 1 s", { baseDelayMs: 1_000 }),
  variant("cap 10 s", { maxDelayMs: 10_000 }),
  variant("cap 20 s", { maxDelayMs: 20_000 }),
  variant("equal jitter, cap 4 s", { maxDelayMs: 4_000 }, { curve: equalJitter }),
  variant("equal jitter, cap 5 s", {}, { curve: equalJitter }),
  variant("equal jitter, cap 10 s", { maxDelayMs: 10_000 }, { curve: equalJitter }),
  variant("decorrelated, cap 5 s", {}, { curve: decorrelated }),
  variant("decorrelated, cap 10 s", { maxDelayMs: 10_000 }, { curve: decorrelated }),
  variant("budget 120 s, 40 attempts", { budgetMs: 120_000, maxAttempts: 40 }),
  variant("10 attempts", { maxAttempts: 10 }),
];

/** When each process asks the issuer for itself. */
export const LOOKS: readonly Policy[] = [
  { ...ours, name: "beside the first call (ours)" },
  { ...ours, name: "after the first failure", looksAfter: 1 },
  { ...ours, name: "after the second failure", looksAfter: 2 },
  { ...quiet, name: "never (pre-flight off)" },
];
