import { backoffWhileCachedMs } from "../../src/credentials/refresh-timing.js";
import { DEFAULTS } from "../../src/provider/options.js";
import type { RetryOptions } from "../../src/retry/retry-loop.js";
import {
  type Curve,
  decorrelatedJitter,
  equalJitter,
  fullJitter,
  noJitter,
  partlyDrawn,
} from "./curves.js";

/** The waits of one kind of workload. */
export interface Policy {
  readonly name: string;
  readonly retry: RetryOptions;
  /** None is the project's own. */
  readonly curve?: Curve | undefined;
  /** Whether the refresh windows of a fleet are spread. */
  readonly spreadsWindows: boolean;
  /** The pause after a failed refresh. */
  readonly pauseMs: (remainingMs: number, random: () => number) => number;
  /** When a process makes an issuer check, which adds to the issuer's load; none is never. */
  readonly checks?: CheckTiming | undefined;
}

/** When the issuer check runs. */
export interface CheckTiming {
  /** After STS has not responded for this long, in milliseconds; 0 is during every call. */
  readonly afterSilenceMs: number;
  /** After a failed call, from this failure of a refresh on; 1 is the first. */
  readonly fromFailure: number;
}

/** The same as in `IssuerCheckStep`. */
const OUR_CHECKS: CheckTiming = { afterSilenceMs: 1_000, fromFailure: 1 };

function variant(
  name: string,
  retry: Partial<RetryOptions>,
  more: Partial<Omit<Policy, "retry">> = {},
): Policy {
  const ours = { spreadsWindows: true, pauseMs: backoffWhileCachedMs };
  return { ...ours, ...more, name, retry: { ...DEFAULTS.retry, ...retry } };
}

export const OURS = variant("ours", {}, { checks: OUR_CHECKS });
export const OURS_WITHOUT_CHECKS = variant("ours, issuer check off", {});

/** The reference for any other default: AWS's advice, with its most common waits. */
export const REFERENCE = variant(
  "full jitter 0.5–5 s",
  { maxAttempts: 20, maxDelayMs: 5_000 },
  { curve: fullJitter },
);

/** The same loop without jitter: every client waits for the exponential bound. */
const WITHOUT_JITTER = variant(
  "no jitter",
  {},
  {
    curve: noJitter,
    spreadsWindows: false,
    pauseMs: (remainingMs) => backoffWhileCachedMs(remainingMs, () => 0),
  },
);

/** Standard mode: three attempts; after a failure a pause of 5–10 min while credentials are valid. */
const SDKS_CURVE = variant(
  "the SDKs' retries",
  { maxAttempts: 3, baseDelayMs: 100, maxDelayMs: 20_000 },
  {
    curve: fullJitter,
    spreadsWindows: false,
    pauseMs: (_, random) => 300_000 + random() * 300_000,
  },
);

/** The policies in the tables of the fleet. */
export const RIVALS: readonly Policy[] = [
  OURS,
  OURS_WITHOUT_CHECKS,
  REFERENCE,
  variant("decorrelated jitter", {}, { curve: decorrelatedJitter }),
  WITHOUT_JITTER,
  SDKS_CURVE,
];

/** The policies in the charts: their lines can be distinguished. */
export const CHARTED: readonly Policy[] = [OURS, REFERENCE, WITHOUT_JITTER, SDKS_CURVE];

const waits = (name: string, curve: Curve, baseDelayMs: number, maxDelayMs: number) =>
  variant(
    `${name} ${baseDelayMs / 1000}–${maxDelayMs / 1000} s`,
    { baseDelayMs, maxDelayMs },
    { curve },
  );

/** Defaults that might serve a fleet. */
export const CANDIDATES: readonly Policy[] = [
  REFERENCE,
  waits("full jitter", fullJitter, 250, 5_000),
  waits("full jitter", fullJitter, 1_000, 5_000),
  waits("full jitter", fullJitter, 500, 4_000),
  waits("full jitter", fullJitter, 500, 10_000),
  waits("a quarter certain", partlyDrawn(1 / 4), 500, 4_500),
  { ...OURS_WITHOUT_CHECKS, name: "equal jitter 0.5–4 s (ours)" },
  variant("the same, 20 attempts", { maxAttempts: 20 }),
  variant("the same in 30 s", { budgetMs: 30_000 }),
  variant("the same in 120 s", { budgetMs: 120_000, maxAttempts: 50 }),
  waits("equal jitter", equalJitter, 250, 4_000),
  waits("equal jitter", equalJitter, 750, 4_000),
  waits("equal jitter", equalJitter, 1_000, 4_000),
  waits("equal jitter", equalJitter, 500, 3_000),
  waits("equal jitter", equalJitter, 500, 5_000),
  waits("equal jitter", equalJitter, 500, 10_000),
  waits("three quarters certain", partlyDrawn(3 / 4), 500, 4_000),
  waits("decorrelated", decorrelatedJitter, 250, 4_000),
  waits("decorrelated", decorrelatedJitter, 500, 4_000),
  waits("decorrelated", decorrelatedJitter, 500, 5_000),
  waits("decorrelated", decorrelatedJitter, 500, 10_000),
];

const checking = (name: string, afterSilenceMs: number, fromFailure = 1) =>
  variant(name, {}, { checks: { afterSilenceMs, fromFailure } });
const NEVER = Number.POSITIVE_INFINITY;

/** The times at which each process could make an issuer check. */
export const CHECK_TIMINGS: readonly Policy[] = [
  checking("starts", 0),
  checking("failed, or got no response for 0.25 s", 250),
  checking("failed, or got no response for 0.5 s", 500),
  { ...OURS, name: "failed, or got no response for 1 s (ours)" },
  checking("failed", NEVER),
  checking("failed for the second time", NEVER, 2),
  { ...OURS_WITHOUT_CHECKS, name: "never" },
];
