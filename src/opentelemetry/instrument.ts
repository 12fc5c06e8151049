import { type MeterProvider, metrics, type TracerProvider, trace } from "@opentelemetry/api";
import { checkKeys, checkType, resolveBoolean } from "../runtime/validators.js";
import { MetricRecorder, SpanRecorder } from "./recorders.js";

/*
 * Metrics and spans of OpenTelemetry. `recorders.ts` makes them from the messages that the library
 * publishes on diagnostics channels: the library itself loads nothing of this folder.
 */

/** Options of {@link instrument}. */
export interface InstrumentOptions {
  /** Where the metrics go. @default the global meter provider */
  readonly meterProvider?: MeterProvider | undefined;
  /** Where the spans go. @default the global tracer provider */
  readonly tracerProvider?: TracerProvider | undefined;
  /**
   * Put the role ARN on metrics and spans, as `aws.role.arn`. It contains the AWS account ID, and each
   * role adds a time series.
   * @default false
   */
  readonly roleArn?: boolean | undefined;
}

/** A running instrumentation. */
export interface Instrumentation extends Disposable {
  /** Stops it. Spans of refreshes in progress end here. */
  disable(): void;
}

const SCOPE = "resilient-sts";

/**
 * Records metrics and spans for every provider, shared store and credentials endpoint of this
 * process that uses this copy of the package. Call it once, when the process starts.
 *
 * Metrics: `resilient_sts.refresh.duration` (s), `resilient_sts.sts.attempts`,
 * `resilient_sts.credentials.time_to_expiry` (s; negative once they have expired),
 * `resilient_sts.store.operation.duration` (s), `resilient_sts.store.unusable_values`,
 * `resilient_sts.serve.requests`.
 * Spans: `resilient_sts.refresh`, and below it `STS/AssumeRoleWithWebIdentity` for each call. A
 * refresh that a timer started is a root span. The active span of a caller that waits for a refresh
 * gets a link to it.
 *
 * Tokens, subjects, access key ids and, unless `roleArn` is on, role ARNs are never recorded.
 *
 * @throws TypeError for an option that can never work.
 *
 * @example
 * ```ts
 * import { instrument } from "resilient-sts/opentelemetry";
 *
 * instrument();
 * ```
 */
export function instrument(options: InstrumentOptions = {}): Instrumentation {
  checkKeys("options", options, ["meterProvider", "tracerProvider", "roleArn"]);
  checkType("meterProvider", options.meterProvider, "object");
  checkType("tracerProvider", options.tracerProvider, "object");
  const showsRole = resolveBoolean("roleArn", options.roleArn, false);
  const recorders = [
    new MetricRecorder((options.meterProvider ?? metrics).getMeter(SCOPE), showsRole),
    new SpanRecorder((options.tracerProvider ?? trace).getTracer(SCOPE), showsRole),
  ];
  const disable = () => {
    for (const recorder of recorders) recorder.stop();
  };
  return { disable, [Symbol.dispose]: disable };
}
