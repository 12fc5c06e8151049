import { equalJitterMs } from "../retry/decision.js";
import {
  type Clock,
  type Elapsed,
  elapsedSince,
  MIN_STEP_MS,
  type Moment,
  momentOf,
} from "../runtime/clock.js";

/*
 * When a refresh starts: the windows before the expiration, the cached credentials with the times at
 * which their windows begin, the backoff after a failed refresh, and the timer that starts a refresh
 * without a caller.
 */

/** How early credentials are refreshed: the time before their expiration, in milliseconds. */
export interface Windows {
  /** In this window, a refresh runs while callers get the cached credentials. */
  readonly advisoryMs: number;
  /** In this window, callers wait briefly for the refresh. */
  readonly mandatoryMs: number;
}

export interface WindowOptions {
  /**
   * How many seconds before the expiration a refresh starts in the background, while callers get the
   * cached credentials; 0 to 43,200. A random part of up to a third is added, or subtracted where the
   * refresh would otherwise start in the first half of the lifetime, so that a fleet that started at
   * the same time does not refresh at the same time.
   * @default by the lifetime of the credentials: 300, 900 or 3600
   */
  readonly advisoryWindowSeconds?: number | undefined;
  /**
   * How many seconds before the expiration callers start to wait for the refresh, for 100 ms at most;
   * 0 to 43,200, and no more than the advisory window.
   * @default 60
   */
  readonly mandatoryWindowSeconds?: number | undefined;
}

/**
 * Credentials with a shorter lifetime (in milliseconds) count as expired on arrival: a refresh is due
 * after half of it, so a busy caller would refresh all the time.
 */
export const MIN_LIFETIME_MS = 1_000;

const MINUTE_MS = 60_000;

/** The advisory windows of the AWS SDKs for Go, Java, Rust and Python since 2026. */
const LONG_LIVED: readonly (readonly [lifetimeMs: number, windowMs: number])[] = [
  [90 * MINUTE_MS, 60 * MINUTE_MS],
  [20 * MINUTE_MS + 1, 15 * MINUTE_MS],
];
const SHORT_LIVED_MS = 5 * MINUTE_MS;

const MANDATORY_MS = MINUTE_MS;

/**
 * The windows of credentials that are valid for `lifetimeMs`. Neither is longer than half of the lifetime,
 * so that sessions of a few minutes are not refreshed all the time. The exceptions are the 15 and 60
 * minutes of the table, which the SDKs' shared tests require (15 minutes for a lifetime of 20.5).
 */
export function windowsFor(lifetimeMs: number, options: WindowOptions): Windows {
  const half = Math.max(0, lifetimeMs / 2);
  const configured = seconds(options.advisoryWindowSeconds);
  const advisoryMs =
    configured === undefined ? byLifetime(lifetimeMs, half) : Math.min(configured, half);
  const mandatory = seconds(options.mandatoryWindowSeconds) ?? MANDATORY_MS;
  return { advisoryMs, mandatoryMs: Math.min(mandatory, advisoryMs, half) };
}

function byLifetime(lifetimeMs: number, half: number): number {
  const row = LONG_LIVED.find(([least]) => lifetimeMs >= least);
  return row?.[1] ?? Math.min(SHORT_LIVED_MS, half);
}

/**
 * When the advisory window of one set of credentials begins, in milliseconds before they expire: at
 * random in a range a third as long as the window. The range lies before the window. The part of it
 * that would lie in the first half of the lifetime is moved into the window, but not into the
 * mandatory one.
 *
 * @param random - uniform in [0, 1).
 */
export function jitteredAdvisoryMs(
  { advisoryMs, mandatoryMs }: Windows,
  lifetimeMs: number,
  random: () => number,
): number {
  const range = advisoryMs / 3;
  const before = Math.max(0, Math.min(range, lifetimeMs / 2 - advisoryMs));
  const after = Math.max(0, Math.min(range - before, advisoryMs - mandatoryMs));
  const place = (before + after) * random();
  return advisoryMs + (place <= before ? place : before - place);
}

function seconds(value: number | undefined): number | undefined {
  return value === undefined ? undefined : value * 1000;
}

/** The fields of credentials that the cache reads. */
export interface CachedIdentity {
  readonly accessKeyId: string;
  /** By this machine's clock, as it was when the credentials arrived. */
  readonly expiration?: Date | undefined;
}

/**
 * The situation of cached credentials:
 *
 * - `valid`: no refresh is due.
 * - `advisory`: a refresh is due, and runs while callers get the cached credentials.
 * - `mandatory`: callers wait for the refresh; briefly, unless a service rejected the credentials.
 * - `expired`
 */
export type Situation = "valid" | "advisory" | "mandatory" | "expired";

/** For this long after a check by all clocks, the wall clock alone shows that no refresh is due; in milliseconds. */
const CHECK_EVERY_MS = 60_000;

interface CachedCredentialsOptions {
  readonly clock: Clock;
  readonly windows: WindowOptions;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/**
 * Credentials with the times at which their windows begin. All times are ages, computed from all clocks
 * of the machine, because the wall clock may be set at any time.
 */
export class CachedCredentials<T extends CachedIdentity> {
  readonly fetchedAt: Moment;
  /** The ages, in milliseconds, at which the windows begin. */
  readonly advisoryAfterMs: number;
  readonly mandatoryAfterMs: number;
  /** Infinite for credentials without an expiration. */
  readonly lifetimeMs: number;
  /** As they arrived. */
  readonly #issued: T;
  /** As callers get them. */
  #credentials: T;
  /** Settled, and the same for every caller: a cached call allocates nothing. */
  #promise: Promise<T>;
  readonly #clock: Clock;
  readonly #now: () => number;
  #isInvalidated = false;
  /** Between these times of the wall clock, no refresh is due. */
  #validFrom = 0;
  #validUntil = 0;

  constructor(credentials: T, { clock, windows, random }: CachedCredentialsOptions) {
    this.#clock = clock;
    this.#now = clock.now;
    this.#issued = credentials;
    this.#credentials = credentials;
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

  /**
   * The credentials. If the wall clock was set back, their expiration is earlier by as much: programs that
   * keep them (the clients of `serve`) compare it with that clock.
   */
  get credentials(): T {
    this.#followWallClock();
    return this.#credentials;
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

  /** Whether they have expired if a jump of the wall clock was right. Only a refresh can show that. */
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

  /** The time until a refresh is due, in milliseconds; 0 or less when it is due. */
  dueInMs(): number {
    return this.#isInvalidated ? 0 : this.advisoryAfterMs - this.age().possibleMs;
  }

  #checkedByAllClocks(): Promise<T> | undefined {
    const leftMs = this.dueInMs();
    if (leftMs <= 0) return undefined;
    this.#validFrom = this.#now();
    this.#validUntil = this.#validFrom + Math.min(leftMs, CHECK_EVERY_MS);
    this.#followWallClock();
    return this.#promise;
  }

  /** The expiration is computed from the original one, because the clock may be set forward again. */
  #followWallClock(): void {
    const { expiration } = this.#issued;
    if (expiration === undefined) return;
    const endsAt = Math.floor(this.#now() + this.lifetimeMs - this.age().certainMs);
    const setBackMs = expiration.getTime() - endsAt;
    const shownMs = this.#credentials.expiration?.getTime() ?? 0;
    const shown =
      setBackMs < MIN_STEP_MS ? this.#issued : { ...this.#issued, expiration: new Date(endsAt) };
    // Each copy is a new object, so small differences don't count.
    if (Math.abs((shown.expiration?.getTime() ?? 0) - shownMs) < MIN_STEP_MS) return;
    this.#credentials = shown;
    this.#promise = Promise.resolve(shown);
  }
}

/**
 * The refresh backoff for callers without valid credentials: equal jitter, 0.5 to 1 s after the first
 * failed refresh and up to 2 to 4 s after the following ones. It grows as the waits between the attempts
 * of one refresh do. In an outage, many refreshes that fail fast therefore send no more requests than
 * one that fails slowly, and callers get credentials within 4 s of the end of the outage.
 */
const BACKOFF = { baseDelayMs: 1_000, maxDelayMs: 4_000 };

/** `Retry-After` delays the next refresh by no more than this, in milliseconds. */
const MAX_RETRY_AFTER_MS = 30_000;

/**
 * Bounds of the backoff while cached credentials can be served, in milliseconds; uniform, as in the
 * AWS SDKs for Go, Java, Rust and Python since 2026.
 */
const BACKOFF_WHILE_CACHED_MS = { min: 300_000, max: 600_000 };

/** The minimum of that backoff, however soon the cached credentials expire; in milliseconds. */
const MIN_BACKOFF_WHILE_CACHED_MS = 1_000;

/** How long a cached rejection lasts, in milliseconds; uniform. */
const REJECTION_MS = { min: 1_000, max: 5_000 };

/**
 * The refresh backoff for callers without valid credentials, and for forced refreshes; whole
 * milliseconds.
 *
 * @param failures - failed refreshes since the last success; at least 1.
 * @param retryAfterMs - the wait that the response requires (`Retry-After`).
 */
export function urgentBackoffMs(
  failures: number,
  retryAfterMs: number,
  random: () => number,
): number {
  const backoffMs = equalJitterMs(failures - 1, BACKOFF, random);
  return Math.ceil(Math.max(backoffMs, Math.min(retryAfterMs, MAX_RETRY_AFTER_MS)));
}

/**
 * The backoff while cached credentials with `remainingMs` of life are served; whole milliseconds. It is
 * half of what remains at most, so that the next refresh comes before they expire.
 */
export function backoffWhileCachedMs(remainingMs: number, random: () => number): number {
  const backoffMs = between(BACKOFF_WHILE_CACHED_MS, random);
  return Math.max(MIN_BACKOFF_WHILE_CACHED_MS, Math.floor(Math.min(backoffMs, remainingMs / 2)));
}

/** How long a permanent refusal is remembered while nothing is cached; whole milliseconds. */
export function cachedRejectionMs(random: () => number): number {
  return between(REJECTION_MS, random);
}

function between({ min, max }: { min: number; max: number }, random: () => number): number {
  return Math.floor(min + random() * (max - min));
}

/**
 * The longest single wait, in milliseconds. Timers count only the time in which the machine was awake:
 * after a suspension, a refresh is late by no more than this.
 */
const MAX_TIMER_WAIT_MS = 300_000;

interface Refreshable {
  /** Called when the refresh is due. */
  onTimer(): void;
}

/**
 * Starts a refresh when it is due, without a caller. It keeps neither the process nor the cache alive:
 * a cache without references is collected, and its timer ends.
 */
export class RefreshTimer {
  readonly #clock: Clock;
  readonly #owner: WeakRef<Refreshable>;
  #cancel = () => {};

  constructor(clock: Clock, owner: Refreshable) {
    this.#clock = clock;
    this.#owner = new WeakRef(owner);
  }

  /** Sets the time until the refresh, in milliseconds, in place of the time that was set before. */
  set(inMs: number): void {
    this.#cancel();
    if (!Number.isFinite(inMs)) return;
    this.#wait(this.#clock.now() + inMs, this.#clock.monotonic() + inMs);
  }

  /**
   * Waits until one of the two clocks reaches the time: a wall clock that is set back would delay it,
   * and the monotonic clock stops while the machine is suspended.
   */
  #wait(at: number, monotonicAt: number): void {
    const left = () => Math.min(at - this.#clock.now(), monotonicAt - this.#clock.monotonic());
    this.#cancel = this.#clock.schedule(Math.min(Math.max(0, left()), MAX_TIMER_WAIT_MS), () => {
      const owner = this.#owner.deref();
      if (owner === undefined) return;
      if (left() > 0) this.#wait(at, monotonicAt);
      else owner.onTimer();
    });
  }

  clear(): void {
    this.#cancel();
  }
}
