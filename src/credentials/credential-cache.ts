import { untilAborted } from "../runtime/abort.js";
import type { CacheOptions, CacheRequest, CacheSnapshot } from "./cache-options.js";
import { type CachedIdentity, toEntry } from "./cached-entry.js";
import { EntrySlot } from "./entry-slot.js";
import { Flight } from "./flight.js";
import { type Gate, pauseAfterFailure, refusalMemory } from "./gate.js";
import { RefreshTimer } from "./refresh-timer.js";

/** How long a refresh keeps callers waiting while what is cached still works, in milliseconds. */
const PATIENCE_MS = 100;

/**
 * One set of credentials, refreshed by one flight at a time whoever asks. While what is cached is
 * valid no failed refresh reaches a caller.
 */
export class CredentialCache<T extends CachedIdentity, R extends CacheRequest> {
  readonly #slot: EntrySlot<T>;
  #flight: Flight<T> | undefined;
  /** No refresh starts by itself before this time. */
  #gate: Gate | undefined;
  #refusal: (Gate & { readonly error: unknown }) | undefined;
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
    this.#gate = undefined;
    this.#refusal = undefined;
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
      gateUntil: this.#pausedUntil(),
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
    const gated = this.#isShut(this.#gate) && !request?.forceRefresh;
    if (gated) return entry.credentials;
    const flight = this.#join(request);
    // By a wall clock that jumped forward they have expired; whether that is so, the refresh shows.
    const isInDoubt = possibleMs >= entry.lifetimeMs;
    const mayWait = request?.forceRefresh || isRejected || isInDoubt;
    if (!mayWait && possibleMs < entry.mandatoryAfterMs) return entry.credentials;
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
    if (!request?.forceRefresh) {
      const { entry } = this.#slot;
      const isPaused = this.#options.serveExpired && this.#isShut(this.#gate);
      if (isPaused && entry !== undefined) return this.#serveExpired(entry.credentials);
      const refusal = this.#refusal;
      if (refusal !== undefined && this.#isShut(refusal)) throw refusal.error;
    }
    try {
      return await this.#join(request).wait(request?.abortSignal);
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
    this.#options.onExpiredServed(credentials);
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

  /** The time for a refresh has come and nobody has called. */
  onTimer(): void {
    this.#join(undefined);
  }

  /** Until when no caller starts a refresh: the pause with something to serve, or a refusal. */
  #pausedUntil(): number | undefined {
    const { clock, serveExpired } = this.#options;
    const { entry } = this.#slot;
    const hasAny = entry !== undefined && (this.#slot.validForMs() > 0 || serveExpired);
    const pause = hasAny ? this.#gate : this.#refusal;
    if (pause === undefined || !this.#isShut(pause)) return undefined;
    return clock.now() + pause.until - clock.monotonic();
  }

  #isShut(gate: Gate | undefined): boolean {
    return gate !== undefined && this.#options.clock.monotonic() < gate.until;
  }

  #schedule(inMs: number): void {
    if (this.#options.aheadOfTime) this.#timer.set(inMs);
  }

  #join(request: R | undefined): Flight<T> {
    this.#flight ??= this.#start(request);
    return this.#flight;
  }

  #start(request: R | undefined): Flight<T> {
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
        this.#refusal = undefined;
        this.#gate = undefined;
        this.#schedule(entry.advisoryAfterMs);
        onRefreshed();
        // Whoever was told may have ended it all.
        this.#throwIfClosed();
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
    const { random, serveExpired, isRefusal, onRefreshFailed, clock } = this.#options;
    const now = clock.monotonic();
    const { entry, isRejected } = this.#slot;
    const remainingMs = this.#slot.validForMs();
    const valid = remainingMs > 0;
    const served = valid || (serveExpired && entry !== undefined);
    if (served) {
      const pauseMs = pauseAfterFailure(valid ? remainingMs : Number.POSITIVE_INFINITY, random);
      this.#gate = { until: now + pauseMs };
      // Forced before it was due, it is no sooner due for that.
      const dueInMs = isRejected ? 0 : (entry?.advisoryAfterMs ?? 0) - this.#slot.age().possibleMs;
      if (valid) this.#schedule(Math.max(pauseMs, dueInMs));
    } else if (isRefusal(error)) {
      this.#refusal = { error, until: now + refusalMemory(random) };
    }
    onRefreshFailed(error, {
      servedFromCache: served,
      nextRefreshAt: this.#pausedUntil(),
    });
  }
}
