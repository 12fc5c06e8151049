import { untilAborted } from "../abort.js";
import type { CacheOptions, CacheRequest, CacheSnapshot } from "./cache-options.js";
import { type CachedEntry, type CachedIdentity, isFresh, toEntry } from "./cached-entry.js";
import { Flight } from "./flight.js";
import { type Gate, isShut, pauseAfterFailure, refusalMemory } from "./gate.js";
import { RefreshTimer } from "./refresh-timer.js";

/** How long a caller waits for a refresh while what is cached still works, in milliseconds. */
const PATIENCE_MS = 100;

/**
 * One set of credentials, refreshed by one flight at a time whoever asks. While what is cached is
 * valid no failed refresh reaches a caller.
 */
export class CredentialCache<T extends CachedIdentity, R extends CacheRequest> {
  #entry: CachedEntry<T> | undefined;
  /** The same, unless it has been invalidated. */
  #fresh: CachedEntry<T> | undefined;
  #flight: Flight<T> | undefined;
  /** No refresh starts by itself before this time. */
  #gate: Gate | undefined;
  #refusal: (Gate & { readonly error: unknown }) | undefined;
  /** Why the cache was closed. */
  #end: { readonly reason: unknown } | undefined;
  /** Ends the refresh under way: an idle cache, of which there may be thousands, needs none. */
  #abort: AbortController | undefined;
  readonly #options: CacheOptions<T, R>;
  readonly #now: () => number;
  readonly #timer: RefreshTimer;

  constructor(options: CacheOptions<T, R>) {
    this.#options = options;
    this.#timer = new RefreshTimer(options.clock, this);
    this.#now = options.clock.now;
  }

  /** Credentials to sign with. The first few lines are all that a cached call costs. */
  get(request?: R): Promise<T> {
    const now = this.#now();
    const fresh = this.#fresh;
    return fresh !== undefined && isFresh(fresh, now) && !request?.forceRefresh
      ? fresh.promise
      : this.#getSlowly(now, request);
  }

  /**
   * Takes the cached credentials for rejected, so that the next call refreshes them. With an access
   * key id, only if it is still the cached one.
   */
  invalidate(accessKeyId?: string): void {
    const cached = this.#entry?.credentials.accessKeyId;
    if (cached !== undefined && (accessKeyId ?? cached) === cached) this.#fresh = undefined;
  }

  /** Ends the cache for good: waiters and later callers get `reason`. */
  close(reason: unknown): void {
    if (this.isClosed) return;
    this.#end = { reason };
    this.#abort?.abort(reason);
    this.#timer.clear();
    this.#entry = undefined;
    this.#fresh = undefined;
    this.#gate = undefined;
    this.#options.onClosed();
  }

  get isClosed(): boolean {
    return this.#end !== undefined;
  }

  snapshot(): CacheSnapshot {
    return {
      entry: this.#entry,
      invalidated: this.#fresh !== this.#entry,
      refreshing: this.#flight !== undefined,
      gateUntil: isShut(this.#gate, this.#now()) ? this.#gate.until : undefined,
      closed: this.isClosed,
    };
  }

  async #getSlowly(now: number, request: R | undefined): Promise<T> {
    this.#throwIfClosed();
    request?.abortSignal?.throwIfAborted();
    const entry = this.#entry;
    if (entry === undefined || now >= entry.expiresAt)
      return this.#whenNothingIsValid(now, request);

    const gated = isShut(this.#gate, now) && !request?.forceRefresh;
    if (gated) return entry.credentials;
    const flight = this.#join(request);
    const mayWait = request?.forceRefresh || this.#fresh === undefined;
    if (!mayWait && now < entry.mandatoryAt) return entry.credentials;
    const patienceMs = mayWait ? Number.POSITIVE_INFINITY : PATIENCE_MS;
    try {
      return await flight.wait(request?.abortSignal, patienceMs);
    } catch (error) {
      request?.abortSignal?.throwIfAborted();
      this.#throwIfClosed();
      const later = this.#now();
      // They expired under a caller who was patient: now only the refresh can help.
      if (this.#flight === flight && later >= entry.expiresAt)
        return this.#whenNothingIsValid(later, request);
      return this.#validOr(error);
    }
  }

  async #whenNothingIsValid(now: number, request: R | undefined): Promise<T> {
    const { serveExpired } = this.#options;
    if (
      serveExpired &&
      this.#entry !== undefined &&
      isShut(this.#gate, now) &&
      !request?.forceRefresh
    ) {
      return this.#serveExpired(this.#entry.credentials);
    }
    if (isShut(this.#refusal, now) && !request?.forceRefresh) {
      throw this.#refusal.error;
    }
    try {
      return await this.#join(request).wait(request?.abortSignal, Number.POSITIVE_INFINITY);
    } catch (error) {
      request?.abortSignal?.throwIfAborted();
      this.#throwIfClosed();
      if (!serveExpired || this.#entry === undefined) throw error;
      return this.#serveExpired(this.#entry.credentials);
    }
  }

  #throwIfClosed(): void {
    if (this.#end !== undefined) throw this.#end.reason;
  }

  #serveExpired(credentials: T): T {
    this.#options.onExpiredServed(credentials);
    return credentials;
  }

  /** What a failed or slow refresh leaves: the cached credentials for as long as they are valid. */
  #validOr(error: unknown): T {
    const entry = this.#entry;
    const { clock, serveExpired } = this.#options;
    if (entry !== undefined && clock.now() < entry.expiresAt) return entry.credentials;
    if (serveExpired && entry !== undefined) return this.#serveExpired(entry.credentials);
    throw error;
  }

  /** The time for a refresh has come and nobody has called. */
  onTimer(): void {
    const entry = this.#entry;
    // Once expired, it is the callers who know whether anybody still needs credentials.
    if (entry === undefined || this.#now() >= entry.expiresAt) return;
    this.#join(undefined);
  }

  #schedule(at: number): void {
    if (this.#options.aheadOfTime) this.#timer.set(at);
  }

  #join(request: R | undefined): Flight<T> {
    this.#flight ??= this.#start(request);
    return this.#flight;
  }

  #start(request: R | undefined): Flight<T> {
    const { refresh, staleAnswer, clock } = this.#options;
    const abort = new AbortController();
    this.#abort = abort;
    const run = async () => {
      const { signal } = abort;
      try {
        // A refresh that does not heed its signal must not keep its waiters after the end.
        const credentials = await untilAborted(refresh(request, signal), signal);
        const now = clock.now();
        const { windows, random, serverClock } = this.#options;
        const { skewMs } = serverClock;
        const entry = toEntry(credentials, { now, windows, random, skewMs });
        // A date that cannot be read is not later than now either.
        if (!(entry.expiresAt > now)) throw staleAnswer(credentials);
        this.#throwIfClosed();
        this.#entry = entry;
        this.#fresh = entry;
        this.#refusal = undefined;
        this.#gate = undefined;
        this.#schedule(entry.advisoryAt);
        return credentials;
      } catch (error) {
        if (!signal.aborted) this.#failed(error);
        throw error;
      } finally {
        this.#flight = undefined;
        this.#abort = undefined;
      }
    };
    return new Flight(run(), clock);
  }

  #failed(error: unknown): void {
    const { clock, random, serveExpired, isRefusal, onRefreshFailed } = this.#options;
    const now = clock.now();
    const remainingMs = (this.#entry?.expiresAt ?? now) - now;
    const valid = remainingMs > 0;
    if (valid || (serveExpired && this.#entry !== undefined)) {
      const pauseMs = pauseAfterFailure(valid ? remainingMs : Number.POSITIVE_INFINITY, random);
      this.#gate = { from: now, until: now + pauseMs };
    } else if (isRefusal(error)) {
      this.#refusal = { error, from: now, until: now + refusalMemory(random) };
    }
    if (valid && this.#gate !== undefined) this.#schedule(this.#gate.until);
    onRefreshFailed(error, {
      servedFromCache: valid || (serveExpired && this.#entry !== undefined),
      nextRefreshAt: isShut(this.#gate, now) ? this.#gate.until : undefined,
    });
  }
}
