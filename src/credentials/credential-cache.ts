import { untilAborted } from "../abort.js";
import type { Clock } from "../clock.js";
import { type CachedEntry, type CachedIdentity, toEntry } from "./cached-entry.js";
import { Flight } from "./flight.js";
import { pauseAfterFailure, refusalMemory } from "./gate.js";
import { RefreshTimer } from "./refresh-timer.js";
import type { WindowOptions } from "./windows.js";

/** What one caller asks for. */
export interface CacheRequest {
  /** Refresh even if the cached credentials are fresh. */
  readonly forceRefresh?: boolean | undefined;
  /** Ends this caller's wait, not the refresh that others wait for too. */
  readonly abortSignal?: AbortSignal | undefined;
}

export interface CacheOptions<T extends CachedIdentity, R extends CacheRequest> {
  /** Gets new credentials for whoever asked first; its signal aborts when the cache is closed. */
  readonly refresh: (request: R | undefined, signal: AbortSignal) => Promise<T>;
  /** The error for an answer that has expired before it arrived. */
  readonly staleAnswer: (credentials: T) => Error;
  /** Whether asking again at once is pointless: remembered for a moment while nothing is cached. */
  readonly isRefusal: (error: unknown) => boolean;
  /** A refresh failed; told before any waiter hears of it. */
  readonly onRefreshFailed: (error: unknown, state: FailedRefresh) => void;
  /** Expired credentials were handed out. */
  readonly onExpiredServed: (credentials: T) => void;
  readonly windows: WindowOptions;
  /** Whether a refresh starts when it is due even if nobody calls. */
  readonly aheadOfTime: boolean;
  /** STS's clock minus this machine's, in milliseconds. */
  readonly skewMs: () => number;
  readonly serveExpired: boolean;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

export interface FailedRefresh {
  readonly servedFromCache: boolean;
  /** Milliseconds since the epoch; absent when the next call may try at once. */
  readonly nextRefreshAt: number | undefined;
}

/** What is cached, and what is under way. */
export interface CacheSnapshot {
  readonly entry: CachedEntry<CachedIdentity> | undefined;
  readonly refreshing: boolean;
  /** No refresh starts by itself before this time, in milliseconds since the epoch. */
  readonly gateUntil: number;
  readonly closed: boolean;
}

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
  #gateUntil = Number.NEGATIVE_INFINITY;
  #refusal: { error: unknown; until: number } | undefined;
  readonly #life = new AbortController();
  readonly #options: CacheOptions<T, R>;
  readonly #now: () => number;
  readonly #timer: RefreshTimer;

  constructor(options: CacheOptions<T, R>) {
    this.#options = options;
    this.#timer = new RefreshTimer(options.clock, this);
    this.#now = options.clock.now;
  }

  /** Credentials to sign with. The first three lines are all that a cached call costs. */
  get(request?: R): Promise<T> {
    const now = this.#now();
    const fresh = this.#fresh;
    if (fresh !== undefined && now < fresh.advisoryAt && !request?.forceRefresh)
      return fresh.promise;
    return this.#getSlowly(now, request);
  }

  /**
   * Takes the cached credentials for rejected, so that the next call refreshes them. With an access
   * key id, only if it is still the cached one.
   */
  invalidate(accessKeyId?: string): void {
    const cached = this.#entry?.credentials.accessKeyId;
    if (cached !== undefined && (accessKeyId ?? cached) === cached) this.#fresh = undefined;
  }

  /** Ends the cache: waiters and later callers get `reason`. */
  close(reason: unknown): void {
    this.#life.abort(reason);
    this.#timer.clear();
    this.#entry = undefined;
    this.#fresh = undefined;
  }

  get isClosed(): boolean {
    return this.#life.signal.aborted;
  }

  snapshot(): CacheSnapshot {
    return {
      entry: this.#entry,
      refreshing: this.#flight !== undefined,
      gateUntil: this.#gateUntil,
      closed: this.isClosed,
    };
  }

  async #getSlowly(now: number, request: R | undefined): Promise<T> {
    this.#life.signal.throwIfAborted();
    request?.abortSignal?.throwIfAborted();
    const entry = this.#entry;
    if (entry === undefined || now >= entry.expiresAt)
      return this.#whenNothingIsValid(now, request);

    const gated = now < this.#gateUntil && !request?.forceRefresh;
    if (gated) return entry.credentials;
    const flight = this.#join(request);
    const mayWait = request?.forceRefresh || this.#fresh === undefined;
    if (!mayWait && now < entry.mandatoryAt) return entry.credentials;
    const patienceMs = mayWait ? Number.POSITIVE_INFINITY : PATIENCE_MS;
    try {
      return await flight.wait(request?.abortSignal, patienceMs);
    } catch (error) {
      request?.abortSignal?.throwIfAborted();
      this.#life.signal.throwIfAborted();
      return this.#validOr(error);
    }
  }

  async #whenNothingIsValid(now: number, request: R | undefined): Promise<T> {
    const { serveExpired } = this.#options;
    if (
      serveExpired &&
      this.#entry !== undefined &&
      now < this.#gateUntil &&
      !request?.forceRefresh
    ) {
      return this.#serveExpired(this.#entry.credentials);
    }
    if (this.#refusal !== undefined && now < this.#refusal.until && !request?.forceRefresh) {
      throw this.#refusal.error;
    }
    try {
      return await this.#join(request).wait(request?.abortSignal, Number.POSITIVE_INFINITY);
    } catch (error) {
      request?.abortSignal?.throwIfAborted();
      this.#life.signal.throwIfAborted();
      if (!serveExpired || this.#entry === undefined) throw error;
      return this.#serveExpired(this.#entry.credentials);
    }
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
    const run = async () => {
      try {
        const { signal } = this.#life;
        // A refresh that does not heed its signal must not keep its waiters after the end.
        const credentials = await untilAborted(refresh(request, signal), signal);
        const now = clock.now();
        const { windows, random, skewMs } = this.#options;
        const entry = toEntry(credentials, { now, windows, random, skewMs: skewMs() });
        // A date that cannot be read is not later than now either.
        if (!(entry.expiresAt > now)) throw staleAnswer(credentials);
        this.#life.signal.throwIfAborted();
        this.#entry = entry;
        this.#fresh = entry;
        this.#refusal = undefined;
        this.#gateUntil = Number.NEGATIVE_INFINITY;
        this.#schedule(entry.advisoryAt);
        return credentials;
      } catch (error) {
        if (!this.#life.signal.aborted) this.#failed(error);
        throw error;
      } finally {
        this.#flight = undefined;
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
      this.#gateUntil =
        now + pauseAfterFailure(valid ? remainingMs : Number.POSITIVE_INFINITY, random);
    } else if (isRefusal(error)) {
      this.#refusal = { error, until: now + refusalMemory(random) };
    }
    if (valid) this.#schedule(this.#gateUntil);
    onRefreshFailed(error, {
      servedFromCache: valid || (serveExpired && this.#entry !== undefined),
      nextRefreshAt: this.#gateUntil > now ? this.#gateUntil : undefined,
    });
  }
}
