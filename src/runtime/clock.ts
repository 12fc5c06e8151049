import { uptime } from "node:os";
import { onAbort } from "./on-abort.js";

/** Where time comes from. Tests put a fake one in its place. */
export interface Clock {
  /** Wall-clock time in milliseconds since the epoch: compared with `exp` and `expiration`. */
  now: () => number;
  /** Milliseconds that only go forward: for durations and deadlines, unmoved by clock changes. */
  monotonic: () => number;
  /**
   * Milliseconds since the machine booted, the time it was suspended included; unmoved by clock
   * changes. `undefined`, or absent, where the system does not say.
   */
  sinceBoot?: (() => number | undefined) | undefined;
  /**
   * Calls back once after `ms` milliseconds; the returned function cancels.
   * The timer never keeps the process alive: whoever waits for its outcome holds it with {@link Clock.hold}.
   */
  schedule(ms: number, callback: () => void): () => void;
  /** Keeps the process alive until the returned function is called. */
  hold(): () => void;
}

/** The longest delay `setTimeout` takes (2^31 − 1 ms); anything longer would fire at once. */
export const MAX_TIMER_MS = 2_147_483_647;

export const systemClock: Clock = {
  now: () => Date.now(),
  // Not `performance.now()`: the first touch of `performance` loads nine more modules of Node's.
  monotonic: () => Number(process.hrtime.bigint()) / 1e6,
  sinceBoot() {
    try {
      // CLOCK_BOOTTIME on Linux, GetTickCount64 on Windows, kern.boottime on macOS: each goes on
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

/** The clocks drift apart by themselves, and those that are read have whole seconds at worst. */
const MIN_STEP_MS = 1_000;

/** One moment by every clock of the machine, in milliseconds. */
export interface Moment {
  readonly wall: number;
  readonly monotonic: number;
  readonly sinceBoot: number | undefined;
}

/** How long ago a moment was, in milliseconds. */
export interface Elapsed {
  /** At least so long, whoever sets the wall clock. */
  readonly certainMs: number;
  /** So long by the clock that counts most: the wall clock, unless it was set back. */
  readonly possibleMs: number;
}

export function momentOf(clock: Clock): Moment {
  return { wall: clock.now(), monotonic: clock.monotonic(), sinceBoot: clock.sinceBoot?.() };
}

/** Whether the wall clock was set, or the machine suspended, since that moment. */
export function hasStepped(since: Moment, clock: Clock): boolean {
  const wallMs = clock.now() - since.wall;
  return Math.abs(wallMs - (clock.monotonic() - since.monotonic)) >= MIN_STEP_MS;
}

/**
 * How long ago a moment was, whatever happened to the wall clock since.
 *
 * A wall clock that was set back counts for nothing. One that jumped forward was set, or the machine
 * was suspended: the time since boot tells which. Where the system does not say, the jump is believed.
 * A virtual machine that its host paused looks like one whose clock was set: its clocks all stood still.
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
  // The time since boot may have whole seconds: at both ends.
  const asleepMs = isKnown && bootMs - awakeMs >= 2 * MIN_STEP_MS ? bootMs : awakeMs;
  const possibleMs = Math.max(wallMs, asleepMs);
  return { certainMs: isKnown ? asleepMs : possibleMs, possibleMs };
}

/** Waits `ms` milliseconds; rejects with the signal's reason as soon as it aborts. */
export function sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const cancel = clock.schedule(ms, () => {
      ignoreSignal();
      resolve();
    });
    const ignoreSignal = onAbort(signal, () => {
      cancel();
      reject(signal.reason);
    });
  });
}
