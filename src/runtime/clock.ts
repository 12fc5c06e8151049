import { uptime } from "node:os";

/*
 * This folder holds the seams to the machine: the clock, abort signals, the environment, files, hosts, and
 * the checks that keep secrets and wrong values out of texts. It imports no other folder. This file is the
 * first of the seams: time.
 */

/** The source of time. Tests replace it with a fake clock. */
export interface Clock {
  /** Wall-clock time in milliseconds since the epoch: compared with `exp` and `expiration`. */
  now: () => number;
  /** Milliseconds that only go forward, whatever happens to the wall clock: for durations and deadlines. */
  monotonic: () => number;
  /**
   * Milliseconds since the machine booted, including the time it was suspended, whatever happens to the
   * wall clock. `undefined`, or absent, where the system does not report it.
   */
  sinceBoot?: (() => number | undefined) | undefined;
  /**
   * Calls back once after `ms` milliseconds; the returned function cancels.
   * The timer never keeps the process alive; use {@link Clock.hold} for that.
   */
  schedule(ms: number, callback: () => void): () => void;
  /** Keeps the process alive until the returned function is called. */
  hold(): () => void;
}

/** The longest delay that `setTimeout` accepts (2^31 − 1 ms); a longer one would fire immediately. */
export const MAX_TIMER_MS = 2_147_483_647;

export const systemClock: Clock = {
  now: () => Date.now(),
  // Not `performance.now()`: the first use of `performance` loads nine more modules of Node.
  monotonic: () => Number(process.hrtime.bigint()) / 1e6,
  sinceBoot() {
    try {
      // CLOCK_BOOTTIME on Linux, GetTickCount64 on Windows, kern.boottime on macOS: each continues
      // while the machine is suspended.
      return uptime() * 1000;
    } catch {
      // A sandbox may forbid it.
      return undefined;
    }
  },
  schedule(ms, callback) {
    const timer = setTimeout(callback, Math.min(ms, MAX_TIMER_MS));
    timer.unref();
    return () => clearTimeout(timer);
  },
  hold() {
    const timer = setInterval(() => {}, MAX_TIMER_MS);
    return () => clearInterval(timer);
  },
};

/** Smaller differences don't count: clocks drift, and some only have whole seconds. */
export const MIN_STEP_MS = 1_000;

/** One moment by every clock of the machine, in milliseconds. */
export interface Moment {
  readonly wall: number;
  readonly monotonic: number;
  readonly sinceBoot: number | undefined;
}

/** How long ago a moment was, in milliseconds. */
export interface Elapsed {
  /** The least that can have passed, even if the wall clock was set. */
  readonly certainMs: number;
  /** The most that can have passed: by the clock that shows most. */
  readonly possibleMs: number;
}

export function momentOf(clock: Clock): Moment {
  return { wall: clock.now(), monotonic: clock.monotonic(), sinceBoot: clock.sinceBoot?.() };
}

/** Whether the wall clock was set or the machine was suspended since that moment. */
export function hasStepped(since: Moment, clock: Clock): boolean {
  const wallMs = clock.now() - since.wall;
  return Math.abs(wallMs - (clock.monotonic() - since.monotonic)) >= MIN_STEP_MS;
}

/**
 * How long ago a moment was, whatever happened to the wall clock since.
 *
 * A wall clock that was set back is ignored. If it jumped forward, it was set or the machine was suspended:
 * the time since boot shows which. Where the system does not report that time, the jump counts as passed
 * time. A virtual machine that its host paused looks like one whose clock was set, because its other clocks
 * stood still.
 */
export function elapsedSince(since: Moment, clock: Clock): Elapsed {
  const awakeMs = clock.monotonic() - since.monotonic;
  const wallMs = clock.now() - since.wall;
  if (Math.abs(wallMs - awakeMs) < MIN_STEP_MS) {
    const ms = Math.max(awakeMs, wallMs);
    return { certainMs: ms, possibleMs: ms };
  }
  const bootMs = (clock.sinceBoot?.() ?? Number.NaN) - (since.sinceBoot ?? Number.NaN);
  const isKnown = !Number.isNaN(bootMs);
  // The time since boot may have whole seconds, at both moments.
  const asleepMs = isKnown && bootMs - awakeMs >= 2 * MIN_STEP_MS ? bootMs : awakeMs;
  const possibleMs = Math.max(wallMs, asleepMs);
  return { certainMs: isKnown ? asleepMs : possibleMs, possibleMs };
}

/** The one deadline of a refresh: over attempts, waits, regions and token reads. */
export interface Deadline {
  /** The time that is left, in milliseconds; never negative. */
  remainingMs(): number;
}

export function startDeadline(clock: Clock, budgetMs: number): Deadline {
  const end = clock.monotonic() + budgetMs;
  return { remainingMs: () => Math.max(0, end - clock.monotonic()) };
}
