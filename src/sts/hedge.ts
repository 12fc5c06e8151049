import type { Clock } from "../clock.js";

interface HedgeOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** How long the first call has the field to itself, in milliseconds. */
  readonly afterMs: number;
}

type Call<T> = (signal: AbortSignal) => Promise<T>;

/**
 * Makes the first call and, if it has not settled after `afterMs`, the second beside it. The first
 * success wins and the other call is aborted. When both fail, the first call's failure counts; when
 * the first fails before the second began, there is no second.
 */
export async function hedged<T>(
  { clock, signal, afterMs }: HedgeOptions,
  first: Call<T>,
  second: () => Call<T> | undefined,
): Promise<T> {
  signal.throwIfAborted();
  const race = new AbortController();
  const onAbort = () => race.abort(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await new Promise<T>((resolve, reject) => {
      let running = 1;
      let firstError: unknown;
      const lost = () => {
        running -= 1;
        if (running === 0) reject(firstError);
      };
      const cancel = clock.schedule(afterMs, () => {
        const call = second();
        if (call === undefined) return;
        running += 1;
        call(race.signal).then(resolve, lost);
      });
      first(race.signal).then(
        (value) => {
          cancel();
          resolve(value);
        },
        (error: unknown) => {
          cancel();
          firstError = error;
          lost();
        },
      );
    });
  } finally {
    signal.removeEventListener("abort", onAbort);
    race.abort();
  }
}
