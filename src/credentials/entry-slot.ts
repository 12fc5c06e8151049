import { type Clock, type Elapsed, elapsedSince } from "../runtime/clock.js";
import type { CachedEntry, CachedIdentity } from "./cached-entry.js";

/** For so long at most a fresh entry is handed out without a look at the other clocks. */
const LOOK_EVERY_MS = 60_000;

const NO_AGE: Elapsed = { certainMs: 0, possibleMs: 0 };

/**
 * The place of the one entry of a cache. Its age is computed from the moment it was fetched each time,
 * so no change of the wall clock shortens or lengthens its life for good.
 */
export class EntrySlot<T extends CachedIdentity> {
  #entry: CachedEntry<T> | undefined;
  #isRejected = false;
  /** Between these times of the wall clock the entry is fresh without another look. */
  #freshFrom = 0;
  #freshUntil = 0;
  readonly #clock: Clock;
  readonly #now: () => number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#now = clock.now;
  }

  get entry(): CachedEntry<T> | undefined {
    return this.#entry;
  }

  /** Whether the entry was rejected: it may still be valid, but it is no longer fresh. */
  get isRejected(): boolean {
    return this.#isRejected;
  }

  put(entry: CachedEntry<T>): void {
    this.#entry = entry;
    this.#isRejected = false;
    this.#freshUntil = 0;
  }

  /** With an access key id, only if it is still the one in here. */
  reject(accessKeyId?: string): void {
    const held = this.#entry?.credentials.accessKeyId;
    if (held === undefined || (accessKeyId ?? held) !== held) return;
    this.#isRejected = true;
    this.#freshUntil = 0;
  }

  clear(): void {
    this.#entry = undefined;
  }

  /** The credentials, if no refresh is due. These few lines are all that a cached call costs. */
  fresh(): Promise<T> | undefined {
    const now = this.#now();
    const isSure = now < this.#freshUntil && now >= this.#freshFrom;
    return isSure ? this.#entry?.promise : this.#freshAfterLook();
  }

  /** How long the entry has been cached. */
  age(): Elapsed {
    return this.#entry === undefined ? NO_AGE : elapsedSince(this.#entry.fetchedAt, this.#clock);
  }

  /** For how long the entry may certainly be served, in milliseconds; 0 without one. */
  validForMs(): number {
    const entry = this.#entry;
    return entry === undefined ? 0 : Math.max(0, entry.lifetimeMs - this.age().certainMs);
  }

  #freshAfterLook(): Promise<T> | undefined {
    const entry = this.#entry;
    if (entry === undefined || this.#isRejected) return undefined;
    const leftMs = entry.advisoryAfterMs - this.age().possibleMs;
    if (leftMs <= 0) return undefined;
    this.#freshFrom = this.#now();
    this.#freshUntil = this.#freshFrom + Math.min(leftMs, LOOK_EVERY_MS);
    return entry.promise;
  }
}
