/*
 * Metrics and spans for OpenTelemetry. This example prints them to the console. In production, replace
 * the two exporters with those of `@opentelemetry/exporter-metrics-otlp-http` and
 * `@opentelemetry/exporter-trace-otlp-http`. A Grafana dashboard and alert rules for Prometheus are in
 * `examples/observability`.
 */
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import {
  ConsoleMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  ConsoleSpanExporter,
} from "@opentelemetry/sdk-trace-base";
import { fromTokenFile } from "resilient-sts";
import { instrument } from "resilient-sts/opentelemetry";

const reader = new PeriodicExportingMetricReader({
  exporter: new ConsoleMetricExporter(),
  exportIntervalMillis: 60_000,
});
const meterProvider = new MeterProvider({ readers: [reader] });
const tracerProvider = new BasicTracerProvider({
  spanProcessors: [new BatchSpanProcessor(new ConsoleSpanExporter())],
});

// Call this before the first refresh. Without arguments, it uses the global providers, which
// `@opentelemetry/sdk-node` sets.
instrument({ meterProvider, tracerProvider });

const credentials = fromTokenFile();
const sts = new STSClient({ credentials });
const { Arn } = await sts.send(new GetCallerIdentityCommand({}));
console.log(`This is ${Arn}`);

// At the end of the process, export the metrics and spans since the last export.
await Promise.all([meterProvider.shutdown(), tracerProvider.shutdown()]);
credentials.close();
sts.destroy();
