import type { EmitEvent } from "../model/events.js";
import { AttemptError, type Failure, type Verdict } from "../model/failure.js";
import { firstFatal } from "../model/findings.js";
import { linkedController, onAbort } from "../runtime/abort.js";
import type { Clock, Deadline } from "../runtime/clock.js";
import {
  type AssumeRoleInput,
  assumeRole,
  assumeRoleWith,
  type IssuedCredentials,
  type RoleAssumer,
} from "./assume-role.js";
import { checkRequest } from "./check-request.js";
import type { ClientPool } from "./client-pool.js";
import { type RegionHandle, RegionRoute } from "./region-route.js";
import type { ServerClock } from "./server-clock.js";
import type { StsTarget } from "./target.js";

/*
 * One STS call of one refresh, to the region that comes next. The route (`region-route.ts`) chooses
 * the region, the circuit breakers (`circuit-breaker.ts`) remember which regions fail, `hedged()` calls
 * a second region when the first one is slow, and `assume-role.ts` sends the request. The retry loop
 * decides whether there is another call.
 *
 * The rest of the folder: `target.ts` resolves the regions and endpoints, `client-pool.ts` keeps the
 * SDK's clients, `server-clock.ts` learns an endpoint's clock, and `read-failure.ts` reads what a call threw.
 */

/** Calls STS for one refresh. */
export interface StsCaller {
  /** The region of the last call; `undefined` when it is unknown. */
  readonly region: string | undefined;
  /** The clock of the STS endpoint that the next call goes to; `undefined` when that is unknown. */
  readonly serverClock: ServerClock | undefined;
  /** @throws AttemptError for a request that STS is certain to refuse in every region. */
  check(request: Omit<AssumeRoleInput, "WebIdentityToken">): Promise<void>;
  /** @throws AttemptError, or the signal's reason. */
  call(input: AssumeRoleInput, deadline: Deadline): Promise<IssuedCredentials>;
}

export interface RegionalCallerOptions {
  /** The preferred region first, then those to fail over to. */
  readonly targets: readonly [StsTarget, ...StsTarget[]];
  readonly pool: ClientPool;
  readonly limits: CallerLimits;
  /** What a failed call means. */
  readonly judge: (failure: Failure) => Verdict;
  /** Whether `access-denied` may pass, so that another region's response is worth waiting for. */
  readonly retryAccessDenied: boolean;
  readonly emit: EmitEvent;
  /** Ends every call. */
  readonly signal: AbortSignal;
}

export interface CallerLimits {
  /** The limit of one call, in milliseconds. */
  readonly attemptTimeoutMs: number;
  /** How long a region may be silent before a second one is called too, in milliseconds; absent for never. */
  readonly hedgeAfterMs: number | undefined;
  /** The limit of all calls of the refresh, in milliseconds. */
  readonly budgetMs: number;
}

/** Verdicts that every region would give: another region's response is not worth waiting for. */
const FINAL: readonly Verdict[] = [
  "token-rejected",
  "token-expired",
  "token-early",
  "request-invalid",
];

/** Verdicts with a `Retry-After` that concerns one region: another one may be called immediately. */
const REGIONAL_WAITS: readonly Verdict[] = ["throttled", "idp-unreachable"];

/** However small the budget, a silent region gets this much time, in milliseconds. */
const MIN_TIMEOUT_MS = 1_000;

/** A caller that chooses among the regions of `targets`. */
export function createRegionalCaller(options: RegionalCallerOptions): StsCaller {
  return new RegionalCaller(options);
}

class RegionalCaller implements StsCaller {
  readonly #options: RegionalCallerOptions;
  readonly #route: RegionRoute;
  readonly #timeoutMs: number;
  #target: StsTarget;

  constructor(options: RegionalCallerOptions) {
    const { targets, pool, limits } = options;
    this.#options = options;
    this.#target = targets[0];
    const breakerOf = (target: StsTarget) => pool.breaker(target);
    this.#route = new RegionRoute({ targets, breakerOf, clock: pool.clock });
    // A silent region must leave time for the next one.
    const mostMs = Math.max(MIN_TIMEOUT_MS, limits.budgetMs / 2);
    const { attemptTimeoutMs } = limits;
    this.#timeoutMs = targets.length === 1 ? attemptTimeoutMs : Math.min(attemptTimeoutMs, mostMs);
  }

  get region(): string {
    return this.#target.region;
  }

  get serverClock(): ServerClock {
    return this.#options.pool.serverClock(this.#route.peek());
  }

  async check(request: Omit<AssumeRoleInput, "WebIdentityToken">): Promise<void> {
    for (const target of this.#options.targets) {
      const findings = await checkRequest(request, target);
      const fatal = firstFatal(findings);
      if (fatal === undefined) continue;
      throw new AttemptError({ kind: "request", code: fatal.id, message: fatal.detail, findings });
    }
  }

  async call(input: AssumeRoleInput, deadline: Deadline): Promise<IssuedCredentials> {
    const region = this.#route.next();
    this.#moveTo(region.target, "failover");
    try {
      return await this.#callHedged(region, input, deadline);
    } catch (error) {
      // The budget, or the end of the provider, ended the call before the region could respond.
      if (!(error instanceof AttemptError) || error.failure.cutShort) region.abandoned();
      if (!(error instanceof AttemptError)) throw error;
      const failure = this.#withoutLongWait(error.failure, region, deadline);
      // Only now: the hedged request may have failed after the first one.
      throw new AttemptError({ ...failure, alternative: region.hasAlternative() });
    }
  }

  /** If a region requests a wait of most of the remaining time, another one is called instead. */
  #withoutLongWait(failure: Failure, region: RegionHandle, deadline: Deadline): Failure {
    const isLong = (failure.retryAfterMs ?? 0) > deadline.remainingMs() / 2;
    const isRegional = isLong && REGIONAL_WAITS.includes(this.#options.judge(failure));
    return isRegional && region.skip() ? { ...failure, retryAfterMs: undefined } : failure;
  }

  async #callHedged(
    region: RegionHandle,
    input: AssumeRoleInput,
    deadline: Deadline,
  ): Promise<IssuedCredentials> {
    const { pool, limits, signal } = this.#options;
    const { hedgeAfterMs: afterMs } = limits;
    if (afterMs === undefined) return this.#callIn(region, input, { deadline, signal });
    const callTo = (called: RegionHandle) => async (abort: AbortSignal) => {
      return { called, issued: await this.#callIn(called, input, { deadline, signal: abort }) };
    };
    const { value, first } = await hedged(
      { clock: pool.clock, signal, afterMs, isFinal: (error) => this.#isFinal(error) },
      callTo(region),
      () => {
        const other = this.#route.hedgeFor(region);
        if (other === undefined) return undefined;
        return (abort) => {
          // The signal aborts at the end of the race. A region that has responded by then is not affected.
          onAbort(abort, () => other.abandoned());
          return callTo(other)(abort);
        };
      },
    );
    if (value.called !== region) this.#moveTo(value.called.target, "hedge");
    if (first === "silent") region.outpaced();
    return value.issued;
  }

  /** Whether every region would refuse the call for the same reason. */
  #isFinal(error: unknown): boolean {
    if (!(error instanceof AttemptError)) return false;
    const { judge, retryAccessDenied } = this.#options;
    const verdict = judge(error.failure);
    return verdict === "access-denied" ? !retryAccessDenied : FINAL.includes(verdict);
  }

  #callIn(
    region: RegionHandle,
    input: AssumeRoleInput,
    { deadline, signal }: RegionCallOptions,
  ): Promise<IssuedCredentials> {
    const { target } = region;
    return assumeRole(input, {
      target,
      pool: this.#options.pool,
      signal,
      deadline,
      timeoutMs: this.#timeoutMs,
      runCall: async (send) => {
        // While this call waited in the queue, another one showed that the region is silent: one
        // timeout is enough for all.
        if (region.skipIfFailedMeanwhile()) throw new AttemptError(notCalled(target));
        region.sent();
        return this.#reportTo(region, input.WebIdentityToken, send);
      },
    });
  }

  /** Reports how the region responded, before the queue reaches the next call. */
  async #reportTo(
    region: RegionHandle,
    token: string,
    send: () => Promise<IssuedCredentials>,
  ): Promise<IssuedCredentials> {
    const { pool, judge, emit } = this.#options;
    const { target } = region;
    try {
      const issued = await send();
      region.succeeded();
      const { rejectedDate } = issued;
      if (rejectedDate !== undefined) {
        const { reason, date, skewMs, expiration } = rejectedDate;
        const times = { dateAt: Date.parse(date), expiresAt: Date.parse(expiration) };
        emit({ type: "sts-date.rejected", region: target.region, reason, skewMs, ...times });
      }
      return issued;
    } catch (error) {
      if (!(error instanceof AttemptError)) throw error;
      const { kind, cutShort } = error.failure;
      const verdict = judge(error.failure);
      const responded = kind === "response";
      if (responded && verdict === "token-expired") pool.serverClock(target).noteExpired(token);
      // A call that the budget cut short says nothing about the region.
      if (!cutShort) region.failed(verdict, responded);
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

interface RegionCallOptions {
  readonly deadline: Deadline;
  readonly signal: AbortSignal;
}

interface AssumerCallerOptions {
  readonly assumer: RoleAssumer;
  readonly clock: Clock;
  readonly attemptTimeoutMs: number;
  readonly signal: AbortSignal;
}

/** A caller through the user's role assumer. Which service it calls, and in which region, is unknown. */
export function createAssumerCaller(options: AssumerCallerOptions): StsCaller {
  const { assumer, clock, attemptTimeoutMs: timeoutMs, signal } = options;
  return {
    region: undefined,
    serverClock: undefined,
    check: async () => {},
    call: (input, deadline) =>
      assumeRoleWith(assumer, input, { clock, signal, timeoutMs, deadline }),
  };
}

function notCalled({ region }: StsTarget): Failure {
  const message = "not called: other calls to this region got no response in the meantime";
  return { kind: "timeout", code: "TimeoutError", message, cutShort: true, region };
}

interface HedgeOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** The delay of the hedged call after the first one, in milliseconds. */
  readonly afterMs: number;
  /** Whether a failure of the first call ends both, because the hedged call would fail the same way. */
  readonly isFinal: (error: unknown) => boolean;
}

type Call<T> = (signal: AbortSignal) => Promise<T>;

export interface HedgeOutcome<T> {
  readonly value: T;
  /** The state of the first call by then: `silent` if it had not settled. */
  readonly first: "won" | "failed" | "silent";
}

/**
 * Makes the first call and, if it has not settled after `afterMs`, a second one in parallel: the hedge.
 * The first success wins, and the other call is aborted. When both fail, the result is the failure of
 * the first call; when that is final, or comes before the hedge began, it is the result immediately.
 */
export async function hedged<T>(
  { clock, signal, afterMs, isFinal }: HedgeOptions,
  first: Call<T>,
  second: () => Call<T> | undefined,
): Promise<HedgeOutcome<T>> {
  signal.throwIfAborted();
  const { controller: race, unlink } = linkedController(signal);
  try {
    return await new Promise<HedgeOutcome<T>>((resolve, reject) => {
      let running = 1;
      let failure: { readonly error: unknown } | undefined;
      const failed = () => {
        running -= 1;
        if (running === 0) reject(failure?.error);
      };
      const cancel = clock.schedule(afterMs, () => {
        const call = second();
        if (call === undefined) return;
        running += 1;
        call(race.signal).then((value) => {
          resolve({ value, first: failure === undefined ? "silent" : "failed" });
        }, failed);
      });
      first(race.signal).then(
        (value) => {
          cancel();
          resolve({ value, first: "won" });
        },
        (error: unknown) => {
          cancel();
          failure = { error };
          if (isFinal(error)) reject(error);
          else failed();
        },
      );
    });
  } finally {
    unlink();
    race.abort();
  }
}
