import { type WindowOptions, windowsFor } from "./windows.js";

/** What the cache needs to know of credentials. */
export interface CachedIdentity {
  readonly accessKeyId: string;
  readonly expiration?: Date | undefined;
}

/** Cached credentials with the times that decide about them, in milliseconds since the epoch. */
export interface CachedEntry<T> {
  readonly credentials: T;
  /** The same, settled: handed out as it is, a cached call allocates nothing. */
  readonly promise: Promise<T>;
  readonly fetchedAt: number;
  readonly advisoryAt: number;
  readonly mandatoryAt: number;
  readonly expiresAt: number;
}

/** Credentials without an expiration never expire. */
export function toEntry<T extends CachedIdentity>(
  credentials: T,
  now: number,
  options: WindowOptions,
): CachedEntry<T> {
  const expiresAt = credentials.expiration?.getTime() ?? Number.POSITIVE_INFINITY;
  const { advisoryMs, mandatoryMs } = windowsFor(expiresAt - now, options);
  return {
    credentials,
    promise: Promise.resolve(credentials),
    fetchedAt: now,
    advisoryAt: expiresAt - advisoryMs,
    mandatoryAt: expiresAt - mandatoryMs,
    expiresAt,
  };
}
