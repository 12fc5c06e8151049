import type { EmitEvent } from "../model/events.js";
import { AttemptError, type Failure, type Verdict } from "../model/failure.js";
import { firstFatal } from "../model/findings.js";
import { judge } from "../retry/verdict.js";
import type { Deadline } from "../runtime/deadline.js";
import { type AssumeRoleInput, assumeRole, assumeRoleWith } from "../sts/assume-role.js";
import { checkRequest } from "../sts/check-request.js";
import type { IssuedCredentials } from "../sts/credentials.js";
import { hedged } from "../sts/hedge.js";
import { RegionRoute } from "../sts/region-route.js";
import type { ServerClock } from "../sts/server-clock.js";
import type { StsTarget } from "../sts/target.js";
import type { ResolvedOptions, WebIdentityInit } from "./options.js";
import type { Runtime } from "./runtime.js";

interface StsStepOptions {
  readonly init: WebIdentityInit;
  readonly options: ResolvedOptions;
  readonly runtime: Runtime;
  readonly targets: readonly [StsTarget, ...StsTarget[]];
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/** What one region says here, every other one would. */
const FINAL: readonly Verdict[] = [
  "token-rejected",
  "token-expired",
  "token-early",
  "request-invalid",
];

/** What a region may ask to wait for, and another one may not. */
const MAY_WAIT: readonly Verdict[] = ["throttled", "idp-unreachable"];

/** No region is given up for less silence than this, however small the budget, in milliseconds. */
const MIN_SILENCE_MS = 1_000;

/** The second step of every attempt of one refresh: one call, to the region whose turn it is. */
export class StsStep {
  readonly #options: StsStepOptions;
  readonly #route: RegionRoute;
  #target: StsTarget;

  constructor(options: StsStepOptions) {
    const { targets, runtime } = options;
    const { pool, env, random, clock } = runtime;
    this.#options = options;
    this.#target = targets[0];
    this.#route = new RegionRoute(targets, (target) => pool.breaker(target, env, random), clock);
  }

  /** The region of the last call; which one a role assumer of the user's asks is not known. */
  get region(): string | undefined {
    const { init } = this.#options;
    return init.roleAssumerWithWebIdentity === undefined ? this.#target.region : undefined;
  }

  /** The clock of the STS that is asked next; which one a role assumer of the user's asks is not known. */
  get serverClock(): ServerClock | undefined {
    const { init, runtime } = this.#options;
    if (init.roleAssumerWithWebIdentity !== undefined) return undefined;
    return runtime.pool.serverClock(this.#route.peek(), runtime.env);
  }

  /** @throws AttemptError for a request that STS is certain to refuse, in whichever region. */
  async check(request: Omit<AssumeRoleInput, "WebIdentityToken">): Promise<void> {
    const { init, targets } = this.#options;
    if (init.roleAssumerWithWebIdentity !== undefined) return;
    for (const target of targets) {
      const findings = await checkRequest(request, target);
      const fatal = firstFatal(findings);
      if (fatal === undefined) continue;
      throw new AttemptError({ kind: "request", code: fatal.id, message: fatal.detail, findings });
    }
  }

  /** @throws AttemptError, or the signal's reason. */
  async run(input: AssumeRoleInput, deadline: Deadline): Promise<IssuedCredentials> {
    const target = this.#route.next();
    this.#moveTo(target, "failover");
    try {
      return await this.#callHedged(input, target, deadline);
    } catch (error) {
      const toldNothing = !(error instanceof AttemptError) || error.failure.cutShort;
      if (toldNothing) this.#route.gaveUp(target);
      if (!(error instanceof AttemptError)) throw error;
      const failure = this.#withoutLongWait(error.failure, target, deadline);
      // Only now: a call beside this one may have failed after it.
      throw new AttemptError({ ...failure, alternative: this.#route.canMoveOn(target) });
    }
  }

  /** A region that asks for most of the time there is left is left alone, if there is another. */
  #withoutLongWait(failure: Failure, target: StsTarget, deadline: Deadline): Failure {
    const isLong = (failure.retryAfterMs ?? 0) > deadline.remainingMs() / 2;
    const mayMove = isLong && MAY_WAIT.includes(judge(failure));
    return mayMove && this.#route.leave(target) ? { ...failure, retryAfterMs: undefined } : failure;
  }

  async #callHedged(
    input: AssumeRoleInput,
    target: StsTarget,
    deadline: Deadline,
  ): Promise<IssuedCredentials> {
    const { runtime, options, signal } = this.#options;
    const { clock } = runtime;
    const { hedgeAfterMs: afterMs } = options;
    if (afterMs === undefined) return this.#call(input, target, deadline, signal);
    let sentAt: number | undefined;
    let second: StsTarget | undefined;
    const { value, first } = await hedged(
      { clock, signal, afterMs, isFinal: (error) => this.#isFinal(error) },
      (abort) => {
        const onTurn = () => {
          sentAt = clock.monotonic();
        };
        return this.#call(input, target, deadline, abort, onTurn);
      },
      () => {
        const beside = this.#route.beside(target);
        second = beside;
        return beside && ((abort) => this.#call(input, beside, deadline, abort));
      },
    ).finally(() => {
      if (second !== undefined) this.#route.gaveUp(second);
    });
    if (first !== "won" && second !== undefined) this.#moveTo(second, "hedge");
    // One that was still waiting for its turn here has kept nobody waiting.
    if (first === "silent" && sentAt !== undefined) {
      this.#route.lost(target, clock.monotonic() - sentAt);
    }
    return value;
  }

  /** A refusal for which the region does not matter: another one's answer is not worth waiting for. */
  #isFinal(error: unknown): boolean {
    if (!(error instanceof AttemptError)) return false;
    const verdict = judge(error.failure);
    if (verdict === "access-denied") return !this.#options.options.retryAccessDenied;
    return FINAL.includes(verdict);
  }

  async #call(
    input: AssumeRoleInput,
    target: StsTarget,
    deadline: Deadline,
    signal: AbortSignal,
    onTurn = () => {},
  ): Promise<IssuedCredentials> {
    const { init, runtime } = this.#options;
    const { clock, pool, env } = runtime;
    const assumer = init.roleAssumerWithWebIdentity;
    const call = { clock, signal, deadline, timeoutMs: this.#callLimitMs() };
    // Whom an assumer of the user's asks is not known: nothing of it is noted against a region.
    if (assumer !== undefined) return assumeRoleWith(assumer, input, call);
    const chosenAt = clock.now();
    return assumeRole(input, {
      ...{ ...call, target, pool, env },
      inTurn: async (send) => {
        // It stopped answering while this call waited for its turn: one timeout is enough for all.
        const isLeft = this.#route.leaveIfFailedSince(target, chosenAt);
        if (isLeft) throw new AttemptError(leftOut(target));
        onTurn();
        return this.#noted(target, input.WebIdentityToken, send);
      },
    });
  }

  /** Where there is another region, a silent one must not use up the budget of both. */
  #callLimitMs(): number {
    const { targets, options } = this.#options;
    const { attemptTimeoutMs, retry } = options;
    if (targets.length === 1) return attemptTimeoutMs;
    return Math.min(attemptTimeoutMs, Math.max(MIN_SILENCE_MS, retry.budgetMs / 2));
  }

  /** Notes how the region answered, before the next call has its turn there. */
  async #noted(
    target: StsTarget,
    token: string,
    send: () => Promise<IssuedCredentials>,
  ): Promise<IssuedCredentials> {
    const { pool, env } = this.#options.runtime;
    try {
      const issued = await send();
      this.#route.answered(target);
      const { region } = target;
      const { rejectedDate } = issued;
      if (rejectedDate) this.#options.emit({ type: "sts-date.rejected", region, ...rejectedDate });
      return issued;
    } catch (error) {
      if (!(error instanceof AttemptError)) throw error;
      const { failure } = error;
      const verdict = judge(failure);
      if (failure.kind === "answer") {
        this.#route.answered(target);
        if (verdict === "token-expired") pool.serverClock(target, env).calledExpired(token);
      }
      // What the budget cut short says nothing about the region.
      if (!failure.cutShort) this.#route.failed(target, verdict);
      throw error;
    }
  }

  #moveTo(target: StsTarget, reason: "failover" | "hedge"): void {
    if (target === this.#target) return;
    const from = this.#target.region;
    this.#target = target;
    this.#options.emit({ type: "region.switched", from, to: target.region, reason });
  }
}

function leftOut({ region }: StsTarget): Failure {
  const message = "not asked: other calls to this region were left without an answer meanwhile";
  return { kind: "timeout", code: "TimeoutError", message, cutShort: true, region };
}
