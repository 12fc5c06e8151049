import { type Clock, type Moment, momentOf } from "../runtime/clock.js";
import { jitteredAdvisoryMs, type WindowOptions, windowsFor } from "./windows.js";

/** What the cache needs to know of credentials. */
export interface CachedIdentity {
  readonly accessKeyId: string;
  /** By this machine's clock, as it was when the credentials arrived. */
  readonly expiration?: Date | undefined;
}

/**
 * Cached credentials with the times that decide about them, all in milliseconds after they were
 * fetched: the wall clock may be set at any time, and an age does not change for it.
 */
export interface CachedEntry<T> {
  readonly credentials: T;
  /** The same, settled: handed out as it is, a cached call allocates nothing. */
  readonly promise: Promise<T>;
  readonly fetchedAt: Moment;
  readonly advisoryAfterMs: number;
  readonly mandatoryAfterMs: number;
  /** Infinite for credentials without an expiration. */
  readonly lifetimeMs: number;
}

interface EntryContext {
  readonly clock: Clock;
  readonly windows: WindowOptions;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** The entry for credentials that have just arrived. */
export function toEntry<T extends CachedIdentity>(
  credentials: T,
  { clock, windows, random }: EntryContext,
): CachedEntry<T> {
  const fetchedAt = momentOf(clock);
  const expiration = credentials.expiration?.getTime() ?? Number.POSITIVE_INFINITY;
  const lifetimeMs = expiration - fetchedAt.wall;
  const { advisoryMs, mandatoryMs } = windowsFor(lifetimeMs, windows);
  return {
    credentials,
    promise: Promise.resolve(credentials),
    fetchedAt,
    advisoryAfterMs: lifetimeMs - jitteredAdvisoryMs(advisoryMs, lifetimeMs, random, mandatoryMs),
    mandatoryAfterMs: lifetimeMs - mandatoryMs,
    lifetimeMs,
  };
}
