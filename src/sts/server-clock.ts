import { createHash } from "node:crypto";
import { type Clock, elapsedSince, hasStepped, type Moment, momentOf } from "../runtime/clock.js";
import { parseHttpDate } from "../runtime/http-date.js";

/**
 * Smaller differences are ignored: `Date` has whole seconds, and the answer was on its way.
 * In milliseconds.
 */
const MIN_SKEW_MS = 15_000;

/** One answer with a session in it, as its times have it. */
export interface SessionTimes {
  /** The answer's `Date` header. */
  readonly date: string | undefined;
  /** When the session ends by STS's clock; absent when the answer does not say. */
  readonly expiration: Date | undefined;
  /** How long it was asked to be, in milliseconds. */
  readonly askedMs: number;
  /** When the request was sent. */
  readonly sentAt: Moment;
}

/** A `Date` header that cannot be right. */
export interface RejectedDate {
  /** ISO 8601. */
  readonly date: string;
  /** By how much it differs from the clock that was believed instead, in milliseconds. */
  readonly skewMs: number;
  /** When the session ends (ISO 8601). */
  readonly expiration: string;
  readonly reason: "session-too-long" | "expired-on-arrival";
}

export interface SessionJudged {
  /** STS's clock minus this machine's, in milliseconds. */
  readonly skewMs: number;
  readonly rejectedDate?: RejectedDate | undefined;
}

/** What time it is at one STS endpoint. */
export interface ServerTime {
  /** In milliseconds since the epoch: this machine's time until an answer has shown the difference. */
  readonly now: number;
  readonly isVerified: boolean;
}

/** A token that STS refused as expired is not sent again for so long while the clocks are in doubt. */
const REMEMBERED_MS = 300_000;

/**
 * What the answers of one STS endpoint say about its clock.
 *
 * A session is the proof: STS issues it for as long as it was asked to, so its expiration has to fit
 * the `Date` beside it. A refusal has no such witness: its `Date` counts if this machine's clock
 * agrees with it. What is in doubt is not verified, and then no token is kept from STS for its times.
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
    // Set since then, or the machine was suspended: the next answer shows what the difference is now.
    const isVerified = shown !== undefined && !hasStepped(shown.at, this.#clock);
    return { now: isVerified ? now + shown.skewMs : now, isVerified };
  }

  /** Judges an answer with a session by what it says itself, and learns from it. */
  session({ date = "", expiration, askedMs, sentAt }: SessionTimes): SessionJudged {
    const now = this.#clock.now();
    const dateMs = parseHttpDate(date, now) ?? Number.NaN;
    const expiresMs = expiration?.getTime() ?? Number.NaN;
    // The machine may have been suspended while the request was under way.
    const tookMs = Math.max(0, elapsedSince(sentAt, this.#clock).certainMs);
    const isNear = dateMs - now < MIN_SKEW_MS && now - dateMs - tookMs < MIN_SKEW_MS;
    if (isNear) this.#shown = { skewMs: 0, at: momentOf(this.#clock) };
    if (isNear || Number.isNaN(expiresMs)) return { skewMs: 0 };

    const { now: known, isVerified } = this.read(now);
    // Other implementations of STS may leave it out, and grant what they like.
    if (Number.isNaN(dateMs)) return { skewMs: known - now };
    const byDateMs = expiresMs - dateMs;
    const byKnownMs = expiresMs - known;
    const isWhole = (lifetimeMs: number) => Math.abs(lifetimeMs - askedMs) < MIN_SKEW_MS;
    if (isWhole(byDateMs)) {
      this.#shown = { skewMs: dateMs - now, at: momentOf(this.#clock) };
      // `Date` was written at the beginning of the call, to be safe.
      return { skewMs: dateMs + tookMs - now };
    }
    const rejected = (believed: number): SessionJudged => ({
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
    const isPossible = (lifetimeMs: number) => lifetimeMs > 0 && lifetimeMs < askedMs;
    if (!isPossible(byDateMs)) {
      // No clock is proven: STS gives what it is asked for, neither more nor less.
      const isProven = isVerified && isPossible(byKnownMs);
      return rejected(isProven ? known : expiresMs - askedMs);
    }
    // STS gave less than it was asked for: of two clocks that may be right, the one by which it is less.
    const isLess = isPossible(byKnownMs) && byKnownMs < byDateMs;
    return { skewMs: (isLess ? known : dateMs + tookMs) - now };
  }

  /** Learns from the `Date` of a refusal. */
  refusal(date: string | undefined): void {
    const now = this.#clock.now();
    const dateMs = parseHttpDate(date ?? "", now) ?? Number.NaN;
    if (Math.abs(dateMs - now) < MIN_SKEW_MS)
      this.#shown = { skewMs: 0, at: momentOf(this.#clock) };
  }

  /** Notes that STS has refused this very token as expired. */
  calledExpired(token: string): void {
    const until = this.#clock.monotonic() + REMEMBERED_MS;
    this.#refused = { token: digest(token), until };
  }

  /** Whether STS has refused this very token as expired, a moment ago. */
  hasCalledExpired(token: string): boolean {
    const refused = this.#refused;
    if (refused === undefined || this.#clock.monotonic() >= refused.until) return false;
    return refused.token === digest(token);
  }
}

/** Remembers a token without keeping it. */
function digest(token: string): string {
  return createHash("sha256").update(token).digest("base64");
}
