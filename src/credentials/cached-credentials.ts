import { type Clock, type Elapsed, elapsedSince, type Moment, momentOf } from "../runtime/clock.js";
import { jitteredAdvisoryMs, type WindowOptions, windowsFor } from "./refresh-timing.js";

/** What the cache needs to know of credentials. */
export interface CachedIdentity {
  readonly accessKeyId: string;
  /** By this machine's clock, as it was when the credentials arrived. */
  readonly expiration?: Date | undefined;
}

/**
 * Where credentials are in their life:
 *
 * - `valid`: no refresh is due.
 * - `advisory`: a refresh is due, and runs while callers get the cached credentials.
 * - `mandatory`: callers wait for the refresh, for a moment at least.
 * - `expired`
 */
export type Situation = "valid" | "advisory" | "mandatory" | "expired";

/** For this long at most, only the wall clock decides that no refresh is due; in milliseconds. */
const CHECK_EVERY_MS = 60_000;

interface CachedCredentialsOptions {
  readonly clock: Clock;
  readonly windows: WindowOptions;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/**
 * Credentials with the times that decide about them. All times are ages: the wall clock may be set at
 * any time, and an age, computed from all clocks of the machine, does not change for it.
 */
export class CachedCredentials<T extends CachedIdentity> {
  readonly credentials: T;
  readonly fetchedAt: Moment;
  /** The ages, in milliseconds, at which the windows begin. */
  readonly advisoryAfterMs: number;
  readonly mandatoryAfterMs: number;
  /** Infinite for credentials without an expiration. */
  readonly lifetimeMs: number;
  /** Settled, and the same for every caller: a cached call allocates nothing. */
  readonly #promise: Promise<T>;
  readonly #clock: Clock;
  readonly #now: () => number;
  #isInvalidated = false;
  /** Between these times of the wall clock, no refresh is due. */
  #validFrom = 0;
  #validUntil = 0;

  constructor(credentials: T, { clock, windows, random }: CachedCredentialsOptions) {
    this.#clock = clock;
    this.#now = clock.now;
    this.credentials = credentials;
    this.#promise = Promise.resolve(credentials);
    this.fetchedAt = momentOf(clock);
    const expiresAt = credentials.expiration?.getTime() ?? Number.POSITIVE_INFINITY;
    const lifetimeMs = expiresAt - this.fetchedAt.wall;
    const { advisoryMs, mandatoryMs } = windowsFor(lifetimeMs, windows);
    const jitteredMs = jitteredAdvisoryMs({ advisoryMs, mandatoryMs }, lifetimeMs, random);
    this.lifetimeMs = lifetimeMs;
    this.advisoryAfterMs = lifetimeMs - jitteredMs;
    this.mandatoryAfterMs = lifetimeMs - mandatoryMs;
  }

  /** The credentials, if no refresh is due. These few lines are all that a cached call costs. */
  whileValid(): Promise<T> | undefined {
    const now = this.#now();
    const isValid = now < this.#validUntil && now >= this.#validFrom;
    return isValid ? this.#promise : this.#checkedByAllClocks();
  }

  /** Whether a service rejected the credentials: they are served only while a refresh fails. */
  get isInvalidated(): boolean {
    return this.#isInvalidated;
  }

  invalidate(): void {
    this.#isInvalidated = true;
    this.#validUntil = 0;
  }

  get situation(): Situation {
    const { certainMs, possibleMs } = this.age();
    if (certainMs >= this.lifetimeMs) return "expired";
    if (this.#isInvalidated || possibleMs >= this.mandatoryAfterMs) return "mandatory";
    return possibleMs < this.advisoryAfterMs ? "valid" : "advisory";
  }

  /** Whether they have expired if the wall clock is right, which jumped forward: a refresh shows. */
  get mayHaveExpired(): boolean {
    return this.age().possibleMs >= this.lifetimeMs;
  }

  age(): Elapsed {
    return elapsedSince(this.fetchedAt, this.#clock);
  }

  /** For how long the credentials may certainly be served, in milliseconds. */
  validForMs(): number {
    return Math.max(0, this.lifetimeMs - this.age().certainMs);
  }

  /** How long it is until a refresh is due, in milliseconds; not positive when it is. */
  dueInMs(): number {
    return this.#isInvalidated ? 0 : this.advisoryAfterMs - this.age().possibleMs;
  }

  #checkedByAllClocks(): Promise<T> | undefined {
    const leftMs = this.dueInMs();
    if (leftMs <= 0) return undefined;
    this.#validFrom = this.#now();
    this.#validUntil = this.#validFrom + Math.min(leftMs, CHECK_EVERY_MS);
    return this.#promise;
  }
}
