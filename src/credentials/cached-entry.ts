import type { Clock } from "../runtime/clock.js";
import { jitteredAdvisoryMs, type WindowOptions, windowsFor } from "./windows.js";

/** What the cache needs to know of credentials. */
export interface CachedIdentity {
  readonly accessKeyId: string;
  readonly expiration?: Date | undefined;
}

/**
 * Cached credentials with the times that decide about them: milliseconds since the epoch on this
 * machine's clock.
 */
export interface CachedEntry<T> {
  readonly credentials: T;
  /** The same, settled: handed out as it is, a cached call allocates nothing. */
  readonly promise: Promise<T>;
  readonly fetchedAt: number;
  /** When they were fetched by the clock that only goes forward, in milliseconds. */
  readonly monotonicAt: number;
  readonly advisoryAt: number;
  readonly mandatoryAt: number;
  readonly expiresAt: number;
}

/** Whether no refresh is due. */
export function isFresh({ advisoryAt }: CachedEntry<unknown>, now: number): boolean {
  return now < advisoryAt;
}

/** The same on a wall clock that was set back by so many milliseconds. */
export function earlier<T>(entry: CachedEntry<T>, ms: number): CachedEntry<T> {
  const { fetchedAt, advisoryAt, mandatoryAt, expiresAt } = entry;
  return {
    ...entry,
    fetchedAt: fetchedAt - ms,
    advisoryAt: advisoryAt - ms,
    mandatoryAt: mandatoryAt - ms,
    expiresAt: expiresAt - ms,
  };
}

interface EntryContext {
  readonly clock: Clock;
  /** STS's clock minus this machine's, in milliseconds. */
  readonly skewMs: number;
  readonly windows: WindowOptions;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** Credentials without an expiration never expire. */
export function toEntry<T extends CachedIdentity>(
  credentials: T,
  { clock, skewMs, windows, random }: EntryContext,
): CachedEntry<T> {
  const now = clock.now();
  const expiration = credentials.expiration?.getTime() ?? Number.POSITIVE_INFINITY;
  const expiresAt = expiration - skewMs;
  const lifetimeMs = expiresAt - now;
  const { advisoryMs, mandatoryMs } = windowsFor(lifetimeMs, windows);
  return {
    credentials,
    promise: Promise.resolve(credentials),
    fetchedAt: now,
    monotonicAt: clock.monotonic(),
    advisoryAt: expiresAt - jitteredAdvisoryMs(advisoryMs, lifetimeMs, random, mandatoryMs),
    mandatoryAt: expiresAt - mandatoryMs,
    expiresAt,
  };
}
