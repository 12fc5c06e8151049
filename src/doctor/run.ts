import { withTimeout } from "../runtime/abort.js";
import { type Deadline, startDeadline } from "../runtime/deadline.js";
import type { Timing } from "./diagnosis.js";
import type { Step } from "./facts.js";
import type { DiagnoseOptions } from "./options.js";
import type { DoctorRuntime } from "./runtime.js";

/** One run: its deadline, what it has measured so far, and who is told of its progress. */
export class Run {
  readonly timings: Timing[] = [];
  readonly unfinished: Step[] = [];
  readonly startedAt: string;
  readonly deadline: Deadline;
  readonly #start: number;

  constructor(
    readonly runtime: DoctorRuntime,
    readonly signal: AbortSignal,
    timeoutMs: number,
    private readonly onProgress: DiagnoseOptions["onProgress"],
  ) {
    const { clock } = runtime;
    this.#start = clock.monotonic();
    this.startedAt = new Date(clock.now()).toISOString();
    this.deadline = startDeadline(clock, timeoutMs);
  }

  /** Since the run began, in milliseconds. */
  elapsedMs(): number {
    return round(this.runtime.clock.monotonic() - this.#start);
  }

  /**
   * A step under a limit of its own and the run's: `fallback` when time is up, whatever hangs.
   *
   * @throws the signal's reason, and what `work` throws.
   */
  async step<T>(
    step: Step,
    label: string,
    limitMs: number,
    fallback: T,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    this.#tell(step, "started", label);
    try {
      const late = () => {
        this.unfinished.push(step);
        return fallback;
      };
      return await this.within(limitMs, late, work);
    } finally {
      this.#tell(step, "finished", label);
    }
  }

  /**
   * Work under a limit of its own and the run's, heeded or not: what `late` returns when time is up.
   *
   * @throws the signal's reason, and what `work` throws.
   */
  async within<T>(
    limitMs: number,
    late: () => T,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const reason = new Error("the time of this step is up");
    const timeoutMs = Math.min(limitMs, this.deadline.remainingMs());
    const { clock } = this.runtime;
    try {
      return await withTimeout({ clock, signal: this.signal, timeoutMs, reason }, work);
    } catch (error) {
      if (error !== reason) throw error;
      return late();
    }
  }

  #tell(step: Step, state: "started" | "finished", label: string): void {
    try {
      this.onProgress?.({ step, state, label, elapsedMs: this.elapsedMs() });
    } catch {
      // Somebody else's display is no reason to stop.
    }
  }
}

/** To a hundredth of a millisecond. */
export function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}
