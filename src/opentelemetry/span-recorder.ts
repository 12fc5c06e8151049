import {
  context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { type RefreshTrace, type StsCallTrace, TRACE_CHANNELS } from "../model/tracing.js";
import { defined, Subscriptions } from "./subscriptions.js";

/** Turns what the tracing channels say into spans. */
export class SpanRecorder {
  readonly #subscriptions = new Subscriptions();
  readonly #tracer: Tracer;
  readonly #showsRole: boolean;
  /** Spans in progress, by what they are the spans of. */
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
    for (const span of this.#spans.values()) span.end();
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
    span.setAttributes(defined(attributes));
    if (errorType !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: errorType });
    span.end();
  }

  /** The caller's own span is its context's; the refresh it waits for may be another caller's. */
  #link(refresh: RefreshTrace): void {
    const span = this.#spans.get(refresh);
    if (span !== undefined) trace.getActiveSpan()?.addLink({ context: span.spanContext() });
  }
}
