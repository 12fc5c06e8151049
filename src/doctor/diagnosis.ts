import type { Finding } from "../model/findings.js";
import type { RequestParts } from "../model/issuer-report.js";
import type { Facts, Step } from "./facts.js";

/** The result of {@link diagnose}: plain data that survives JSON, without token, signature or secret. */
export interface Diagnosis {
  /** Raised when a field changes its meaning or is removed; a new field does not raise it. */
  readonly schemaVersion: 1;
  /**
   * - `broken`: the workload can't get credentials. If the root cause is `fatal`, that lasts until
   *   someone changes something; if it is `suspect`, it may pass.
   * - `degraded`: the workload may get credentials, and something explains failures.
   * - `healthy`: there is advice at most.
   */
  readonly verdict: "healthy" | "degraded" | "broken";
  /** The one finding that explains the others; `null` when the verdict is `healthy`. */
  readonly rootCause: Finding | null;
  /** In the order of their weight, the root cause first. */
  readonly findings: readonly Finding[];
  /** Every request and connection, in the order of their start. */
  readonly timings: readonly Timing[];
  readonly facts: Facts;
}

/** One request, connection or read, and how long its parts took. */
export interface Timing extends RequestParts {
  readonly step: Step;
  /** The other side. */
  readonly party: "token" | "issuer" | "sts";
  /** Such as `discovery document (request 2)` or `STS in eu-west-1`. */
  readonly label: string;
  readonly url?: string | undefined;
  /** When it began, in milliseconds since the run did. */
  readonly startMs: number;
  /** When STS would stop waiting, in milliseconds: it waits 5000 for both documents together. */
  readonly limitMs?: number | undefined;
}

/** Reports that a step began or ended. */
export interface Progress {
  readonly step: Step;
  readonly state: "started" | "finished";
  /** What the step does, in a few words. */
  readonly label: string;
  /** Since the run began, in milliseconds. */
  readonly elapsedMs: number;
}
