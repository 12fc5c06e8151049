import { FakeClock } from "./fake-clock.js";

/** No wait between two attempts is longer by default: a longer timer is a limit on real work. */
const LONGEST_WAIT_MS = 5_000;

/**
 * A clock for real sockets: waits between attempts pass immediately, and by as much as they are long;
 * the limits of a call pass only when a test says so, however slow the machine is.
 */
export class VirtualClock extends FakeClock {
  constructor(private readonly longestWaitMs = LONGEST_WAIT_MS) {
    super(Date.now());
  }

  override schedule(ms: number, callback: () => void): () => void {
    const dueAt = this.monotonic() + ms;
    const cancel = super.schedule(ms, callback);
    if (ms > this.longestWaitMs) return cancel;
    const turn = setImmediate(() => void this.advanceTo(dueAt));
    return () => {
      clearImmediate(turn);
      cancel();
    };
  }
}

/** Resolves once the condition holds; a condition that never does runs into the test's timeout. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}
