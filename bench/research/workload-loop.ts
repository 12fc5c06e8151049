import type { BackoffOptions } from "../../src/retry/decision.js";
import { type DecisionContext, decide } from "../../src/retry/decision.js";
import { judge } from "../../src/retry/verdict.js";
import type { Policy } from "./policy.js";
import { NO_KEY } from "./sts-model.js";

/** The time that must be left before the loop starts another attempt; see `retryLoop`. */
const MIN_ATTEMPT_MS = 1_000;

// A pure function: the same failure always has the same verdict.
const VERDICT = judge(NO_KEY);

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** The project's own decision with the waits of one policy. */
export class WorkloadLoop {
  readonly #policy: Policy;
  readonly #random: () => number;
  /** One for all decisions: a simulation makes a hundred million of them. */
  readonly #context: Mutable<DecisionContext>;
  /** The bounds of a wait that is already decided. */
  readonly #settled: Mutable<BackoffOptions> = { baseDelayMs: 0, maxDelayMs: 0 };

  constructor(policy: Policy, random: () => number) {
    const { retry, curve } = policy;
    this.#policy = policy;
    this.#random = random;
    this.#context = {
      failure: NO_KEY,
      timesSeen: 0,
      failures: 0,
      remainingMs: 0,
      minAttemptMs: Math.min(MIN_ATTEMPT_MS, retry.budgetMs / 10),
      backoff: curve === undefined ? retry : this.#settled,
      retryAccessDenied: false,
      // With this value, the project's own jitter is the whole bound.
      random: curve === undefined ? random : () => 1,
    };
  }

  /**
   * The wait after so many failed attempts of one refresh; `undefined` when the refresh ends.
   */
  waitAfter(failures: number, elapsedMs: number, previousWaitMs: number): number | undefined {
    const { retry, curve } = this.#policy;
    if (failures >= retry.maxAttempts) return undefined;
    const context = this.#context;
    if (curve !== undefined) {
      const waitMs = curve(retry, failures, previousWaitMs, this.#random());
      this.#settled.baseDelayMs = waitMs;
      this.#settled.maxDelayMs = waitMs;
    }
    context.timesSeen = failures;
    context.failures = failures;
    context.remainingMs = retry.budgetMs - elapsedMs;
    return decide(VERDICT, context);
  }
}
