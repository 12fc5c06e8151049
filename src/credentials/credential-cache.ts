import { AsyncResource } from "node:async_hooks";
import { untilAborted } from "../runtime/abort.js";
import type { CacheOptions, CacheRequest, CacheSnapshot } from "./cache-options.js";
import { type CachedIdentity, toEntry } from "./cached-entry.js";
import { EntrySlot } from "./entry-slot.js";
import { Flight } from "./flight.js";
import { backoffWhileCachedMs, cachedRejectionMs, urgentBackoffMs } from "./refresh-backoff.js";
import { RefreshTimer } from "./refresh-timer.js";

/** How long a refresh keeps callers waiting while what is cached still works, in milliseconds. */
const PATIENCE_MS = 100;

/** What a failed refresh leaves behind; a success removes it. Times are of `Clock.monotonic()`. */
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
 * A refresh serves every caller and outlives the one that started it, so it runs in the
 * `AsyncLocalStorage` context of none: in that in which this module was loaded.
 */
const moduleContext = new AsyncResource("resilient-sts", { requireManualDestroy: true });

/**
 * One set of credentials, with one refresh at a time for all callers. While the cached
 * credentials are valid, no failed refresh reaches a caller. After a failed refresh the cache keeps
 * what it has and waits before it starts another: callers with valid credentials get those, all
 * others get the error of the failed refresh at once.
 */
export class CredentialCache<T extends CachedIdentity, R extends CacheRequest> {
  readonly #slot: EntrySlot<T>;
  #flight: Flight<T> | undefined;
  #failure: RefreshFailure | undefined;
  /** Why the cache was closed. */
  #end: { readonly reason: unknown } | undefined;
  /** Ends the refresh under way: an idle cache, of which there may be thousands, needs none. */
  #abort: AbortController | undefined;
  readonly #options: CacheOptions<T, R>;
  readonly #timer: RefreshTimer;

  constructor(options: CacheOptions<T, R>) {
    this.#options = options;
    this.#slot = new EntrySlot(options.clock);
    this.#timer = new RefreshTimer(options.clock, this);
  }

  /** Credentials to sign with. */
  get(request?: R): Promise<T> {
    const fresh = request?.forceRefresh ? undefined : this.#slot.fresh();
    return fresh ?? this.#getSlowly(request);
  }

  /**
   * Takes the cached credentials for rejected, so that the next call refreshes them. With an access
   * key id, only if it is still the cached one.
   */
  invalidate(accessKeyId?: string): void {
    this.#slot.reject(accessKeyId);
  }

  /** Ends the cache for good: waiters and later callers get `reason`. */
  close(reason: unknown): void {
    if (this.isClosed) return;
    this.#end = { reason };
    this.#abort?.abort(reason);
    this.#timer.clear();
    this.#slot.clear();
    this.#failure = undefined;
    this.#options.onClosed();
  }

  get isClosed(): boolean {
    return this.#end !== undefined;
  }

  snapshot(): CacheSnapshot {
    return {
      entry: this.#slot.entry,
      age: this.#slot.age(),
      invalidated: this.#slot.isRejected,
      refreshing: this.#flight !== undefined,
      nextRefreshAllowedAt: this.#nextRefreshAllowedAt(),
      closed: this.isClosed,
    };
  }

  async #getSlowly(request: R | undefined): Promise<T> {
    this.#throwIfClosed();
    request?.abortSignal?.throwIfAborted();
    const { entry, isRejected } = this.#slot;
    const { certainMs, possibleMs } = this.#slot.age();
    if (entry === undefined || certainMs >= entry.lifetimeMs) {
      return this.#whenNothingIsValid(request);
    }
    if (this.#backoffMs(request) > 0) return entry.credentials;
    const flight = this.#join(request);
    // By a wall clock that jumped forward they have expired; whether that is so, the refresh shows.
    const isInDoubt = possibleMs >= entry.lifetimeMs;
    const mayWait = request?.forceRefresh || isRejected || isInDoubt;
    if (!mayWait && possibleMs < entry.mandatoryAfterMs) return entry.credentials;
    this.#options.onWait?.();
    try {
      const landed = mayWait
        ? await flight.wait(request?.abortSignal)
        : await flight.waitBriefly(request?.abortSignal, PATIENCE_MS);
      if (landed !== undefined) return landed;
    } catch (error) {
      request?.abortSignal?.throwIfAborted();
      this.#throwIfClosed();
      return this.#validOr(error);
    }
    // If they have expired under a caller who was patient, only the refresh can help.
    return this.#valid() ?? this.#whenNothingIsValid(request);
  }

  async #whenNothingIsValid(request: R | undefined): Promise<T> {
    // A refresh in progress is joined, not repeated.
    if (this.#flight === undefined && this.#backoffMs(request) > 0) {
      return this.#validOr(this.#failure?.error);
    }
    const flight = this.#join(request);
    this.#options.onWait?.();
    try {
      return await flight.wait(request?.abortSignal);
    } catch (error) {
      request?.abortSignal?.throwIfAborted();
      this.#throwIfClosed();
      return this.#validOr(error);
    }
  }

  #throwIfClosed(): void {
    if (this.#end !== undefined) throw this.#end.reason;
  }

  #serveExpired(credentials: T): T {
    moduleContext.runInAsyncScope(this.#options.onExpiredServed, undefined, credentials);
    return credentials;
  }

  #valid(): T | undefined {
    return this.#slot.validForMs() > 0 ? this.#slot.entry?.credentials : undefined;
  }

  /** What a failed refresh leaves: the cached credentials for as long as they may be served. */
  #validOr(error: unknown): T {
    const valid = this.#valid();
    if (valid !== undefined) return valid;
    const { entry } = this.#slot;
    if (entry === undefined || !this.#options.serveExpired) throw error;
    return this.#serveExpired(entry.credentials);
  }

  /** Starts a refresh that is due without a caller. */
  onTimer(): void {
    this.#flight ??= this.#start(undefined, true);
  }

  /** For how long the last failure keeps this request from starting a refresh, in milliseconds. */
  #backoffMs(request?: R): number {
    const failure = this.#failure;
    if (failure === undefined) return 0;
    const { nextRefreshAllowedAt, nextUrgentRefreshAllowedAt, servedFromCache } = failure;
    // What callers were to be served with meanwhile has expired.
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

  #canServe(): boolean {
    if (this.#slot.validForMs() > 0) return true;
    return this.#options.serveExpired && this.#slot.entry !== undefined;
  }

  #schedule(inMs: number): void {
    if (this.#options.aheadOfTime) this.#timer.set(inMs);
  }

  #join(request: R | undefined): Flight<T> {
    this.#flight ??= this.#start(request, false);
    return this.#flight;
  }

  #start(request: R | undefined, isBackground: boolean): Flight<T> {
    this.#options.onRefreshStarted?.(isBackground);
    const { refresh, staleAnswer, onRefreshed, clock } = this.#options;
    const abort = new AbortController();
    this.#abort = abort;
    // `async` turns a synchronous throw into a rejection.
    const begin = async () => refresh(request, abort.signal);
    const run = async () => {
      const { signal } = abort;
      try {
        // A refresh that does not heed its signal must not keep its waiters after the end.
        const credentials = await untilAborted(begin(), signal);
        const { windows, random } = this.#options;
        const entry = toEntry(credentials, { clock, windows, random });
        // A date that cannot be read is not later than now either.
        if (!(entry.lifetimeMs > 0)) throw staleAnswer(credentials);
        this.#throwIfClosed();
        this.#slot.put(entry);
        this.#failure = undefined;
        this.#schedule(entry.advisoryAfterMs);
        onRefreshed();
        // Whoever was told may have ended it all.
        this.#throwIfClosed();
        return credentials;
      } catch (error) {
        if (!this.isClosed) this.#failed(error);
        throw error;
      } finally {
        this.#flight = undefined;
        this.#abort = undefined;
      }
    };
    return new Flight(moduleContext.runInAsyncScope(run), clock);
  }

  #failed(error: unknown): void {
    const { adviceOf, onRefreshFailed } = this.#options;
    const { isRejection, isFree, retryAfterMs = 0 } = adviceOf(error);
    const servedFromCache = this.#canServe();
    if (servedFromCache || !isFree) this.#backOff(error, isRejection, retryAfterMs);
    const nextRefreshAllowedAt = this.#nextRefreshAllowedAt();
    onRefreshFailed(error, { servedFromCache, nextRefreshAllowedAt });
  }

  #backOff(error: unknown, isRejection: boolean, retryAfterMs: number): void {
    const { random, clock } = this.#options;
    const { entry, isRejected } = this.#slot;
    const count = (this.#failure?.count ?? 0) + 1;
    const remainingMs = this.#slot.validForMs();
    const servedFromCache = this.#canServe();
    const urgentMs = urgentBackoffMs(count, retryAfterMs, random);
    let backoffMs = urgentMs;
    if (servedFromCache) {
      const cachedMs = backoffWhileCachedMs(remainingMs || Number.POSITIVE_INFINITY, random);
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
    // Forced before it was due, it is no sooner due for that.
    const dueInMs = isRejected ? 0 : (entry?.advisoryAfterMs ?? 0) - this.#slot.age().possibleMs;
    if (remainingMs > 0) this.#schedule(Math.max(backoffMs, dueInMs));
  }
}
