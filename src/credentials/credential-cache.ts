import { AsyncResource } from "node:async_hooks";
import { closeOnAbort, throwIfAborted, untilAborted, withTimeout } from "../runtime/abort.js";
import type { Clock, Elapsed } from "../runtime/clock.js";
import { checkSignal } from "../runtime/validators.js";
import { InFlightRefresh } from "./in-flight-refresh.js";
import {
  backoffWhileCachedMs,
  CachedCredentials,
  type CachedIdentity,
  cachedRejectionMs,
  MIN_LIFETIME_MS,
  RefreshTimer,
  type Situation,
  urgentBackoffMs,
  type WindowOptions,
} from "./refresh-timing.js";

/*
 * This folder keeps credentials and decides when to refresh them. This file has the cache: one refresh for
 * all callers, three situations in which a caller gets credentials (advisory, mandatory, initial), and the
 * backoff after a failed refresh. `in-flight-refresh.ts` is the refresh that callers wait for, and
 * `refresh-timing.ts` has the windows, the lengths of the backoff and the timer.
 */

/** The request of one caller. */
export interface CacheRequest {
  /** Refresh even if no refresh is due. */
  readonly forceRefresh?: boolean | undefined;
  /** Ends this caller's wait, but not the refresh, because others may be waiting for it. */
  readonly abortSignal?: AbortSignal | undefined;
}

/** The result of a refresh: the credentials, and whatever else its owner passes on. */
export interface RefreshResult {
  readonly credentials: CachedIdentity;
}

export interface CacheOptions<F extends RefreshResult, R extends CacheRequest> {
  /** Gets new credentials, with the request of the first caller. The signal aborts when the cache is closed. */
  readonly refresh: (request: R | undefined, signal: AbortSignal) => Promise<F>;
  /**
   * Called when a refresh starts: in the `AsyncLocalStorage` context of the caller that needs it, unless a
   * timer starts it.
   */
  readonly onRefreshStarted?: (isBackground: boolean) => void;
  /** Called when a caller begins to wait for the in-flight refresh, in that caller's context. */
  readonly onWait?: () => void;
  /** Makes the error for credentials that have expired on arrival, or expire within a second. */
  readonly staleResponse: (credentials: F["credentials"]) => Error;
  /** Reads from the error of a failed refresh when the next one may start. */
  readonly adviceOf: (error: unknown) => FailureAdvice;
  /** Called when new credentials are in the cache, before any caller gets them. */
  readonly onRefreshed: (result: F) => void;
  /** Called when a refresh has failed, before any caller gets the error. */
  readonly onRefreshFailed: (error: unknown, state: FailedRefresh) => void;
  /** Called when a caller gets expired credentials. */
  readonly onExpiredServed: (credentials: F["credentials"]) => void;
  /** Called when the cache is closed. */
  readonly onClosed: () => void;
  /** How long a caller waits for a refresh, in milliseconds, if no cached credentials may be served. */
  readonly callerTimeoutMs?: number | undefined;
  /** Makes the error for a caller whose wait reaches that limit. */
  readonly callerTimedOut?: (() => Error) | undefined;
  readonly windows: WindowOptions;
  /** Whether a refresh that is due starts without a caller. */
  readonly aheadOfTime: boolean;
  readonly serveExpired: boolean;
  /** Closes the cache when it aborts, with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** What the error of a failed refresh says about the next refresh. */
export interface FailureAdvice {
  /** A permanent refusal: the next refresh would get the same response. */
  readonly isRejection: boolean;
  /** The refresh sent no request: it may be repeated without a pause. */
  readonly isFree: boolean;
  /** The wait that the response requires (`Retry-After`), in milliseconds. */
  readonly retryAfterMs: number | undefined;
}

export interface FailedRefresh {
  readonly servedFromCache: boolean;
  /** Milliseconds since the epoch; absent when the next call may start a refresh immediately. */
  readonly nextRefreshAllowedAt: number | undefined;
}

/** What is cached, and what is in progress. */
export interface CacheSnapshot {
  readonly entry: CachedCredentials<CachedIdentity> | undefined;
  /** `empty` without an entry. */
  readonly situation: Situation | "empty";
  /** How long ago the entry was fetched; 0 without one. */
  readonly age: Elapsed;
  /** Whether a service rejected the entry. */
  readonly invalidated: boolean;
  readonly refreshing: boolean;
  /** No refresh starts before this time unless it is forced; milliseconds since the epoch. */
  readonly nextRefreshAllowedAt: number | undefined;
  readonly closed: boolean;
}

/** How long a caller waits for a mandatory refresh while the cached credentials are valid, in milliseconds. */
const MANDATORY_WAIT_MS = 100;

const NO_AGE: Elapsed = { certainMs: 0, possibleMs: 0 };

/** The last failed refresh; a success clears it. Times are of `Clock.monotonic()`. */
interface RefreshFailure {
  readonly error: unknown;
  /** Failed refreshes since the last success. */
  readonly count: number;
  readonly servedFromCache: boolean;
  readonly nextRefreshAllowedAt: number;
  /** The same for a forced refresh, and for callers whose credentials have expired since. */
  readonly nextUrgentRefreshAllowedAt: number;
}

/**
 * A refresh serves every caller and outlives the one that started it, so it runs in no caller's
 * `AsyncLocalStorage` context, but in the one in which this module was loaded.
 */
const moduleContext = new AsyncResource("resilient-sts", { requireManualDestroy: true });

/**
 * One set of credentials, with one refresh at a time for all callers. While the cached credentials are
 * valid, no failed refresh reaches a caller. After a failed refresh, the cache waits before it starts
 * another one: meanwhile, callers get the cached credentials if they are valid, and otherwise the
 * error of the failed refresh immediately.
 */
export class CredentialCache<F extends RefreshResult, R extends CacheRequest> {
  #cached: CachedCredentials<F["credentials"]> | undefined;
  #inFlight: InFlightRefresh<F["credentials"]> | undefined;
  #failure: RefreshFailure | undefined;
  /** Why the cache was closed. */
  #end: { readonly reason: unknown } | undefined;
  /** Ends the in-flight refresh. Each refresh has its own, because a process may have thousands of caches. */
  #abort: AbortController | undefined;
  readonly #options: CacheOptions<F, R>;
  readonly #timer: RefreshTimer;
  #ignoreSignal = () => {};

  constructor(options: CacheOptions<F, R>) {
    this.#options = options;
    this.#timer = new RefreshTimer(options.clock, this);
    if (options.signal !== undefined) this.#ignoreSignal = closeOnAbort(options.signal, this);
  }

  /** Credentials to sign with. */
  get(request?: R): Promise<F["credentials"]> {
    const valid = request?.forceRefresh ? undefined : this.#cached?.whileValid();
    return valid ?? this.#getWithRefresh(request);
  }

  /**
   * Marks the cached credentials as rejected; the next call refreshes them. With an access key ID, only
   * if that key is still cached.
   */
  invalidate(accessKeyId?: string): void {
    const cachedId = this.#cached?.credentials.accessKeyId;
    if ((accessKeyId ?? cachedId) === cachedId) this.#cached?.invalidate();
  }

  /** Closes the cache permanently: waiting and later callers get `reason`. */
  close(reason: unknown): void {
    if (this.isClosed) return;
    this.#end = { reason };
    this.#ignoreSignal();
    this.#abort?.abort(reason);
    this.#timer.clear();
    this.#cached = undefined;
    this.#failure = undefined;
    this.#options.onClosed();
  }

  get isClosed(): boolean {
    return this.#end !== undefined;
  }

  snapshot(): CacheSnapshot {
    const entry = this.#cached;
    return {
      entry,
      situation: entry?.situation ?? "empty",
      age: entry?.age() ?? NO_AGE,
      invalidated: entry?.isInvalidated ?? false,
      refreshing: this.#inFlight !== undefined,
      nextRefreshAllowedAt: this.#nextRefreshAllowedAt(),
      closed: this.isClosed,
    };
  }

  /** Starts a refresh that is due, without a caller. */
  onTimer(): void {
    this.#inFlight ??= this.#start(undefined, true);
  }

  async #getWithRefresh(request: R | undefined): Promise<F["credentials"]> {
    this.#throwIfClosed();
    checkSignal("abortSignal", request?.abortSignal ?? undefined);
    throwIfAborted(request?.abortSignal);
    const cached = this.#cached;
    const situation = cached?.situation ?? "expired";
    if (cached === undefined || situation === "expired") return this.#initialRefresh(request);
    if (this.#backoffMs(request) > 0) return cached.credentials;
    const isDoubtful = cached.isInvalidated || cached.mayHaveExpired;
    if (request?.forceRefresh || isDoubtful) return this.#waitForRefresh(request);
    return situation === "mandatory"
      ? this.#mandatoryRefresh(request)
      : this.#advisoryRefresh(cached, request);
  }

  /** Starts a refresh if none is in flight. The caller does not wait for it. */
  #advisoryRefresh(
    { credentials }: CachedCredentials<F["credentials"]>,
    request: R | undefined,
  ): F["credentials"] {
    this.#join(request);
    return credentials;
  }

  /** The caller waits for the refresh, but not for long while the cached credentials are valid. */
  async #mandatoryRefresh(request: R | undefined): Promise<F["credentials"]> {
    const refreshed = await this.#waiting(request, (inFlight) =>
      inFlight.waitBriefly(request?.abortSignal, MANDATORY_WAIT_MS),
    );
    // If the cached credentials have expired meanwhile, only the refresh can help.
    return refreshed ?? this.#valid() ?? this.#initialRefresh(request);
  }

  /** No cached credentials are valid: the caller gets those of the refresh, or its error. */
  async #initialRefresh(request: R | undefined): Promise<F["credentials"]> {
    // The backoff delays only the next refresh: a caller may always join the one in flight.
    if (this.#inFlight === undefined && this.#backoffMs(request) > 0) {
      return this.#validOr(this.#failure?.error);
    }
    return this.#waitForRefresh(request);
  }

  #waitForRefresh(request: R | undefined): Promise<F["credentials"]> {
    const { clock, callerTimeoutMs: timeoutMs, callerTimedOut } = this.#options;
    const signal = request?.abortSignal;
    if (timeoutMs === undefined) return this.#waiting(request, (inFlight) => inFlight.wait(signal));
    // The limit ends this wait only, as the caller's signal does: the refresh has its own deadline.
    const reason = callerTimedOut?.() ?? new Error("the caller's limit was reached");
    return this.#waiting(request, (inFlight) =>
      withTimeout({ clock, signal, timeoutMs, reason }, (limited) => inFlight.wait(limited)),
    );
  }

  /** If the refresh fails, the caller gets the cached credentials for as long as they may be served. */
  async #waiting<W>(
    request: R | undefined,
    wait: (inFlight: InFlightRefresh<F["credentials"]>) => Promise<W>,
  ): Promise<W | F["credentials"]> {
    const inFlight = this.#join(request);
    this.#options.onWait?.();
    try {
      return await wait(inFlight);
    } catch (error) {
      throwIfAborted(request?.abortSignal);
      this.#throwIfClosed();
      return this.#validOr(error);
    }
  }

  #join(request: R | undefined): InFlightRefresh<F["credentials"]> {
    this.#inFlight ??= this.#start(request, false);
    return this.#inFlight;
  }

  #start(request: R | undefined, isBackground: boolean): InFlightRefresh<F["credentials"]> {
    this.#options.onRefreshStarted?.(isBackground);
    const result = moduleContext.runInAsyncScope(() => this.#singleRefresh(request));
    return new InFlightRefresh(result, this.#options.clock);
  }

  /** Gets new credentials and caches them. A failure is remembered for the backoff. */
  async #singleRefresh(request: R | undefined): Promise<F["credentials"]> {
    const { refresh, staleResponse, onRefreshed } = this.#options;
    const abort = new AbortController();
    this.#abort = abort;
    try {
      // `async` turns a synchronous throw into a rejection.
      const running = (async () => refresh(request, abort.signal))();
      // A refresh that ignores its signal must not keep callers waiting after close().
      const result = await untilAborted(running, abort.signal);
      const cached = new CachedCredentials(result.credentials, this.#options);
      // Written so that an invalid expiration (NaN) fails too.
      if (!(cached.lifetimeMs >= MIN_LIFETIME_MS)) throw staleResponse(result.credentials);
      this.#throwIfClosed();
      this.#cached = cached;
      this.#failure = undefined;
      this.#schedule(cached.advisoryAfterMs);
      onRefreshed(result);
      // A listener may have closed the cache.
      this.#throwIfClosed();
      return result.credentials;
    } catch (error) {
      if (!this.isClosed) this.#noteFailure(error);
      throw error;
    } finally {
      this.#inFlight = undefined;
      this.#abort = undefined;
    }
  }

  #noteFailure(error: unknown): void {
    const { adviceOf, onRefreshFailed } = this.#options;
    const advice = adviceOf(error);
    const servedFromCache = this.#canServe();
    if (servedFromCache || !advice.isFree) this.#backOff(error, advice);
    const nextRefreshAllowedAt = this.#nextRefreshAllowedAt();
    onRefreshFailed(error, { servedFromCache, nextRefreshAllowedAt });
  }

  #backOff(error: unknown, { isRejection, retryAfterMs = 0 }: FailureAdvice): void {
    const { random, clock } = this.#options;
    const count = (this.#failure?.count ?? 0) + 1;
    const validForMs = this.#cached?.validForMs() ?? 0;
    const servedFromCache = this.#canServe();
    const urgentMs = urgentBackoffMs(count, retryAfterMs, random);
    let backoffMs = urgentMs;
    if (servedFromCache) {
      const cachedMs = backoffWhileCachedMs(validForMs || Number.POSITIVE_INFINITY, random);
      backoffMs = Math.max(urgentMs, cachedMs);
    } else if (isRejection) backoffMs = Math.max(urgentMs, cachedRejectionMs(random));
    const now = clock.monotonic();
    this.#failure = {
      error,
      count,
      servedFromCache,
      nextRefreshAllowedAt: now + backoffMs,
      nextUrgentRefreshAllowedAt: now + urgentMs,
    };
    // When a forced refresh fails early, the next refresh is still due at its usual time.
    if (validForMs > 0) this.#schedule(Math.max(backoffMs, this.#cached?.dueInMs() ?? 0));
  }

  /** For how long the last failure keeps this request from starting a refresh, in milliseconds. */
  #backoffMs(request?: R): number {
    const failure = this.#failure;
    if (failure === undefined) return 0;
    const { nextRefreshAllowedAt, nextUrgentRefreshAllowedAt, servedFromCache } = failure;
    // The cached credentials, which callers got during the backoff, have expired.
    const isMissing = servedFromCache && !this.#canServe();
    const isUrgent = request?.forceRefresh === true || isMissing;
    const allowedAt = isUrgent ? nextUrgentRefreshAllowedAt : nextRefreshAllowedAt;
    return Math.max(0, allowedAt - this.#options.clock.monotonic());
  }

  /** Milliseconds since the epoch, or `undefined` when the next caller may start a refresh. */
  #nextRefreshAllowedAt(): number | undefined {
    const backoffMs = this.#backoffMs();
    return backoffMs > 0 ? Math.ceil(this.#options.clock.now() + backoffMs) : undefined;
  }

  #schedule(inMs: number): void {
    if (this.#options.aheadOfTime) this.#timer.set(inMs);
  }

  #valid(): F["credentials"] | undefined {
    const cached = this.#cached;
    return cached !== undefined && cached.validForMs() > 0 ? cached.credentials : undefined;
  }

  #canServe(): boolean {
    return (
      this.#valid() !== undefined || (this.#options.serveExpired && this.#cached !== undefined)
    );
  }

  /** What callers get after a failed refresh: the cached credentials if they may be served, or the error. */
  #validOr(error: unknown): F["credentials"] {
    const valid = this.#valid();
    if (valid !== undefined) return valid;
    if (this.#cached === undefined || !this.#options.serveExpired) throw error;
    const { credentials } = this.#cached;
    moduleContext.runInAsyncScope(this.#options.onExpiredServed, undefined, credentials);
    return credentials;
  }

  #throwIfClosed(): void {
    if (this.#end !== undefined) throw this.#end.reason;
  }
}
