import type { Clock, Elapsed } from "../runtime/clock.js";
import type { CachedEntry, CachedIdentity } from "./cached-entry.js";
import type { WindowOptions } from "./windows.js";

/** What one caller asks for. */
export interface CacheRequest {
  /** Refresh even if the cached credentials are fresh. */
  readonly forceRefresh?: boolean | undefined;
  /** Ends this caller's wait, not the refresh that others wait for too. */
  readonly abortSignal?: AbortSignal | undefined;
}

export interface CacheOptions<T extends CachedIdentity, R extends CacheRequest> {
  /** Gets new credentials for the first caller; its signal aborts when the cache is closed. */
  readonly refresh: (request: R | undefined, signal: AbortSignal) => Promise<T>;
  /**
   * A refresh starts: called in the `AsyncLocalStorage` context of the caller that needs it, unless a
   * timer started it.
   */
  readonly onRefreshStarted?: (isBackground: boolean) => void;
  /** A caller waits for the refresh in progress: called in that caller's context. */
  readonly onWait?: () => void;
  /** The error for an answer that has expired before it arrived. */
  readonly staleAnswer: (credentials: T) => Error;
  /** What a failed refresh says about the next one. */
  readonly adviceOf: (error: unknown) => FailureAdvice;
  /** New credentials are in the cache; told before any waiter gets them. */
  readonly onRefreshed: () => void;
  /** A refresh failed; told before any waiter hears of it. */
  readonly onRefreshFailed: (error: unknown, state: FailedRefresh) => void;
  /** Expired credentials were handed out. */
  readonly onExpiredServed: (credentials: T) => void;
  /** The cache has come to its end. */
  readonly onClosed: () => void;
  readonly windows: WindowOptions;
  /** Whether a refresh starts when it is due even if nobody calls. */
  readonly aheadOfTime: boolean;
  readonly serveExpired: boolean;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** What a failed refresh says about the next one. */
export interface FailureAdvice {
  /** A refusal that does not pass by itself: the next refresh would get the same answer. */
  readonly isRejection: boolean;
  /** The refresh asked no source, only this process: it may be repeated without a pause. */
  readonly isFree: boolean;
  /** How long the source asked to be left alone (`Retry-After`), in milliseconds. */
  readonly retryAfterMs: number | undefined;
}

export interface FailedRefresh {
  readonly servedFromCache: boolean;
  /** Milliseconds since the epoch; absent when the next call may start a refresh at once. */
  readonly nextRefreshAllowedAt: number | undefined;
}

/** What is cached, and what is under way. */
export interface CacheSnapshot {
  readonly entry: CachedEntry<CachedIdentity> | undefined;
  /** How long the entry has been cached; 0 without one. */
  readonly age: Elapsed;
  /** Whether a service rejected what is cached. */
  readonly invalidated: boolean;
  readonly refreshing: boolean;
  /** No refresh starts before this time unless it is forced; milliseconds since the epoch. */
  readonly nextRefreshAllowedAt: number | undefined;
  readonly closed: boolean;
}
