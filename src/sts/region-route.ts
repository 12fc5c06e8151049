import type { Verdict } from "../model/failure.js";
import type { Clock } from "../runtime/clock.js";
import type { CircuitBreaker } from "./circuit-breaker.js";
import type { StsTarget } from "./target.js";

interface Stop {
  readonly target: StsTarget;
  readonly breaker: CircuitBreaker;
  /** The call to it is the one that tries whether it has healed. */
  isTrial: boolean;
  /** Failures to get the verification key here, since the last round began. */
  idpFailures: number;
  /** Not asked again in this round. */
  passed: boolean;
  /** Not asked again in this refresh. */
  disabled: boolean;
}

/** STS's way to the identity provider is regional too: after so many failures the next region. */
const IDP_FAILURES_PER_REGION = 2;

/** The way of one refresh through the regions: the preferred one first, the next when it fails. */
export class RegionRoute {
  readonly #stops: readonly Stop[];
  readonly #clock: Clock;

  constructor(
    targets: readonly StsTarget[],
    breakerOf: (target: StsTarget) => CircuitBreaker,
    clock: Clock,
  ) {
    this.#clock = clock;
    this.#stops = targets.map((target) => {
      const breaker = breakerOf(target);
      return { target, breaker, isTrial: false, idpFailures: 0, passed: false, disabled: false };
    });
  }

  /** The region to ask now. When every one has failed, the round begins again. */
  next(): StsTarget {
    return this.#choose() ?? this.#chooseResting();
  }

  /** The region that {@link RegionRoute.next} would return now; asks no breaker for a trial. */
  peek(): StsTarget {
    const now = this.#clock.now();
    const isAlone = this.#stops.length === 1;
    const open = this.#stops.find(
      ({ passed, disabled, breaker }) =>
        !passed && !disabled && (isAlone || breaker.openUntil(now) === undefined),
    );
    return open?.target ?? this.#firstToWake(this.#stops.filter(({ disabled }) => !disabled));
  }

  /** The region to ask beside `target`, if there is one worth asking. */
  beside(target: StsTarget): StsTarget | undefined {
    return this.#choose(target);
  }

  /** Notes that the region answered: it is alive, whatever it said. */
  answered(target: StsTarget): void {
    this.#stopOf(target)?.breaker.succeeded();
  }

  /** Notes the end of a call: if nothing was told of the region before, that was no trial of it. */
  gaveUp(target: StsTarget): void {
    const stop = this.#stopOf(target);
    if (stop?.isTrial) stop.breaker.triedInVain(this.#clock.now());
  }

  /** Notes that the region beside this one answered, and this one not yet, for so long. */
  lost(target: StsTarget, silentMs: number): void {
    this.#stopOf(target)?.breaker.lost(this.#clock.now(), silentMs);
  }

  failed(target: StsTarget, verdict: Verdict): void {
    const stop = this.#stopOf(target);
    if (stop === undefined) return;
    if (verdict === "idp-unreachable") {
      stop.idpFailures += 1;
      stop.passed = stop.idpFailures >= IDP_FAILURES_PER_REGION;
    }
    if (verdict === "sts-unavailable" || verdict === "sts-blocked") {
      stop.breaker.failed(this.#clock.now());
      stop.passed = true;
    }
    // The role's account decides about this one: nothing that other roles should hear of.
    if (verdict === "region-disabled") stop.disabled = true;
  }

  /** Passes this region by if it has failed since that time, by somebody else's call. */
  leaveIfFailedSince(target: StsTarget, time: number): boolean {
    const stop = this.#stopOf(target);
    return stop?.breaker.failedSince(time, this.#clock.now()) === true && this.leave(target);
  }

  /** Passes this region by for this round, if there is another one to ask. */
  leave(target: StsTarget): boolean {
    const stop = this.#stopOf(target);
    if (stop === undefined || !this.#isOpen(target)) return false;
    stop.passed = true;
    return true;
  }

  /** Whether another region can be asked at once, now that this one has failed. */
  canMoveOn(target: StsTarget): boolean {
    const stop = this.#stopOf(target);
    if (stop === undefined) return false;
    // One that is switched off says nothing about those that failed before: back to them.
    if (stop.disabled) return this.#stops.some(({ disabled }) => !disabled);
    return stop.passed && this.#isOpen(target);
  }

  #stopOf(target: StsTarget): Stop | undefined {
    return this.#stops.find((stop) => stop.target === target);
  }

  #choose(except?: StsTarget): StsTarget | undefined {
    const now = this.#clock.now();
    const waiting = this.#stops.filter(
      (stop) => !stop.passed && !stop.disabled && stop.target !== except,
    );
    // A region alone is asked whatever its breaker says: there is no other.
    if (this.#stops.length === 1) return waiting[0]?.target;
    const chosen = waiting.find(({ breaker }) => breaker.admits(now));
    if (chosen !== undefined) chosen.isTrial = chosen.breaker.openUntil(now) !== undefined;
    return chosen?.target;
  }

  /** Whether a region other than this one would be chosen now; asks no breaker for a trial. */
  #isOpen(except: StsTarget): boolean {
    const now = this.#clock.now();
    return this.#stops.some(
      ({ target, passed, disabled, breaker }) =>
        target !== except && !passed && !disabled && breaker.openUntil(now) === undefined,
    );
  }

  /** All that are left in this round are resting; if none is left, a new round begins. */
  #chooseResting(): StsTarget {
    const usable = this.#stops.filter(({ disabled }) => !disabled);
    if (usable.every(({ passed }) => passed)) {
      for (const stop of usable) {
        stop.passed = false;
        stop.idpFailures = 0;
      }
    }
    return this.#firstToWake(usable);
  }

  /** The one whose rest ends first is the likeliest to have healed. */
  #firstToWake(usable: readonly Stop[]): StsTarget {
    const now = this.#clock.now();
    const waiting = usable.filter(({ passed }) => !passed);
    const [first] = (waiting.length > 0 ? waiting : usable).toSorted(
      (a, b) => (a.breaker.openUntil(now) ?? now) - (b.breaker.openUntil(now) ?? now),
    );
    return (first ?? (this.#stops[0] as Stop)).target;
  }
}
