import { untilAborted } from "../runtime/abort.js";
import type { Clock } from "../runtime/clock.js";

/** A call that has had no answer for so long may never get one: who comes later makes another. */
const JOIN_WITHIN_MS = 1_000;

interface SharedCall<T> {
  readonly answer: Promise<T>;
  readonly abort: AbortController;
  readonly startedAt: number;
  callers: number;
  isSettled: boolean;
}

interface Caller {
  readonly clock: Clock;
  /** Ends this caller's wait; the call ends with the last of them. */
  readonly signal: AbortSignal;
}

/** Calls under way, so that equal ones are made once. An answer is for those who wait for it then. */
export class SharedCalls<T> {
  readonly #calls = new Map<string, SharedCall<T>>();

  /** Waits for the call of that name, which is made if there is none. */
  async join(
    name: string,
    { clock, signal }: Caller,
    make: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const call = this.#young(name, clock) ?? this.#start(name, clock, make);
    call.callers += 1;
    try {
      return await untilAborted(call.answer, signal);
    } finally {
      call.callers -= 1;
      if (call.callers === 0 && !call.isSettled) this.#giveUp(name, call, signal.reason);
    }
  }

  #young(name: string, clock: Clock): SharedCall<T> | undefined {
    const call = this.#calls.get(name);
    const isYoung = call !== undefined && clock.monotonic() - call.startedAt < JOIN_WITHIN_MS;
    return isYoung ? call : undefined;
  }

  #start(name: string, clock: Clock, make: (signal: AbortSignal) => Promise<T>): SharedCall<T> {
    const abort = new AbortController();
    const run = async () => {
      try {
        return await make(abort.signal);
      } finally {
        call.isSettled = true;
        this.#forget(name, call);
      }
    };
    const call: SharedCall<T> = {
      // Not at once: what throws there ends a call that has to exist.
      answer: Promise.resolve().then(run),
      abort,
      startedAt: clock.monotonic(),
      callers: 0,
      isSettled: false,
    };
    this.#calls.set(name, call);
    return call;
  }

  #giveUp(name: string, call: SharedCall<T>, reason: unknown): void {
    this.#forget(name, call);
    call.abort.abort(reason);
  }

  /** An older call may have been followed by another of its name. */
  #forget(name: string, call: SharedCall<T>): void {
    if (this.#calls.get(name) === call) this.#calls.delete(name);
  }
}
