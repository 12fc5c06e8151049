import { WebIdentityError } from "../model/errors.js";
import { AttemptError, type AttemptRecord, type Failure, type Verdict } from "../model/failure.js";
import { type Finding, firstFatal } from "../model/findings.js";
import type { TokenFacts } from "../model/jwt.js";
import { sleep } from "../runtime/abort.js";
import type { Clock, Deadline } from "../runtime/clock.js";
import { safeCause, safeText } from "../runtime/redact.js";
import { type Decision, decide } from "./decision.js";
import { sentenceFor } from "./sentences.js";
import { judge } from "./verdict.js";

/*
 * This folder decides what a failure means, and whether another attempt can help. `verdict.ts` judges a
 * failure, `decision.ts` decides whether and when there is another attempt, and `sentences.ts` has the words
 * for each situation. This file has the attempts of one refresh: retryLoop() runs them, and explain() makes
 * the error of a refresh in which none succeeded.
 */

/** How long and how often to try. */
export interface RetryOptions {
  /** The maximum number of attempts, including the first one; 1 to 1,000. @default 25 */
  readonly maxAttempts: number;
  /** Upper bound of the first wait, in milliseconds; the lower bound is half of it. @default 500 */
  readonly baseDelayMs: number;
  /** Upper bound of every wait, in milliseconds; 0 or more. @default 4000 */
  readonly maxDelayMs: number;
  /**
   * The time limit of one refresh with all its token reads, attempts, waits and regions, in milliseconds;
   * 1 or more. When it is reached, the refresh fails with the cause of its last complete attempt.
   * @default 60000
   */
  readonly budgetMs: number;
}

export interface LoopOptions {
  readonly retry: RetryOptions;
  /** The end of the budget, of which some may be used already. */
  readonly deadline: Deadline;
  readonly retryAccessDenied: boolean;
  readonly clock: Clock;
  readonly random: () => number;
  readonly signal: AbortSignal;
  readonly onAttemptFailed: (record: AttemptRecord) => void;
}

export interface Attempt {
  /** 1 for the first. */
  readonly attempt: number;
  readonly deadline: Deadline;
}

/** How a failed refresh ended. */
export interface RetryOutcome {
  /** Of the last attempt that the budget did not cut short. */
  readonly verdict: Verdict;
  readonly failure: Failure;
  readonly attempts: readonly AttemptRecord[];
  /** How long all attempts and waits took, in milliseconds. */
  readonly elapsedMs: number;
}

/** No attempt succeeded, and none follows. Has everything that {@link explain} needs. */
export class AttemptsFailed extends Error implements RetryOutcome {
  override readonly name = "AttemptsFailed";

  readonly verdict: Verdict;
  readonly failure: Failure;
  readonly attempts: readonly AttemptRecord[];
  readonly elapsedMs: number;

  constructor({ verdict, failure, attempts, elapsedMs }: RetryOutcome) {
    super(failure.message);
    this.verdict = verdict;
    this.failure = failure;
    this.attempts = attempts;
    this.elapsedMs = elapsedMs;
  }
}

/** An attempt starts only with at least this much of the budget left, in milliseconds. */
const MIN_ATTEMPT_MS = 1_000;

/**
 * Runs `attempt` until it succeeds, until its verdict says that another attempt can't help, or until the
 * budget or the attempts run out.
 *
 * @throws AttemptsFailed, or the signal's reason.
 */
export async function retryLoop<T>(
  attempt: (context: Attempt) => Promise<T>,
  options: LoopOptions,
): Promise<T> {
  const { clock, signal, deadline } = options;
  const start = clock.monotonic();
  const log = new AttemptLog(options);
  const once = async (number: number) => {
    log.started();
    try {
      return await attempt({ attempt: number, deadline });
    } catch (error) {
      // One kind of error for the loop: p-retry retries neither a `TypeError`, which it treats as a bug,
      // nor a thrown value that is not an error.
      throw error instanceof AttemptError ? error : new AttemptError(localFailure(error));
    }
  };
  try {
    signal.throwIfAborted();
    return await once(1).catch((error: AttemptError) => again(error, once, { log, options }));
  } catch (error) {
    signal.throwIfAborted();
    throw log.outcome(clock.monotonic() - start) ?? error;
  }
}

/** Makes every attempt after the first. `p-retry` is loaded here: most refreshes don't need it. */
async function again<T>(
  firstError: AttemptError,
  once: (number: number) => Promise<T>,
  { log, options }: { readonly log: AttemptLog; readonly options: LoopOptions },
): Promise<T> {
  const { retry, clock, signal } = options;
  signal.throwIfAborted();
  let decision = log.failed(firstError, 1, retry.maxAttempts > 1);
  if (decision === undefined) throw firstError;
  const { default: pRetry } = await import("p-retry");
  await sleep(clock, decision, signal);
  return pRetry((number) => once(number + 1), {
    retries: retry.maxAttempts - 2,
    // `shouldRetry` waits, by the provider's clock and with its own jitter.
    minTimeout: 0,
    signal,
    onFailedAttempt: ({ error, attemptNumber, retriesLeft }) => {
      if (signal.aborted || !(error instanceof AttemptError)) return;
      decision = log.failed(error, attemptNumber + 1, retriesLeft > 0);
    },
    shouldRetry: async () => {
      if (decision === undefined) return false;
      await sleep(clock, decision, signal);
      return true;
    },
  });
}

/** Records the attempts and decides after each whether there is another one. */
class AttemptLog {
  readonly #records: AttemptRecord[] = [];
  readonly #timesSeen = new Map<Verdict, number>();
  readonly #options: LoopOptions;
  #startedAt = 0;
  #last: { verdict: Verdict; failure: Failure } | undefined;

  constructor(options: LoopOptions) {
    this.#options = options;
  }

  started(): void {
    this.#startedAt = this.#options.clock.monotonic();
  }

  failed({ failure }: AttemptError, attempt: number, mayRetry: boolean): Decision {
    const { clock, retry, retryAccessDenied, random, deadline, onAttemptFailed } = this.#options;
    const ms = clock.monotonic() - this.#startedAt;
    const verdict = judge(failure);
    const timesSeen = (this.#timesSeen.get(verdict) ?? 0) + 1;
    this.#timesSeen.set(verdict, timesSeen);
    // An attempt that the budget cut short says nothing new about the cause.
    if (this.#last === undefined || failure.cutShort !== true) this.#last = { verdict, failure };

    const waitMs = mayRetry
      ? decide(verdict, {
          failure,
          timesSeen,
          failures: attempt,
          remainingMs: deadline.remainingMs(),
          minAttemptMs: Math.min(MIN_ATTEMPT_MS, retry.budgetMs / 10),
          backoff: retry,
          retryAccessDenied,
          random,
        })
      : undefined;
    const record = toRecord({ attempt, verdict, ms, waitMs }, failure);
    this.#records.push(record);
    onAttemptFailed(record);
    return waitMs;
  }

  outcome(elapsedMs: number): AttemptsFailed | undefined {
    if (this.#last === undefined) return undefined;
    return new AttemptsFailed({ ...this.#last, attempts: this.#records, elapsedMs });
  }
}

type AttemptOutcome = Pick<AttemptRecord, "attempt" | "verdict" | "ms" | "waitMs">;

function toRecord(
  { attempt, verdict, ms, waitMs }: AttemptOutcome,
  failure: Failure,
): AttemptRecord {
  const { region, code, message, httpStatus, requestId } = failure;
  // Without members that are undefined: a tool that prints a record would print them.
  return {
    attempt,
    ...(region !== undefined && { region }),
    verdict,
    ...(code !== undefined && { code }),
    message,
    ...(httpStatus !== undefined && { httpStatus }),
    ...(requestId !== undefined && { requestId }),
    ms: Math.round(ms),
    ...(waitMs !== undefined && { waitMs: Math.round(waitMs) }),
  };
}

/** An error that is not a response, a network fault or a token fault: from a plugin or a role assumer. */
function localFailure(error: unknown): Failure {
  const cause = safeCause(error);
  return { kind: "local", code: cause.name, message: cause.message, cause };
}

interface ExplainContext {
  readonly roleArn: string;
  readonly token: TokenFacts | undefined;
}

/** The error of a failed refresh: what failed, after how many attempts, and what to do. */
export function explain(
  outcome: AttemptsFailed,
  { roleArn, token }: ExplainContext,
): WebIdentityError {
  const { verdict, failure, attempts } = outcome;
  const fatal = firstFatal(failure.findings ?? []);
  const explanation = fatal ?? failure.findings?.find((finding) => mayExplain(finding, verdict));
  const { code, what, remedy } = sentenceFor(failure, token);
  const message = [
    `${what}: ${words(failure, explanation)}`,
    `(role ${safeText(roleArn)}${aboutToken(token)}${aboutAttempts(outcome)}).`,
  ].join(" ");
  return new WebIdentityError({
    code,
    message,
    hint: explanation?.remedy ?? remedy,
    cause: failure.cause,
    attempts,
    token,
    findings: failure.findings,
    retryAfterMs: failure.retryAfterMs,
    about: explanation?.id,
  });
}

/** When STS read the token and refused it, STS had reached the issuer: only the key can explain that. */
function mayExplain({ id, severity }: Finding, verdict: Verdict): boolean {
  return (
    severity === "suspect" && (verdict !== "token-rejected" || /^jwks-(key-|inconsistent)/.test(id))
  );
}

/** A finding explains more than a response of STS, and a local fault has no response. */
function words(failure: Failure, finding: Finding | undefined): string {
  const said = failure.code === undefined ? failure.message : `${failure.code}: ${failure.message}`;
  if (finding === undefined) return said;
  const detail = finding.detail.replace(/\.$/, "");
  if (failure.kind !== "response") return detail;
  return finding.severity === "fatal"
    ? `${detail}; STS said ${said}`
    : `${said}; seen from here: ${detail}`;
}

function aboutToken(token: TokenFacts | undefined): string {
  if (token === undefined) return "";
  const { issuer = "unknown", audience, azp, kid } = token;
  const shownAudience = audience?.length ? `, audience ${[audience].flat().join(" and ")}` : "";
  const shownParty = azp === undefined ? "" : `, azp ${azp}`;
  return `, issuer ${issuer}${shownAudience}${shownParty}, ${kid === undefined ? "no kid" : `kid ${kid || '""'}`}`;
}

function aboutAttempts({ attempts, elapsedMs }: AttemptsFailed): string {
  const seconds = (elapsedMs / 1000).toFixed(1);
  const count = attempts.length === 1 ? "1 attempt" : `${attempts.length} attempts`;
  const last = attempts.at(-1);
  const called = new Set(attempts.flatMap(({ region }) => region ?? []));
  const region = called.size === 0 ? "" : ` in ${[...called].join(", ")}`;
  const request = last?.requestId === undefined ? "" : `, last request ID ${last.requestId}`;
  return `, ${count} in ${seconds} s${region}${request}`;
}
