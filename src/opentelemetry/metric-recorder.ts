import type { Attributes, Meter } from "@opentelemetry/api";
import {
  SERVE_CHANNEL_NAME,
  type ServeRequestMessage,
  STORE_CHANNEL_NAME,
  STORE_VALUE_CHANNEL_NAME,
  type StoreOperationMessage,
  type UnusableValueMessage,
} from "../model/events.js";
import { type RefreshTrace, type StsCallTrace, TRACE_CHANNELS } from "../model/tracing.js";
import { defined, Subscriptions } from "./subscriptions.js";

/** Seconds. The slowest useful answer is one that uses up the default budget of 60 s. */
const BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** A provider whose credentials expired so long ago was dropped without close(), in milliseconds. */
const FORGOTTEN_AFTER_MS = 3_600_000;

/** Turns what the diagnostics channels say into metrics. */
export class MetricRecorder {
  readonly #subscriptions = new Subscriptions();
  readonly #showsRole: boolean;
  readonly #stopGauge: () => void;
  /** When the credentials of each open provider expire; milliseconds since the epoch. */
  readonly #expirations = new Map<object, { readonly role: string; readonly expiresAt: number }>();
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
    this.#subscriptions.addTracing<RefreshTrace>(TRACE_CHANNELS.refresh, {
      start: (refresh) => this.#startedAt.set(refresh, now()),
      end: (refresh) => {
        const seconds = (now() - (this.#startedAt.get(refresh) ?? now())) / 1000;
        if (refresh.outcome === "cancelled") return;
        refreshes.record(seconds, this.#refreshAttributes(refresh));
        this.#noteExpiration(refresh);
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
    this.#stopGauge = this.#observeExpirations(meter);
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
      for (const [provider, { role, expiresAt }] of this.#expirations) {
        if (at - expiresAt > FORGOTTEN_AFTER_MS) this.#expirations.delete(provider);
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
    ...{ operation, outcome, "error.type": errorType, "resilient_sts.store": store },
    "resilient_sts.lease": isClaimed === undefined ? undefined : isClaimed ? "claimed" : "held",
  });
}

function durationHistogram(meter: Meter, name: string, description: string) {
  const advice = { explicitBucketBoundaries: BUCKETS };
  return meter.createHistogram(name, { description, unit: "s", advice });
}

/** Milliseconds that only go forward. */
function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
