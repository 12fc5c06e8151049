/** Where time comes from. Tests put a fake one in its place. */
export interface Clock {
  /** Wall-clock time in milliseconds since the epoch: compared with `exp` and `expiration`. */
  now: () => number;
  /** Milliseconds that only go forward: for durations and deadlines, unmoved by clock changes. */
  monotonic: () => number;
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

/** Waits `ms` milliseconds; rejects with the signal's reason as soon as it aborts. */
export function sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = () => {
      cancel();
      reject(signal.reason);
    };
    const cancel = clock.schedule(ms, () => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    });
    signal.addEventListener("abort", onAbort, { once: true });
  });
}
