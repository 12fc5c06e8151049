import { jitteredAdvisoryMs, windowsFor } from "../../src/credentials/refresh-timing.js";
import { EventWheel } from "./event-wheel.js";
import { IssuerCapacity, type Overload } from "./issuer-capacity.js";
import { IssuerChecks } from "./issuer-checks.js";
import type { Policy } from "./policy.js";
import { StsModel, type StsOptions } from "./sts-model.js";
import { WorkloadLoop } from "./workload-loop.js";

export interface FleetOptions extends StsOptions {
  readonly policy: Policy;
  readonly workloads: number;
  /** Whether they start without credentials, or refresh those that they all got in the same second. */
  readonly phase: "start" | "refresh";
  /** @default "refuses" */
  readonly overload?: Overload | undefined;
  /** The simulation ends here at the latest. */
  readonly horizonMs: number;
  /** Or after so many calls to STS. */
  readonly maxCalls: number;
  readonly random: () => number;
}

export interface FleetResult {
  /** When the last workload had (new) credentials; `undefined` when some had none by the end. */
  readonly allServedMs: number | undefined;
  /** Share of the workloads that have (new) credentials at the end. */
  readonly served: number;
  /** When the simulation ended, in milliseconds. */
  readonly endedMs: number;
  readonly peakOverCapacity: number;
  /** Requests to the identity provider, refused ones included. */
  readonly issuerRequests: number;
  readonly calls: number;
  readonly wastedCalls: number;
  /** Workloads whose credentials ran out before they had new ones. */
  readonly expired: number;
  /** Share that has (new) credentials at the end of every second. */
  readonly servedBySecond: readonly number[];
  /** Requests to the identity provider in every second, over its capacity. */
  readonly loadBySecond: readonly number[];
}

export const ISSUER_PER_SECOND = 50;
/** A deployment starts its pods within this time, in milliseconds. */
export const START_SPREAD_MS = 1_000;
/** The time to the next request of a service, which calls its provider again, in milliseconds. */
const REQUEST_EVERY_MS = 1_000;
const LIFETIME_MS = 3_600_000;
const SPAN_MS = 2 ** 21;
const WINDOWS = windowsFor(LIFETIME_MS, {});
/** How long before the expiration the first refresh of a fleet is due: time 0 of that phase. */
const EARLIEST_MS = jitteredAdvisoryMs(WINDOWS, LIFETIME_MS, () => 1);

/** A fleet and its identity provider in virtual time. Time 0 is the start, or the first refresh due. */
export function simulateFleet(options: FleetOptions): FleetResult {
  return new Fleet(options).run();
}

/** What a workload does next. An issuer check during a call is a separate member of the wheel. */
const CALLS = 0;
const HAS_FAILED = 1;

class Fleet {
  readonly #options: FleetOptions;
  readonly #issuer: IssuerCapacity;
  readonly #sts: StsModel;
  readonly #checks: IssuerChecks;
  readonly #decisions: WorkloadLoop;
  readonly #wheel: EventWheel;
  readonly #next: Uint8Array;
  readonly #failures: Uint16Array;
  readonly #startedAt: Float64Array;
  readonly #waitMs: Float64Array;
  readonly #expiresAt: Float64Array;
  readonly #servedIn: number[] = [];
  #served = 0;
  #expired = 0;
  #lastServedMs = 0;

  constructor(options: FleetOptions) {
    const { policy, workloads, overload = "refuses", random } = options;
    this.#options = options;
    this.#issuer = new IssuerCapacity(ISSUER_PER_SECOND, overload);
    this.#sts = new StsModel(this.#issuer, options, random);
    this.#checks = new IssuerChecks(workloads, this.#issuer);
    this.#decisions = new WorkloadLoop(policy, random);
    this.#wheel = new EventWheel(2 * workloads, SPAN_MS);
    this.#next = new Uint8Array(workloads).fill(CALLS);
    this.#failures = new Uint16Array(workloads);
    this.#startedAt = new Float64Array(workloads);
    this.#waitMs = new Float64Array(workloads);
    this.#expiresAt = new Float64Array(workloads);
    this.#scheduleFirst();
  }

  run(): FleetResult {
    const { workloads, horizonMs, maxCalls, phase } = this.#options;
    const wheel = this.#wheel;
    for (let member = wheel.next(); member !== undefined; member = wheel.next()) {
      if (wheel.now > horizonMs || this.#sts.calls >= maxCalls) break;
      if (member >= workloads) this.#checks.check(member - workloads, wheel.now, false);
      else if (this.#next[member] === CALLS) this.#call(member);
      else this.#failed(member);
    }
    const endedMs = Math.min(wheel.now, horizonMs);
    const unserved = endedMs > EARLIEST_MS ? workloads - this.#served : 0;
    return {
      allServedMs: this.#served === workloads ? this.#lastServedMs : undefined,
      served: this.#served / workloads,
      endedMs,
      peakOverCapacity: this.#issuer.peakOverCapacity,
      issuerRequests: this.#issuer.requests,
      calls: this.#sts.calls,
      wastedCalls: this.#sts.failures,
      // At a start, there are no credentials that could run out.
      expired: phase === "start" ? 0 : this.#expired + unserved,
      servedBySecond: runningShare(this.#servedIn, workloads),
      loadBySecond: this.#issuer.loadBySecond,
    };
  }

  /** Schedules the first attempt of every workload. */
  #scheduleFirst(): void {
    const { policy, workloads, phase, random } = this.#options;
    for (let who = 0; who < workloads; who += 1) {
      const startedAt = random() * START_SPREAD_MS;
      if (phase === "start") {
        this.#wheel.schedule(who, startedAt);
        continue;
      }
      const expiresAt = startedAt + EARLIEST_MS;
      this.#expiresAt[who] = expiresAt;
      const draw = policy.spreadsWindows ? random : () => 0;
      this.#wheel.schedule(who, expiresAt - jitteredAdvisoryMs(WINDOWS, LIFETIME_MS, draw));
    }
  }

  #call(who: number): void {
    const { policy, workloads } = this.#options;
    const { now } = this.#wheel;
    if (this.#failures[who] === 0) this.#startedAt[who] = now;
    const success = this.#sts.succeeds(now);
    const respondedAt = now + this.#sts.tookMs;
    const silenceMs = policy.checks?.afterSilenceMs ?? Number.POSITIVE_INFINITY;
    if (silenceMs < this.#sts.tookMs) this.#wheel.schedule(workloads + who, now + silenceMs);
    if (!success) {
      this.#next[who] = HAS_FAILED;
      this.#wheel.schedule(who, respondedAt);
      return;
    }
    this.#served += 1;
    if (respondedAt > (this.#expiresAt[who] as number)) this.#expired += 1;
    this.#lastServedMs = Math.max(this.#lastServedMs, respondedAt);
    const second = Math.floor(respondedAt / 1000);
    this.#servedIn[second] = (this.#servedIn[second] ?? 0) + 1;
  }

  #failed(who: number): void {
    const { policy, random } = this.#options;
    const { now } = this.#wheel;
    const failures = (this.#failures[who] as number) + 1;
    const checksNow = policy.checks !== undefined && failures >= policy.checks.fromFailure;
    const decidedAt = now + (checksNow ? this.#checks.check(who, now, true) : 0);
    const elapsedMs = decidedAt - (this.#startedAt[who] as number);
    const wait = this.#decisions.waitAfter(failures, elapsedMs, this.#waitMs[who] as number);
    this.#next[who] = CALLS;
    this.#failures[who] = wait === undefined ? 0 : failures;
    this.#waitMs[who] = wait ?? 0;
    if (wait !== undefined) {
      this.#wheel.schedule(who, decidedAt + wait);
      return;
    }
    // A workload with credentials does not call STS; one without calls it with its next request.
    const remainingMs = (this.#expiresAt[who] as number) - decidedAt;
    const pauseMs =
      remainingMs > 0
        ? Math.min(policy.pauseMs(remainingMs, random), remainingMs)
        : random() * REQUEST_EVERY_MS;
    this.#wheel.schedule(who, decidedAt + pauseMs);
  }
}

function runningShare(servedIn: readonly number[], workloads: number): number[] {
  let served = 0;
  return Array.from(servedIn, (now = 0) => {
    served += now;
    return served / workloads;
  });
}
