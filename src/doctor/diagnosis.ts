import type { Finding } from "../model/findings.js";
import type { RequestParts } from "../model/issuer-report.js";
import type { Facts, Step } from "./facts.js";

/** What {@link diagnose} found: plain data that survives JSON, without token, signature or secret. */
export interface Diagnosis {
  /** Grows when a field changes its meaning or goes; new fields leave it as it is. */
  readonly schemaVersion: 1;
  /**
   * - `broken`: there are no credentials: until someone changes something when the root cause is
   *   `fatal`, for the time being when it is `suspect`.
   * - `degraded`: there may be credentials, and something explains failures.
   * - `healthy`: nothing weighs more than advice.
   */
  readonly verdict: "healthy" | "degraded" | "broken";
  /** The one finding that explains the rest; `null` when the verdict is `healthy`. */
  readonly rootCause: Finding | null;
  /** The most telling first. */
  readonly findings: readonly Finding[];
  /** Every request and connection, in the order of their start. */
  readonly timings: readonly Timing[];
  readonly facts: Facts;
}

/** One request, connection or read, and how long its parts took. */
export interface Timing extends RequestParts {
  readonly step: Step;
  /** Who was asked. */
  readonly party: "token" | "issuer" | "sts";
  /** Such as `discovery document (2 of 3)` or `STS in eu-west-1`. */
  readonly label: string;
  readonly url?: string | undefined;
  /** When it began, in milliseconds since the run did. */
  readonly startMs: number;
  /** When the other side gives up, in milliseconds: STS waits 5000 for both documents together. */
  readonly limitMs?: number | undefined;
}

/** A step that began or ended, for whoever watches. */
export interface Progress {
  readonly step: Step;
  readonly state: "started" | "finished";
  /** What is being done, in a few words. */
  readonly label: string;
  /** Since the run began, in milliseconds. */
  readonly elapsedMs: number;
}
