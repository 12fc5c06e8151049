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

/** How one kind of workload waits. */
export interface Policy {
  readonly name: string;
  readonly retry: RetryOptions;
  /** None is the project's own. */
  readonly curve?: Curve | undefined;
  /** Whether the refresh windows of a fleet are spread. */
  readonly spreadsWindows: boolean;
  /** How long the source is left alone after a failed refresh. */
  readonly pauseMs: (remainingMs: number, random: () => number) => number;
  /** When a process looks at the issuer's documents too, and so adds to its load; none is never. */
  readonly looks?: LookTiming | undefined;
}

/** When the pre-flight looks. */
export interface LookTiming {
  /** When STS has not answered for so long, in milliseconds; 0 is beside every call. */
  readonly besideAfterMs: number;
  /** After a failed call, from this one of a refresh on; 1 is the first. */
  readonly fromFailure: number;
}

/** As `IssuerCheckStep` has it. */
const OUR_LOOKS: LookTiming = { besideAfterMs: 1_000, fromFailure: 1 };

function variant(
  name: string,
  retry: Partial<RetryOptions>,
  more: Partial<Omit<Policy, "retry">> = {},
): Policy {
  const ours = { spreadsWindows: true, pauseMs: backoffWhileCachedMs };
  return { ...ours, ...more, name, retry: { ...DEFAULTS.retry, ...retry } };
}

export const OURS = variant("ours", {}, { looks: OUR_LOOKS });
export const OURS_WITHOUT_LOOKS = variant("ours, pre-flight off", {});

/** What any other default is measured by: AWS's advice, with the waits that it is given most often. */
export const REFERENCE = variant(
  "full jitter 0.5–5 s",
  { maxAttempts: 20, maxDelayMs: 5_000 },
  { curve: fullJitter },
);

/** The same loop with waits that are not drawn at all: every client at the exponential bound. */
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
  "the SDKs' curve",
  { maxAttempts: 3, baseDelayMs: 100, maxDelayMs: 20_000 },
  {
    curve: fullJitter,
    spreadsWindows: false,
    pauseMs: (_, random) => 300_000 + random() * 300_000,
  },
);

/** What stands side by side in the tables of the fleet. */
export const RIVALS: readonly Policy[] = [
  OURS,
  OURS_WITHOUT_LOOKS,
  REFERENCE,
  variant("decorrelated jitter", {}, { curve: decorrelatedJitter }),
  WITHOUT_JITTER,
  SDKS_CURVE,
];

/** Those whose lines can be told from each other. */
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
  { ...OURS_WITHOUT_LOOKS, name: "equal jitter 0.5–4 s (ours)" },
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

const looking = (name: string, besideAfterMs: number, fromFailure = 1) =>
  variant(name, {}, { looks: { besideAfterMs, fromFailure } });
const NEVER = Number.POSITIVE_INFINITY;

/** When each process could ask the issuer for itself. */
export const LOOKS: readonly Policy[] = [
  looking("beside every call", 0),
  looking("failed, or unanswered for 0.25 s", 250),
  looking("failed, or unanswered for 0.5 s", 500),
  { ...OURS, name: "failed, or unanswered for 1 s (ours)" },
  looking("failed", NEVER),
  looking("failed for the second time", NEVER, 2),
  { ...OURS_WITHOUT_LOOKS, name: "never" },
];
