import type { CacheSnapshot } from "../credentials/credential-cache.js";
import type { WebIdentityError } from "../model/errors.js";
import type { Finding } from "../model/findings.js";
import type { IssuerReport } from "../model/issuer-report.js";
import type { Clock } from "../runtime/clock.js";

/** A provider at a glance: for health checks, metrics and the engineer on call. */
export interface ProviderStatus {
  /**
   * - `empty`: nothing cached yet, or the provider was closed.
   * - `fresh`: cached, no refresh is due.
   * - `refresh-due`: cached and valid, inside the advisory window.
   * - `refresh-urgent`: cached and valid, inside the mandatory window or invalidated.
   * - `expired`: cached, no longer valid.
   */
  readonly state: "empty" | "fresh" | "refresh-due" | "refresh-urgent" | "expired";
  readonly closed: boolean;
  /** When the cached credentials expire. */
  readonly expiration: Date | undefined;
  /** Whether a refresh is under way. */
  readonly refreshing: boolean;
  /**
   * The end of the refresh backoff after a failed refresh, in milliseconds since the epoch: none
   * starts before, except by `forceRefresh`, for which the backoff is 30 s at most.
   */
  readonly nextRefreshAllowedAt: number | undefined;
  /** The region that gave the cached credentials; not known of a `roleAssumerWithWebIdentity`. */
  readonly region: string | undefined;
  /** Where the cached credentials came from: `store` when another process got them from STS. */
  readonly source: "sts" | "store" | undefined;
  /** The store that credentials are shared in; absent without one. */
  readonly store: StoreStatus | undefined;
  /** The regions that may be asked, in order; empty until the first refresh, or if not known. */
  readonly regions: readonly RegionStatus[];
  /** When the last refresh succeeded; milliseconds since the epoch. */
  readonly lastSuccessAt: number | undefined;
  /** When the last refresh failed; milliseconds since the epoch. */
  readonly lastFailureAt: number | undefined;
  /** Why, if no refresh has succeeded since. */
  readonly lastError: WebIdentityError | undefined;
  /** Absent until the issuer was looked at. */
  readonly preflight: PreflightStatus | undefined;
}

/** How the store is doing. */
export interface StoreStatus {
  /** `file`, `redis`. */
  readonly name: string;
  /** Why this provider does not use it; absent when it does. */
  readonly unusedBecause: string | undefined;
  /** It failed, and is left alone until then; milliseconds since the epoch. */
  readonly restingUntil: number | undefined;
}

/** How STS in one region is doing. */
export interface RegionStatus {
  readonly region: string;
  /**
   * It did not answer, and is left alone until then if there is another to ask; milliseconds since
   * the epoch.
   */
  readonly restingUntil: number | undefined;
}

/** The last look at the issuer. */
export interface PreflightStatus {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly issuer: string;
  /** Most severe first. */
  readonly findings: readonly Finding[];
}

/** Remembers how the last refreshes went. */
export class StatusBoard {
  #startedAt = 0;
  #lastSuccessAt: number | undefined;
  #lastFailureAt: number | undefined;
  #lastError: WebIdentityError | undefined;
  #region: string | undefined;
  #source: "sts" | "store" | undefined;
  #preflight: PreflightStatus | undefined;

  constructor(private readonly clock: Clock) {}

  started(): void {
    this.#startedAt = this.clock.monotonic();
  }

  succeeded(region: string | undefined, source: "sts" | "store"): void {
    this.#lastSuccessAt = this.clock.now();
    this.#lastError = undefined;
    this.#region = region;
    this.#source = source;
  }

  looked({ issuer, findings }: IssuerReport): void {
    this.#preflight = { at: this.clock.now(), issuer, findings };
  }

  /** Returns how long the refresh took, in milliseconds. */
  failed(error: WebIdentityError): number {
    this.#lastFailureAt = this.clock.now();
    this.#lastError = error;
    return Math.round(this.clock.monotonic() - this.#startedAt);
  }

  read(
    snapshot: CacheSnapshot,
    regions: readonly RegionStatus[],
    store?: StoreStatus,
  ): ProviderStatus {
    const { entry, situation, refreshing, nextRefreshAllowedAt, closed } = snapshot;
    return {
      state: STATES[situation],
      closed,
      expiration: entry?.credentials.expiration,
      refreshing,
      nextRefreshAllowedAt: nextRefreshAllowedAt,
      region: this.#region,
      source: this.#source,
      store,
      regions,
      lastSuccessAt: this.#lastSuccessAt,
      lastFailureAt: this.#lastFailureAt,
      lastError: this.#lastError,
      preflight: this.#preflight,
    };
  }
}

const STATES = {
  empty: "empty",
  valid: "fresh",
  advisory: "refresh-due",
  mandatory: "refresh-urgent",
  expired: "expired",
} as const satisfies Record<CacheSnapshot["situation"], ProviderStatus["state"]>;
