import type { Verdict } from "../model/failure.js";
import type { Clock } from "../runtime/clock.js";
import type { CircuitBreaker } from "./circuit-breaker.js";
import type { StsTarget } from "./target.js";

/** What one refresh knows about one region, besides the circuit breaker that all refreshes share. */
interface RegionState {
  readonly target: StsTarget;
  readonly breaker: CircuitBreaker;
  /** Failures to get the verification key here, since this round began. */
  idpFailures: number;
  /** Not called again in this round. */
  skipped: boolean;
  /** Not called again in this refresh. */
  disabled: boolean;
}

/**
 * STS reaches the identity provider from each region separately: after this many failures to get the
 * verification key, the next region is called.
 */
const IDP_FAILURES_PER_REGION = 2;

/** A region for one call, to which the call reports its outcome. */
export interface RegionHandle {
  readonly target: StsTarget;
  /** The call is sent now; before, it may have waited in a queue. */
  sent(): void;
  /** The region responded with credentials. */
  succeeded(): void;
  /**
   * The call failed.
   *
   * @param responded - whether STS sent the error, which shows that the region is reachable.
   */
  failed(verdict: Verdict, responded: boolean): void;
  /** The call ended and showed nothing about the region. If it was a probe, the next caller probes. */
  abandoned(): void;
  /** A hedged request to another region got the first response. A call that was not sent shows nothing. */
  outpaced(): void;
  /** Skips the region for this round if another one can be called. @returns whether it did. */
  skip(): boolean;
  /** Skips the region if another call has shown since the creation of this handle that it fails. */
  skipIfFailedMeanwhile(): boolean;
  /** Whether another region can be called immediately, now that this one has failed. */
  hasAlternative(): boolean;
}

interface RegionRouteOptions {
  readonly targets: readonly [StsTarget, ...StsTarget[]];
  readonly breakerOf: (target: StsTarget) => CircuitBreaker;
  readonly clock: Clock;
}

/**
 * The order in which one refresh calls the regions: the preferred one first, the next one when it
 * fails, and another round when all have failed.
 */
export class RegionRoute {
  readonly #regions: readonly [RegionState, ...RegionState[]];
  readonly #clock: Clock;

  constructor({ targets, breakerOf, clock }: RegionRouteOptions) {
    const stateOf = (target: StsTarget): RegionState => {
      const breaker = breakerOf(target);
      return { target, breaker, idpFailures: 0, skipped: false, disabled: false };
    };
    const [first, ...others] = targets;
    this.#regions = [stateOf(first), ...others.map(stateOf)];
    this.#clock = clock;
  }

  /** The region to call now. */
  next(): RegionHandle {
    return this.#permitted() ?? this.#handle(this.#soonestToRecover(), false);
  }

  /** The region that {@link RegionRoute.next} would return now. It does not start a probe. */
  peek(): StsTarget {
    return this.#soonestOf(this.#enabled()).target;
  }

  /** The region for a hedged request during a call to this one, if another one can be called. */
  hedgeFor(handle: RegionHandle): RegionHandle | undefined {
    return this.#permitted(handle.target);
  }

  /** The first region whose circuit breaker permits a call. */
  #permitted(except?: StsTarget): RegionHandle | undefined {
    const waiting = this.#waiting().filter(({ target }) => target !== except);
    for (const region of waiting) {
      // Without an alternative, the region is called whatever the state of its circuit breaker.
      const permission = this.#regions.length === 1 ? "call" : region.breaker.permit();
      if (permission !== undefined) return this.#handle(region, permission === "probe");
    }
    return undefined;
  }

  #handle(region: RegionState, isProbe: boolean): RegionHandle {
    const { target, breaker } = region;
    const chosenAt = this.#clock.monotonic();
    let sentAt: number | undefined;
    const skip = () => {
      if (!this.#canCallOther(target)) return false;
      region.skipped = true;
      return true;
    };
    return {
      target,
      sent: () => {
        sentAt = this.#clock.monotonic();
      },
      succeeded: () => breaker.succeeded(),
      failed: (verdict, responded) => {
        if (responded) breaker.succeeded();
        noteFailure(region, verdict);
      },
      abandoned: () => {
        if (isProbe) breaker.abandoned();
      },
      outpaced: () => {
        if (sentAt !== undefined) breaker.outpaced(this.#clock.monotonic() - sentAt);
      },
      skip,
      skipIfFailedMeanwhile: () => breaker.failedSince(chosenAt) && skip(),
      hasAlternative: () => {
        // A disabled region says nothing about the regions that failed before it, which are called again.
        if (region.disabled) return this.#enabled().length > 0;
        return region.skipped && this.#canCallOther(target);
      },
    };
  }

  #enabled(): readonly RegionState[] {
    return this.#regions.filter(({ disabled }) => !disabled);
  }

  /** The regions that this round may still call. */
  #waiting(): readonly RegionState[] {
    return this.#enabled().filter(({ skipped }) => !skipped);
  }

  /** Whether a region other than this one would be called now. */
  #canCallOther(except: StsTarget): boolean {
    return this.#waiting().some(
      ({ target, breaker }) => target !== except && breaker.openForMs === 0,
    );
  }

  /** The region to call when no circuit breaker permits a call. If every region has failed, a new round begins. */
  #soonestToRecover(): RegionState {
    const enabled = this.#enabled();
    if (enabled.every(({ skipped }) => skipped)) {
      for (const region of enabled) {
        region.skipped = false;
        region.idpFailures = 0;
      }
    }
    return this.#soonestOf(enabled);
  }

  /** The first region whose circuit is closed; else the one whose circuit closes first. */
  #soonestOf(enabled: readonly RegionState[]): RegionState {
    const waiting = enabled.filter(({ skipped }) => !skipped);
    const [soonest] = (waiting.length > 0 ? waiting : enabled).toSorted(
      (a, b) => a.breaker.openForMs - b.breaker.openForMs,
    );
    return soonest ?? this.#regions[0];
  }
}

function noteFailure(region: RegionState, verdict: Verdict): void {
  switch (verdict) {
    case "idp-unreachable":
      region.idpFailures += 1;
      region.skipped = region.idpFailures >= IDP_FAILURES_PER_REGION;
      break;
    case "sts-unavailable":
    case "sts-blocked":
      region.breaker.failed();
      region.skipped = true;
      break;
    case "region-disabled":
      // The role's account has disabled it: roles of other accounts may use it.
      region.disabled = true;
  }
}
