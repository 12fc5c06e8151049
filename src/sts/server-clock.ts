import { createHash } from "node:crypto";
import { type Clock, elapsedSince, hasStepped, type Moment, momentOf } from "../runtime/clock.js";
import { parseHttpDate } from "../runtime/time-text.js";

/**
 * Smaller differences are ignored, in milliseconds: `Date` has whole seconds, and the response takes time
 * to arrive.
 */
const MIN_SKEW_MS = 15_000;

/** The times of one response with a session. */
export interface SessionTimes {
  /** The response's `Date` header. */
  readonly date: string | undefined;
  /** When the session ends by STS's clock; absent when the response does not say. */
  readonly expiration: Date | undefined;
  /** The requested length of the session, in milliseconds. */
  readonly requestedMs: number;
  /** When the request was sent. */
  readonly sentAt: Moment;
}

/** A `Date` header that can't be right. */
export interface RejectedDate {
  /** ISO 8601. */
  readonly date: string;
  /** Its difference from the time that was used instead, in milliseconds. */
  readonly skewMs: number;
  /** When the session ends (ISO 8601). */
  readonly expiration: string;
  /**
   * Why the date can't be right: the session would last longer than was requested, or would have expired
   * on arrival.
   */
  readonly reason: "session-too-long" | "expired-on-arrival";
}

export interface SessionSkew {
  /** STS's clock minus this machine's, in milliseconds. */
  readonly skewMs: number;
  readonly rejectedDate?: RejectedDate | undefined;
}

/** The time at one STS endpoint. */
export interface ServerTime {
  /** Milliseconds since the epoch; this machine's time until a response has shown the difference. */
  readonly now: number;
  readonly isVerified: boolean;
}

/** How long a token that STS refused as expired is not sent again, if the clock is unverified; in milliseconds. */
const REMEMBERED_MS = 300_000;

/**
 * What the responses of one STS endpoint show about its clock.
 *
 * A session proves the `Date` of its response: STS issues it for the requested length, so its expiration
 * must match the `Date`. A refusal has no such proof: its `Date` counts only if this machine's clock
 * agrees. While the clock is unverified, no token is refused because of its times.
 */
export class ServerClock {
  readonly #clock: Clock;
  #shown: { readonly skewMs: number; readonly at: Moment } | undefined;
  #refused: { readonly token: string; readonly until: number } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param now - by this machine's clock, in milliseconds since the epoch. */
  read(now = this.#clock.now()): ServerTime {
    const shown = this.#shown;
    // If the clock was set since then, or the machine suspended, the next response shows the difference.
    const isVerified = shown !== undefined && !hasStepped(shown.at, this.#clock);
    return { now: isVerified ? now + shown.skewMs : now, isVerified };
  }

  /** Compares the times of a response with a session, and learns from them. */
  learnFromSession({ date = "", expiration, requestedMs, sentAt }: SessionTimes): SessionSkew {
    const now = this.#clock.now();
    const dateMs = parseHttpDate(date, now) ?? Number.NaN;
    const expiresMs = expiration?.getTime() ?? Number.NaN;
    // The machine may have been suspended during the request.
    const tookMs = Math.max(0, elapsedSince(sentAt, this.#clock).certainMs);
    const isNear = dateMs - now < MIN_SKEW_MS && now - dateMs - tookMs < MIN_SKEW_MS;
    if (isNear) this.#shown = { skewMs: 0, at: momentOf(this.#clock) };
    if (isNear || Number.isNaN(expiresMs)) return { skewMs: 0 };

    const { now: known, isVerified } = this.read(now);
    // Other implementations of STS may have no `Date`, and sessions of any length.
    if (Number.isNaN(dateMs)) return { skewMs: known - now };
    const byDateMs = expiresMs - dateMs;
    const byKnownMs = expiresMs - known;
    const isWhole = (lifetimeMs: number) => Math.abs(lifetimeMs - requestedMs) < MIN_SKEW_MS;
    if (isWhole(byDateMs)) {
      this.#shown = { skewMs: dateMs - now, at: momentOf(this.#clock) };
      // The safe assumption: `Date` was written when the call began.
      return { skewMs: dateMs + tookMs - now };
    }
    const rejected = (believed: number): SessionSkew => ({
      skewMs: believed - now,
      rejectedDate: {
        date: new Date(dateMs).toISOString(),
        skewMs: dateMs - believed,
        expiration: new Date(expiresMs).toISOString(),
        reason: byDateMs > 0 ? "session-too-long" : "expired-on-arrival",
      },
    });
    if (isWhole(byKnownMs)) {
      this.#shown = { skewMs: known - now, at: momentOf(this.#clock) };
      return rejected(known);
    }
    const isPossible = (lifetimeMs: number) => lifetimeMs > 0 && lifetimeMs < requestedMs;
    if (!isPossible(byDateMs)) {
      // Neither clock fits: the session is assumed to have the requested length.
      const isProven = isVerified && isPossible(byKnownMs);
      return rejected(isProven ? known : expiresMs - requestedMs);
    }
    // STS issued a shorter session than requested. Both clocks may be right: the shorter lifetime counts.
    const isLess = isPossible(byKnownMs) && byKnownMs < byDateMs;
    return { skewMs: (isLess ? known : dateMs + tookMs) - now };
  }

  /** Learns from the `Date` of a refusal. */
  learnFromRefusal(date: string | undefined): void {
    const now = this.#clock.now();
    const dateMs = parseHttpDate(date ?? "", now) ?? Number.NaN;
    if (Math.abs(dateMs - now) < MIN_SKEW_MS)
      this.#shown = { skewMs: 0, at: momentOf(this.#clock) };
  }

  /** Notes that STS has refused this token as expired. */
  noteExpired(token: string): void {
    const until = this.#clock.monotonic() + REMEMBERED_MS;
    this.#refused = { token: digest(token), until };
  }

  /** Whether STS has recently refused this token as expired. */
  isKnownExpired(token: string): boolean {
    const refused = this.#refused;
    if (refused === undefined || this.#clock.monotonic() >= refused.until) return false;
    return refused.token === digest(token);
  }
}

/** Identifies a token without keeping it. */
function digest(token: string): string {
  return createHash("sha256").update(token).digest("base64");
}
