import type { Clock } from "../runtime/clock.js";
import { onAbort } from "../runtime/on-abort.js";

interface HedgeOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** How long the first call has the field to itself, in milliseconds. */
  readonly afterMs: number;
  /** Whether a failure of the first call counts whatever the second may say. */
  readonly isFinal: (error: unknown) => boolean;
}

type Call<T> = (signal: AbortSignal) => Promise<T>;

export interface HedgeOutcome<T> {
  readonly value: T;
  /** How the first call was doing when it ended: `silent` if it had not settled. */
  readonly first: "won" | "failed" | "silent";
}

/**
 * Makes the first call and, if it has not settled after `afterMs`, the second beside it. The first
 * success wins and the other call is aborted. When both fail, the first call's failure counts; when
 * that is final, or comes before the second call began, it counts at once.
 */
export async function hedged<T>(
  { clock, signal, afterMs, isFinal }: HedgeOptions,
  first: Call<T>,
  second: () => Call<T> | undefined,
): Promise<HedgeOutcome<T>> {
  signal.throwIfAborted();
  const race = new AbortController();
  const ignoreSignal = onAbort(signal, () => race.abort(signal.reason));
  try {
    return await new Promise<HedgeOutcome<T>>((resolve, reject) => {
      let running = 1;
      let failure: { readonly error: unknown } | undefined;
      const lost = () => {
        running -= 1;
        if (running === 0) reject(failure?.error);
      };
      const cancel = clock.schedule(afterMs, () => {
        const call = second();
        if (call === undefined) return;
        running += 1;
        call(race.signal).then((value) => {
          resolve({ value, first: failure === undefined ? "silent" : "failed" });
        }, lost);
      });
      first(race.signal).then(
        (value) => {
          cancel();
          resolve({ value, first: "won" });
        },
        (error: unknown) => {
          cancel();
          failure = { error };
          if (isFinal(error)) reject(error);
          else lost();
        },
      );
    });
  } finally {
    ignoreSignal();
    race.abort();
  }
}
