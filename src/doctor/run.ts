import { callListener } from "../model/events.js";
import type { RequestParts } from "../model/findings.js";
import type { ResolveHost } from "../preflight/guarded-lookup.js";
import { withTimeout } from "../runtime/abort.js";
import { type Clock, type Deadline, startDeadline } from "../runtime/clock.js";
import type { Environment } from "../runtime/environment.js";
import { roundMs } from "../runtime/time-text.js";
import type { ClientPool } from "../sts/client-pool.js";
import type { Progress, Step, Timing } from "./diagnosis.js";

/** The doctor's access to the machine and the network. Tests replace it. */
export interface DoctorRuntime {
  readonly clock: Clock;
  readonly env: Environment;
  /** Resolves the names of issuers and proxies. */
  readonly resolve: ResolveHost;
  /** Resolves the names of STS endpoints. @default `resolve` */
  readonly resolveSts?: ResolveHost | undefined;
  /** PEM certificates to trust instead of Node's own. */
  readonly ca?: string | Buffer | undefined;
  readonly pool: ClientPool;
  /** The vendor that this machine's firmware names, such as `Amazon EC2`. */
  readonly readMachineVendor?: (() => Promise<string | undefined>) | undefined;
}

interface RunOptions {
  readonly runtime: DoctorRuntime;
  readonly signal: AbortSignal;
  /** The limit of the whole run, in milliseconds. */
  readonly timeoutMs: number;
  readonly onProgress: ((progress: Progress) => void) | undefined;
}

interface Limit<T> {
  /** The limit of this work, in milliseconds; the run may end earlier. */
  readonly limitMs: number;
  /** Makes the result when the limit is reached. */
  readonly late: () => T;
}

interface StepOptions<T> extends Limit<T> {
  readonly step: Step;
  /** What the step does, in a few words. */
  readonly label: string;
}

/** One run: its deadline, its measurements so far, and the listener to its progress. */
export class Run {
  readonly timings: Timing[] = [];
  readonly unfinished: Step[] = [];
  readonly startedAt: string;
  readonly deadline: Deadline;
  readonly runtime: DoctorRuntime;
  readonly signal: AbortSignal;
  readonly #onProgress: RunOptions["onProgress"];
  readonly #start: number;

  constructor({ runtime, signal, timeoutMs, onProgress }: RunOptions) {
    const { clock } = runtime;
    this.runtime = runtime;
    this.signal = signal;
    this.#onProgress = onProgress;
    this.#start = clock.monotonic();
    this.startedAt = new Date(clock.now()).toISOString();
    this.deadline = startDeadline(clock, timeoutMs);
  }

  /** The time since the run began, in milliseconds. */
  elapsedMs(): number {
    return roundMs(this.runtime.clock.monotonic() - this.#start);
  }

  /**
   * Runs a step and reports its start and its end. A step that reaches its limit counts as unfinished.
   *
   * @throws the signal's reason, and what `work` throws.
   */
  async step<T>(
    { step, label, limitMs, late }: StepOptions<T>,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    this.#report(step, "started", label);
    try {
      const unfinished = () => {
        this.unfinished.push(step);
        return late();
      };
      return await this.within({ limitMs, late: unfinished }, work);
    } finally {
      this.#report(step, "finished", label);
    }
  }

  /**
   * Runs `work` until it ends, its limit is reached or the run ends, even if it ignores its signal.
   *
   * @throws the signal's reason, and what `work` throws.
   */
  async within<T>(
    { limitMs, late }: Limit<T>,
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

  #report(step: Step, state: "started" | "finished", label: string): void {
    const progress = { step, state, label, elapsedMs: this.elapsedMs() };
    // A display that fails does not end the run, nor the process if it is async.
    callListener(
      () => this.#onProgress?.(progress),
      () => {},
    );
  }
}

/** The fields that a {@link Timing} shares with every measured request. */
export function requestParts(timing: RequestParts): RequestParts {
  const { status, error, dnsMs, connectMs, tlsMs, firstByteMs, totalMs } = timing;
  return { status, error, dnsMs, connectMs, tlsMs, firstByteMs, totalMs };
}
