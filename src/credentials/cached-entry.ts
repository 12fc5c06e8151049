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
  readonly advisoryAt: number;
  readonly mandatoryAt: number;
  readonly expiresAt: number;
}

/**
 * Whether no refresh is due. Before they were fetched one is: the clock was set back, and nobody
 * knows how long they still live.
 */
export function isFresh({ fetchedAt, advisoryAt }: CachedEntry<unknown>, now: number): boolean {
  return now < advisoryAt && now >= fetchedAt;
}

interface EntryContext {
  /** This machine's clock, in milliseconds since the epoch. */
  readonly now: number;
  /** STS's clock minus this machine's, in milliseconds. */
  readonly skewMs: number;
  readonly windows: WindowOptions;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** Credentials without an expiration never expire. */
export function toEntry<T extends CachedIdentity>(
  credentials: T,
  { now, skewMs, windows, random }: EntryContext,
): CachedEntry<T> {
  const expiration = credentials.expiration?.getTime() ?? Number.POSITIVE_INFINITY;
  const expiresAt = expiration - skewMs;
  const lifetimeMs = expiresAt - now;
  const { advisoryMs, mandatoryMs } = windowsFor(lifetimeMs, windows);
  return {
    credentials,
    promise: Promise.resolve(credentials),
    fetchedAt: now,
    advisoryAt: expiresAt - jitteredAdvisoryMs(advisoryMs, lifetimeMs, random, mandatoryMs),
    mandatoryAt: expiresAt - mandatoryMs,
    expiresAt,
  };
}
