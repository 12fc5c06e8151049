import { subscribe, tracingChannel, unsubscribe } from "node:diagnostics_channel";
import {
  type Attributes,
  context,
  diag,
  type Meter,
  type MeterProvider,
  metrics,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  type TracerProvider,
  trace,
} from "@opentelemetry/api";
import {
  callListener,
  type RefreshTrace,
  SERVE_CHANNEL_NAME,
  type ServeRequestMessage,
  STORE_CHANNEL_NAME,
  STORE_VALUE_CHANNEL_NAME,
  type StoreOperationMessage,
  type StsCallTrace,
  TRACE_CHANNELS,
  type UnusableValueMessage,
} from "../model/events.js";
import { safeCause } from "../runtime/redact.js";
import { checkKeys, checkType, resolveBoolean } from "../runtime/validators.js";

/*
 * Metrics and spans of OpenTelemetry. Two recorders subscribe to the diagnostics channels of the library:
 * one turns their messages into metrics, the other into spans. The library itself loads nothing of this
 * folder.
 */

/** Options of {@link instrument}. */
export interface InstrumentOptions {
  /** Receives the metrics. @default the global meter provider */
  readonly meterProvider?: MeterProvider | undefined;
  /** Receives the spans. @default the global tracer provider */
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
  /** Stops the instrumentation, and ends the spans of refreshes in progress. */
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
 * Tokens, subjects, access key IDs and, unless `roleArn` is on, role ARNs are never recorded.
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
  // Both before the first subscription: a provider that throws leaves nothing behind.
  const meter = (options.meterProvider ?? metrics).getMeter(SCOPE);
  const tracer = (options.tracerProvider ?? trace).getTracer(SCOPE);
  const recorders = [new MetricRecorder(meter, showsRole), new SpanRecorder(tracer, showsRole)];
  const disable = () => {
    for (const recorder of recorders) recorder.stop();
  };
  return { disable, [Symbol.dispose]: disable };
}

/** Seconds. The slowest useful refresh uses up the default budget of 60 s. */
const BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** If credentials expired this long ago, their provider was dropped without close(); milliseconds. */
const FORGOTTEN_AFTER_MS = 3_600_000;

/** With fewer providers, the dropped ones are forgotten only when the gauge is observed. */
const MIN_SWEEP = 100;

/** Turns the messages of the diagnostics channels into metrics. */
class MetricRecorder {
  readonly #subscriptions = new Subscriptions();
  readonly #showsRole: boolean;
  readonly #stopGauge: () => void;
  /** When the credentials of each open provider expire; milliseconds since the epoch. */
  readonly #expirations = new Map<object, { readonly role: string; readonly expiresAt: number }>();
  #sweepAt = MIN_SWEEP;
  readonly #startedAt = new WeakMap<RefreshTrace, number>();

  constructor(meter: Meter, showsRole: boolean) {
    this.#showsRole = showsRole;
    const refreshes = durationHistogram(
      meter,
      "resilient_sts.refresh.duration",
      "Refreshes of credentials, with all their attempts.",
    );
    const stores = durationHistogram(
      meter,
      "resilient_sts.store.operation.duration",
      "Operations of the shared credential store.",
    );
    const unusable = meter.createCounter("resilient_sts.store.unusable_values", {
      description: "Stored values that were read and could not be used.",
      unit: "{value}",
    });
    const attempts = meter.createCounter("resilient_sts.sts.attempts", {
      description: "Calls of AssumeRoleWithWebIdentity.",
      unit: "{attempt}",
    });
    const requests = meter.createCounter("resilient_sts.serve.requests", {
      description: "Requests to the container-credentials endpoint.",
      unit: "{request}",
    });
    this.#stopGauge = this.#observeExpirations(meter);
    this.#subscriptions.addTracing<RefreshTrace>(TRACE_CHANNELS.refresh, {
      start: (refresh) => this.#startedAt.set(refresh, now()),
      end: (refresh) => {
        if (refresh.outcome === "cancelled") return;
        this.#noteExpiration(refresh);
        const startedAt = this.#startedAt.get(refresh);
        // The duration of a refresh that began before the instrumentation is unknown.
        if (startedAt === undefined) return;
        refreshes.record((now() - startedAt) / 1000, this.#refreshAttributes(refresh));
      },
    });
    this.#subscriptions.addTracing<StsCallTrace>(TRACE_CHANNELS.stsCall, {
      start: () => {},
      end: (call) => attempts.add(1, this.#callAttributes(call)),
    });
    this.#subscriptions.add<StoreOperationMessage>(STORE_CHANNEL_NAME, (message) =>
      stores.record(message.ms / 1000, storeAttributes(message)),
    );
    this.#subscriptions.add<UnusableValueMessage>(STORE_VALUE_CHANNEL_NAME, ({ store }) =>
      unusable.add(1, { "resilient_sts.store": store }),
    );
    this.#subscriptions.add<ServeRequestMessage>(SERVE_CHANNEL_NAME, ({ role, status }) =>
      requests.add(1, { "http.response.status_code": status, ...(role !== undefined && { role }) }),
    );
    this.#subscriptions.add<object>(TRACE_CHANNELS.closed, (provider) =>
      this.#expirations.delete(provider),
    );
  }

  stop(): void {
    this.#subscriptions.end();
    this.#stopGauge();
  }

  #observeExpirations(meter: Meter): () => void {
    const gauge = meter.createObservableGauge("resilient_sts.credentials.time_to_expiry", {
      description:
        "Time until the cached credentials expire; the shortest of all roles without aws.role.arn.",
      unit: "s",
    });
    const observe: Parameters<typeof gauge.addCallback>[0] = (result) => {
      const at = Date.now();
      const soonest = new Map<string, number>();
      this.#forgetDropped(at);
      for (const { role, expiresAt } of this.#expirations.values()) {
        const series = this.#showsRole ? role : "";
        soonest.set(series, Math.min(expiresAt, soonest.get(series) ?? expiresAt));
      }
      for (const [role, expiresAt] of soonest) {
        result.observe((expiresAt - at) / 1000, role === "" ? {} : { "aws.role.arn": role });
      }
    };
    gauge.addCallback(observe);
    return () => gauge.removeCallback(observe);
  }

  #noteExpiration({ provider, roleArn: role = "", expiration }: RefreshTrace): void {
    if (expiration === undefined) return;
    this.#expirations.set(provider, { role, expiresAt: expiration.getTime() });
    // Without a reader of metrics, nothing observes the gauge.
    if (this.#expirations.size < this.#sweepAt) return;
    this.#forgetDropped(Date.now());
    this.#sweepAt = Math.max(MIN_SWEEP, 2 * this.#expirations.size);
  }

  #forgetDropped(at: number): void {
    for (const [provider, { expiresAt }] of this.#expirations) {
      if (at - expiresAt > FORGOTTEN_AFTER_MS) this.#expirations.delete(provider);
    }
  }

  #refreshAttributes({ outcome, source, region, errorType, roleArn }: RefreshTrace): Attributes {
    return defined({
      outcome,
      source,
      "cloud.region": region,
      "error.type": errorType,
      "aws.role.arn": this.#showsRole ? roleArn : undefined,
    });
  }

  #callAttributes({ refresh, region, verdict }: StsCallTrace): Attributes {
    return defined({
      "cloud.region": region,
      "error.type": verdict,
      "aws.role.arn": this.#showsRole ? refresh.roleArn : undefined,
    });
  }
}

function storeAttributes(message: StoreOperationMessage): Attributes {
  const { store, operation, outcome, errorType, isClaimed } = message;
  return defined({
    operation,
    outcome,
    "error.type": errorType,
    "resilient_sts.store": store,
    "resilient_sts.lease": isClaimed === undefined ? undefined : isClaimed ? "claimed" : "held",
  });
}

function durationHistogram(meter: Meter, name: string, description: string) {
  const advice = { explicitBucketBoundaries: BUCKETS };
  return meter.createHistogram(name, { description, unit: "s", advice });
}

/** Milliseconds of a clock that never goes back. */
function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Turns the messages of the tracing channels into spans. */
class SpanRecorder {
  readonly #subscriptions = new Subscriptions();
  readonly #tracer: Tracer;
  readonly #showsRole: boolean;
  /** Spans in progress, by the refresh or call that each belongs to. */
  readonly #spans = new Map<RefreshTrace | StsCallTrace, Span>();

  constructor(tracer: Tracer, showsRole: boolean) {
    this.#tracer = tracer;
    this.#showsRole = showsRole;
    this.#subscriptions.addTracing<RefreshTrace>(TRACE_CHANNELS.refresh, {
      start: (refresh) => this.#startRefresh(refresh),
      end: (refresh) => this.#endRefresh(refresh),
    });
    this.#subscriptions.addTracing<StsCallTrace>(TRACE_CHANNELS.stsCall, {
      start: (call) => this.#startCall(call),
      end: (call) => this.#endCall(call),
    });
    this.#subscriptions.add<RefreshTrace>(TRACE_CHANNELS.joined, (refresh) => this.#link(refresh));
  }

  stop(): void {
    this.#subscriptions.end();
    for (const span of this.#spans.values()) safely(() => span.end());
    this.#spans.clear();
  }

  #startRefresh(refresh: RefreshTrace): void {
    const parent = refresh.isBackground ? ROOT_CONTEXT : context.active();
    const attributes = { "resilient_sts.background": refresh.isBackground };
    this.#spans.set(
      refresh,
      this.#tracer.startSpan("resilient_sts.refresh", { attributes }, parent),
    );
  }

  #endRefresh(refresh: RefreshTrace): void {
    const { outcome, source, region, attempts, errorType, roleArn } = refresh;
    this.#end(refresh, errorType, {
      "resilient_sts.outcome": outcome,
      "resilient_sts.source": source,
      "resilient_sts.attempts": attempts,
      "cloud.region": region,
      "error.type": errorType,
      "aws.role.arn": this.#showsRole ? roleArn : undefined,
    });
  }

  #startCall(call: StsCallTrace): void {
    const parent = this.#spans.get(call.refresh);
    const options = {
      kind: SpanKind.CLIENT,
      attributes: {
        "rpc.system": "aws-api",
        "rpc.service": "STS",
        "rpc.method": "AssumeRoleWithWebIdentity",
        "resilient_sts.attempt": call.attempt,
      },
    };
    const within = parent === undefined ? ROOT_CONTEXT : trace.setSpan(ROOT_CONTEXT, parent);
    this.#spans.set(call, this.#tracer.startSpan("STS/AssumeRoleWithWebIdentity", options, within));
  }

  #endCall(call: StsCallTrace): void {
    const { region, verdict, requestId, httpStatus } = call;
    this.#end(call, verdict, {
      "cloud.region": region,
      "error.type": verdict,
      "aws.request_id": requestId,
      "http.response.status_code": httpStatus,
    });
  }

  #end(
    key: RefreshTrace | StsCallTrace,
    errorType: string | undefined,
    attributes: Readonly<Record<string, string | number | undefined>>,
  ): void {
    const span = this.#spans.get(key);
    if (span === undefined) return;
    this.#spans.delete(key);
    try {
      span.setAttributes(defined(attributes));
      if (errorType !== undefined) {
        span.setStatus({ code: SpanStatusCode.ERROR, message: errorType });
      }
    } finally {
      span.end();
    }
  }

  /** Links the caller's active span to the refresh, which another caller may have started. */
  #link(refresh: RefreshTrace): void {
    const span = this.#spans.get(refresh);
    if (span !== undefined) trace.getActiveSpan()?.addLink({ context: span.spanContext() });
  }
}

/**
 * Calls OpenTelemetry. Span processors and exporters are the user's code, and may throw. An error in a
 * subscriber of a diagnostics channel would end the process, so this reports it to OpenTelemetry's log.
 */
function safely(call: () => void): void {
  callListener(call, (error) => diag.error(`resilient-sts: ${safeCause(error).message}`));
}

/** Subscriptions that end together. */
class Subscriptions {
  readonly #ends: (() => void)[] = [];

  add<T>(channelName: string, listener: (message: T) => void): void {
    const onMessage = (message: unknown) => safely(() => listener(message as T));
    subscribe(channelName, onMessage);
    this.#ends.push(() => unsubscribe(channelName, onMessage));
  }

  /** Listens to the start and the end of each operation on a tracing channel. */
  addTracing<T extends object>(
    channelName: string,
    { start, end }: { start: (message: T) => void; end: (message: T) => void },
  ): void {
    const channel = tracingChannel<T>(channelName);
    this.add(String(channel.start.name), start);
    this.add(String(channel.asyncEnd.name), end);
  }

  end(): void {
    for (const end of this.#ends.splice(0)) end();
  }
}

/** Attributes without those that are undefined. */
function defined(attributes: Readonly<Record<string, string | number | undefined>>): Attributes {
  return Object.fromEntries(
    Object.entries(attributes).filter(([, value]) => value !== undefined),
  ) as Attributes;
}
