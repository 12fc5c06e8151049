import { hasSubscribers } from "node:diagnostics_channel";
import { diag } from "@opentelemetry/api";
import { BasicTracerProvider } from "@opentelemetry/sdk-trace-base";
import { describe, expect, test } from "vitest";
import { type RefreshTrace, SERVE_CHANNEL_NAME, traceRefresh } from "../../src/model/events.js";
import { instrument } from "../../src/opentelemetry/index.js";
import { holdsAfterCollection } from "../support/garbage.js";
import { startWorld } from "../support/world.js";

/** A subscriber's exception ends the process, so Node reports it as an uncaught one. */
async function uncaughtDuring(work: () => Promise<unknown>): Promise<unknown[]> {
  const uncaught: unknown[] = [];
  const onError = (error: unknown) => uncaught.push(error);
  process.on("uncaughtException", onError);
  try {
    await work();
    await new Promise(setImmediate);
  } finally {
    process.off("uncaughtException", onError);
  }
  return uncaught;
}

const JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl";
const broken = (): never => {
  throw new Error(`the exporter is broken: ${JWT}`);
};
const idle = { forceFlush: async () => {}, shutdown: async () => {} };
const tracesTo = (processor: object) =>
  new BasicTracerProvider({
    spanProcessors: [{ onStart() {}, onEnd() {}, ...idle, ...processor }],
  });
const meterOf = (record: () => void) => ({
  createHistogram: () => ({ record }),
  createCounter: () => ({ add: record }),
  createObservableGauge: () => ({ addCallback() {}, removeCallback() {} }),
});

describe("telemetry that throws", () => {
  test.each<[string, object]>([
    ["when a span starts", { tracerProvider: tracesTo({ onStart: broken }) }],
    ["when a span ends", { tracerProvider: tracesTo({ onEnd: broken }) }],
    ["when a value is recorded", { meterProvider: { getMeter: () => meterOf(broken) } }],
    ["for lack of a tracer", { tracerProvider: { getTracer: () => undefined } }],
    [
      "for lack of a whole span",
      { tracerProvider: { getTracer: () => ({ startSpan: () => ({}) }) } },
    ],
  ])("%s does not end the process, and reports that without a token", async (_, options) => {
    await using world = await startWorld();
    const reports: string[] = [];
    const log = (...texts: unknown[]) => void reports.push(texts.join(" "));
    diag.setLogger({ error: log, warn: log, info: log, debug: log, verbose: log });
    try {
      using _running = instrument(options);
      world.sts.setFault("idp-unreachable", { times: 1 });
      const provider = world.provide();
      expect(await uncaughtDuring(provider)).toEqual([]);
      provider.close();
    } finally {
      diag.disable();
    }
    const errors = reports.filter((text) => text.startsWith("resilient-sts: "));
    expect(errors.length).toBeGreaterThan(1);
    expect(errors.join()).not.toContain(JWT);
  });

  test("while attributes are set still ends the span", async () => {
    await using world = await startWorld();
    let ended = 0;
    const span = {
      setAttributes: broken,
      end: () => {
        ended += 1;
      },
    };
    const tracerProvider = { getTracer: () => ({ startSpan: () => span }) } as never;
    using _running = instrument({ tracerProvider });
    expect(await uncaughtDuring(world.provide())).toEqual([]);
    expect(ended).toBe(2);
  });

  test("ends every span at disable(), whatever one of them throws", async () => {
    await using world = await startWorld();
    let ended = 0;
    const onEnd = () => {
      ended += 1;
      broken();
    };
    const running = instrument({ tracerProvider: tracesTo({ onEnd }) });
    let resolveToken = (_: string) => {};
    const token = () => new Promise<string>((resolve) => (resolveToken = resolve));
    const calls = [
      world.provide({}, { token })(),
      world.provide({}, { token: () => world.idp.issueToken() })(),
    ];
    await calls[1];
    running.disable();
    resolveToken(await world.idp.issueToken());
    await Promise.all(calls);
    expect(ended).toBe(3);
  });

  test.each<[string, object]>([
    ["a meter", { meterProvider: { getMeter: broken } }],
    ["a tracer", { tracerProvider: { getTracer: broken } }],
    [
      "a gauge",
      {
        meterProvider: { getMeter: () => ({ ...meterOf(broken), createObservableGauge: broken }) },
      },
    ],
  ])("for %s fails instrument(), which leaves no subscription behind", (_, options) => {
    const names = ["tracing:resilient-sts:refresh:start", SERVE_CHANNEL_NAME];
    expect(() => instrument(options)).toThrow("the exporter is broken");
    expect(names.map((name) => hasSubscribers(name))).toEqual([false, false]);
  });
});

test("providers that were dropped without close() are forgotten, even if no metric is ever read", async () => {
  using _running = instrument();
  const publish = (): WeakRef<object> => {
    const provider = {};
    const trace: RefreshTrace = { provider, isBackground: false };
    const end = traceRefresh(trace);
    Object.assign(trace, { outcome: "refreshed", expiration: new Date(0) });
    end();
    return new WeakRef(provider);
  };
  const providers = Array.from({ length: 150 }, publish);
  const kept = () => providers.filter((each) => each.deref() !== undefined).length;
  expect(await holdsAfterCollection(() => kept() <= 100)).toBe(true);
});
