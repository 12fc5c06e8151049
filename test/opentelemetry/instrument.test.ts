import { AsyncLocalStorage } from "node:async_hooks";
import {
  type Context,
  type ContextManager,
  context,
  ROOT_CONTEXT,
  trace,
} from "@opentelemetry/api";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Memory, memoryStore } from "../../bench/support/memory-store.js";
import type { CredentialStore } from "../../src/model/credential-store.js";
import { publishServeRequest, publishStoreOperation } from "../../src/model/events.js";
import { type InstrumentOptions, instrument } from "../../src/opentelemetry/index.js";
import { ROLE_ARN, rejection, startWorld } from "../support/world.js";

/** The part of `@opentelemetry/context-async-hooks` that these tests need. */
class AsyncContexts implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>();
  active = () => this.#storage.getStore() ?? ROOT_CONTEXT;
  with: ContextManager["with"] = (active, fn, self, ...args) =>
    this.#storage.run(active, () => fn.call(self as never, ...args));
  bind: ContextManager["bind"] = (_, target) => target;
  enable = () => this;
  disable = () => this;
}

beforeAll(() => void context.setGlobalContextManager(new AsyncContexts()));
afterAll(() => context.disable());

/** An instrumentation whose spans and metrics stay in memory. */
function observed(options: InstrumentOptions = {}) {
  const spans = new InMemorySpanExporter();
  const tracerProvider = new BasicTracerProvider({
    spanProcessors: [new SimpleSpanProcessor(spans)],
  });
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const meterProvider = new MeterProvider({ readers: [reader] });
  const running = instrument({ meterProvider, tracerProvider, ...options });
  return {
    tracer: tracerProvider.getTracer("test"),
    spans: (name: string): ReadableSpan[] =>
      spans.getFinishedSpans().filter((span) => span.name === name),
    /** Attributes and values of one metric; the number of measurements of a histogram. */
    async points(name: string) {
      exporter.reset();
      await reader.forceFlush();
      const metrics = exporter
        .getMetrics()
        .flatMap((batch) => batch.scopeMetrics)
        .flatMap((scope) => scope.metrics);
      return (metrics.find(({ descriptor }) => descriptor.name === name)?.dataPoints ?? []).map(
        ({ attributes, value }) =>
          [
            attributes,
            typeof value === "number" ? value : (value as { count: number }).count,
          ] as const,
      );
    },
    async everything() {
      exporter.reset();
      await reader.forceFlush();
      return JSON.stringify([
        spans
          .getFinishedSpans()
          .map(({ name, attributes, status, links }) => ({ name, attributes, status, links })),
        exporter.getMetrics(),
      ]);
    },
    disable: running.disable,
    async [Symbol.asyncDispose]() {
      running.disable();
      await Promise.all([meterProvider.shutdown(), tracerProvider.shutdown()]);
    },
  };
}

const REFRESH = "resilient_sts.refresh";
const CALL = "STS/AssumeRoleWithWebIdentity";

describe("a refresh", () => {
  test("is a span with one client span for each STS call, and is measured", async () => {
    await using world = await startWorld();
    await using telemetry = observed();
    world.sts.setFault("idp-unreachable", { times: 2 });
    await world.provide()();

    const [refresh] = telemetry.spans(REFRESH);
    expect(refresh?.attributes).toEqual({
      "resilient_sts.background": false,
      "resilient_sts.outcome": "refreshed",
      "resilient_sts.source": "sts",
      "resilient_sts.attempts": 3,
      "cloud.region": "eu-west-1",
    });
    const calls = telemetry.spans(CALL);
    expect(calls.map(({ parentSpanContext }) => parentSpanContext?.spanId)).toEqual(
      Array(3).fill(refresh?.spanContext().spanId),
    );
    expect(
      calls.map(({ attributes }) => [
        attributes["resilient_sts.attempt"],
        attributes["error.type"],
      ]),
    ).toEqual([
      [1, "idp-unreachable"],
      [2, "idp-unreachable"],
      [3, undefined],
    ]);
    expect(calls[0]?.attributes).toMatchObject({
      "aws.request_id": expect.stringMatching(/^[\w-]{36}$/),
      "http.response.status_code": 400,
      "cloud.region": "eu-west-1",
    });
    expect(await telemetry.points("resilient_sts.refresh.duration")).toEqual([
      [{ outcome: "refreshed", source: "sts", "cloud.region": "eu-west-1" }, 1],
    ]);
    expect(await telemetry.points("resilient_sts.sts.attempts")).toEqual([
      [{ "cloud.region": "eu-west-1", "error.type": "idp-unreachable" }, 2],
      [{ "cloud.region": "eu-west-1" }, 1],
    ]);
  });

  test("that fails has the verdict as its error type", async () => {
    await using world = await startWorld();
    await using telemetry = observed();
    world.sts.setFault("access-denied");
    await rejection(world.provide()());
    expect(telemetry.spans(REFRESH)[0]).toMatchObject({
      attributes: { "resilient_sts.outcome": "failed", "error.type": "access-denied" },
      status: { code: 2, message: "access-denied" },
    });
    expect(await telemetry.points("resilient_sts.refresh.duration")).toEqual([
      [{ outcome: "failed", "error.type": "access-denied" }, 1],
    ]);
  });

  test("that close() cancels is a span, and is not measured", async () => {
    await using world = await startWorld();
    await using telemetry = observed();
    world.sts.setFault("hang");
    const provider = world.provide();
    const waiting = rejection(provider());
    await expect.poll(() => world.calls()).toBe(1);
    provider.close();
    await waiting;
    expect(telemetry.spans(REFRESH)[0]?.attributes).toMatchObject({
      "resilient_sts.outcome": "cancelled",
    });
    expect(await telemetry.points("resilient_sts.refresh.duration")).toEqual([]);
  });

  test("is a child of the span of the caller that started it, and is linked to each caller that waits", async () => {
    await using world = await startWorld();
    await using telemetry = observed();
    const provider = world.provide();
    const call = (name: string) => {
      const span = telemetry.tracer.startSpan(name);
      return context.with(trace.setSpan(ROOT_CONTEXT, span), async () => {
        await provider();
        span.end();
        return span.spanContext().spanId;
      });
    };
    const [first] = await Promise.all([call("first"), call("second")]);
    const [refresh] = telemetry.spans(REFRESH);
    expect(refresh?.parentSpanContext?.spanId).toBe(first);
    for (const name of ["first", "second"]) {
      const [span] = telemetry.spans(name);
      expect(span?.links.map((link) => link.context.spanId)).toEqual([
        refresh?.spanContext().spanId,
      ]);
    }
  });

  test("that a timer started is a root span", async () => {
    await using world = await startWorld();
    await using telemetry = observed();
    const provider = world.provide({ refresh: { aheadOfTime: true } });
    const span = telemetry.tracer.startSpan("caller");
    await context.with(trace.setSpan(ROOT_CONTEXT, span), () => provider());
    await world.clock.advance(3_300_000);
    await expect.poll(() => telemetry.spans(REFRESH).length).toBeGreaterThanOrEqual(2);
    const second = telemetry.spans(REFRESH)[1];
    expect(second?.attributes["resilient_sts.background"]).toBe(true);
    expect(second?.parentSpanContext).toBeUndefined();
    provider.close();
  });
});

describe("the time to expiry", () => {
  test("is that of the role whose credentials expire first, until its provider is closed", async () => {
    await using world = await startWorld({ now: Date.now });
    await using telemetry = observed();
    const long = world.provide({ durationSeconds: 7200 }, { roleArn: `${ROLE_ARN}-long` });
    const short = world.provide({ durationSeconds: 900 });
    await Promise.all([long(), short()]);
    const seconds = async () => {
      const points = await telemetry.points("resilient_sts.credentials.time_to_expiry");
      return points.map(([attributes, value]) => [attributes, Math.round(value / 60)]);
    };
    expect(await seconds()).toEqual([[{}, 15]]);
    short.close();
    expect(await seconds()).toEqual([[{}, 120]]);
    long.close();
  });

  test("is one series for each role with `roleArn: true`", async () => {
    await using world = await startWorld();
    await using telemetry = observed({ roleArn: true });
    const provider = world.provide();
    await provider();
    const [point] = await telemetry.points("resilient_sts.credentials.time_to_expiry");
    expect(point?.[0]).toEqual({ "aws.role.arn": ROLE_ARN });
    provider.close();
  });
});

describe("a shared store", () => {
  test("shows which process refreshes, which one adopts, and which one has the lease", async () => {
    await using world = await startWorld({ now: Date.now });
    await using telemetry = observed();
    const memory = new Memory();
    const first = world.provide({ store: memoryStore(memory) });
    await first();
    await first[Symbol.asyncDispose]();
    await world.provide({ store: memoryStore(memory) })();
    expect(await telemetry.points("resilient_sts.refresh.duration")).toEqual([
      [{ outcome: "refreshed", source: "sts", "cloud.region": "eu-west-1" }, 1],
      [{ outcome: "refreshed", source: "store", "cloud.region": "eu-west-1" }, 1],
    ]);
    expect(await telemetry.points("resilient_sts.sts.attempts")).toEqual([
      [{ "cloud.region": "eu-west-1" }, 1],
    ]);
    const done = { "resilient_sts.store": "memory", outcome: "success" };
    const operations = await telemetry.points("resilient_sts.store.operation.duration");
    expect(operations).toContainEqual([{ ...done, operation: "publish" }, 1]);
    expect(operations).toContainEqual([
      { ...done, operation: "claim", "resilient_sts.lease": "claimed" },
      1,
    ]);
  });

  test("shows a lease that another process holds, and a value that can't be used", async () => {
    await using world = await startWorld({ now: Date.now });
    await using telemetry = observed();
    const entry = { isLeased: false, problem: "it was cut" };
    const store: CredentialStore = {
      ...memoryStore(new Memory()),
      read: async () => entry,
      claim: async () => undefined,
    };
    const provider = world.provide({ store });
    const waiting = provider();
    // The wait for the other process ends after 5 s at most.
    await world.clock.advance(5_000);
    await waiting;
    const operations = await telemetry.points("resilient_sts.store.operation.duration");
    expect(operations.map(([attributes]) => attributes)).toContainEqual({
      ...{ "resilient_sts.store": "memory", operation: "claim", outcome: "success" },
      "resilient_sts.lease": "held",
    });
    expect(await telemetry.points("resilient_sts.store.unusable_values")).toEqual([
      [{ "resilient_sts.store": "memory" }, 1],
    ]);
  });
});

test("store operations and endpoint requests are counted", async () => {
  await using telemetry = observed();
  publishStoreOperation({
    ...{ store: "redis", operation: "claim", outcome: "failure", errorType: "timeout", ms: 250 },
  });
  publishServeRequest({ role: "app", status: 200, ms: 1 });
  publishServeRequest({ role: undefined, status: 401, ms: 1 });
  expect(await telemetry.points("resilient_sts.store.operation.duration")).toEqual([
    [
      {
        operation: "claim",
        outcome: "failure",
        "error.type": "timeout",
        "resilient_sts.store": "redis",
      },
      1,
    ],
  ]);
  expect(await telemetry.points("resilient_sts.serve.requests")).toEqual([
    [{ "http.response.status_code": 200, role: "app" }, 1],
    [{ "http.response.status_code": 401 }, 1],
  ]);
});

test("no token, subject, key ID or role ARN is recorded", async () => {
  await using world = await startWorld();
  await using telemetry = observed();
  let token = "";
  const provider = world.provide(
    {},
    {
      token: async () => {
        token = await world.idp.issueToken({ claims: { sub: "system:serviceaccount:shop:api" } });
        return token;
      },
    },
  );
  world.sts.setFault("idp-unreachable", { times: 1 });
  const { accessKeyId, secretAccessKey, sessionToken = "" } = await provider();
  const text = await telemetry.everything();
  for (const secret of [
    token,
    "serviceaccount",
    accessKeyId,
    secretAccessKey,
    sessionToken,
    ROLE_ARN,
  ]) {
    expect(text).not.toContain(secret);
  }
});

test("nothing is recorded after disable()", async () => {
  await using world = await startWorld();
  await using telemetry = observed();
  telemetry.disable();
  await world.provide()();
  expect(telemetry.spans(REFRESH)).toEqual([]);
  expect(await telemetry.points("resilient_sts.refresh.duration")).toEqual([]);
});

test("a refresh that began before the instrumentation is not measured", async () => {
  await using world = await startWorld();
  let resolveToken = (_: string) => {};
  const token = () => new Promise<string>((resolve) => (resolveToken = resolve));
  const call = world.provide({}, { token })();
  await new Promise(setImmediate);
  await using telemetry = observed();
  resolveToken(await world.idp.issueToken());
  await call;
  expect(await telemetry.points("resilient_sts.refresh.duration")).toEqual([]);
  expect(await telemetry.points("resilient_sts.credentials.time_to_expiry")).toHaveLength(1);
});

test.each([
  ["an unknown option", { roleARN: true }],
  ["a role option that is not a boolean", { roleArn: "yes" }],
  ["a meter provider that is not an object", { meterProvider: 1 }],
])("%s is a TypeError", (_, options) => {
  expect(() => instrument(options as InstrumentOptions)).toThrow(TypeError);
});
