import { linkedController } from "../runtime/abort.js";
import type { Clock } from "../runtime/clock.js";

interface HedgeOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** The delay of the hedged call after the first one, in milliseconds. */
  readonly afterMs: number;
  /** Whether a failure of the first call ends both, because the hedged call would fail the same way. */
  readonly isFinal: (error: unknown) => boolean;
}

type Call<T> = (signal: AbortSignal) => Promise<T>;

export interface HedgeOutcome<T> {
  readonly value: T;
  /** The state of the first call by then: `silent` if it had not settled. */
  readonly first: "won" | "failed" | "silent";
}

/**
 * Makes the first call and, if it has not settled after `afterMs`, a second one in parallel: the hedge.
 * The first success wins, and the other call is aborted. When both fail, the result is the failure of
 * the first call; when that is final, or comes before the hedge began, it is the result at once.
 */
export async function hedged<T>(
  { clock, signal, afterMs, isFinal }: HedgeOptions,
  first: Call<T>,
  second: () => Call<T> | undefined,
): Promise<HedgeOutcome<T>> {
  signal.throwIfAborted();
  const { controller: race, unlink } = linkedController(signal);
  try {
    return await new Promise<HedgeOutcome<T>>((resolve, reject) => {
      let running = 1;
      let failure: { readonly error: unknown } | undefined;
      const failed = () => {
        running -= 1;
        if (running === 0) reject(failure?.error);
      };
      const cancel = clock.schedule(afterMs, () => {
        const call = second();
        if (call === undefined) return;
        running += 1;
        call(race.signal).then((value) => {
          resolve({ value, first: failure === undefined ? "silent" : "failed" });
        }, failed);
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
          else failed();
        },
      );
    });
  } finally {
    unlink();
    race.abort();
  }
}
