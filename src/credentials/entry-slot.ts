import type { Clock } from "../runtime/clock.js";
import { type CachedEntry, type CachedIdentity, earlier, isFresh } from "./cached-entry.js";

/** For so long at most a fresh entry is handed out without a look at the other clock. */
const LOOK_EVERY_MS = 60_000;

/** The clocks drift apart by themselves, and the wall clock has whole milliseconds. */
const MIN_STEP_MS = 1_000;

/**
 * The place of the one entry of a cache. Its times are the wall clock's, and when that is set back
 * they follow: nothing lives longer for it, and nothing is refreshed sooner.
 */
export class EntrySlot<T extends CachedIdentity> {
  #entry: CachedEntry<T> | undefined;
  #isRejected = false;
  /** Between these times of the wall clock the entry is fresh without a doubt. */
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

  /** The wall clock; from now on the entry's times are right by it. */
  now(): number {
    const now = this.#now();
    const entry = this.#entry;
    if (entry === undefined) return now;
    const ageMs = this.#clock.monotonic() - entry.monotonicAt;
    const setBackMs = entry.fetchedAt + ageMs - now;
    if (setBackMs >= MIN_STEP_MS) this.#entry = earlier(entry, setBackMs);
    return now;
  }

  #freshAfterLook(): Promise<T> | undefined {
    const now = this.now();
    const entry = this.#entry;
    if (entry === undefined || this.#isRejected || !isFresh(entry, now)) return undefined;
    this.#freshFrom = now;
    this.#freshUntil = Math.min(entry.advisoryAt, now + LOOK_EVERY_MS);
    return entry.promise;
  }
}
