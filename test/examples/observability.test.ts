import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  AggregationTemporality,
  DataPointType,
  InMemoryMetricExporter,
  MeterProvider,
  type MetricData,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { publishServeRequest, publishStoreOperation } from "../../src/model/events.js";
import type { Verdict } from "../../src/model/failure.js";
import { instrument } from "../../src/opentelemetry/index.js";
import { findProgram, leaveOut } from "../support/program.js";
import { ROOT } from "../support/sources.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { rejection, startWorld } from "../support/world.js";

const run = promisify(execFile);
const FOLDER = join(ROOT, "examples/observability");

interface Series {
  readonly names: readonly string[];
  readonly labels: readonly string[];
}

/** Everything that the instrumentation records, by the names that Prometheus gives it over OTLP. */
async function recordedSeries(): Promise<readonly Series[]> {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const meterProvider = new MeterProvider({ readers: [reader] });
  using _ = instrument({ meterProvider });
  await using world = await startWorld();
  const provider = world.provide();
  await provider();
  world.sts.setFault("access-denied");
  await rejection(world.provide()());
  publishStoreOperation({ store: "redis", operation: "read", outcome: "success", ms: 1 });
  publishServeRequest({ role: "app", status: 200, ms: 1 });
  await reader.forceFlush();
  const metrics = exporter
    .getMetrics()
    .flatMap(({ scopeMetrics }) => scopeMetrics)
    .flatMap((scope) => scope.metrics);
  await meterProvider.shutdown();
  return metrics.map((metric) => ({ names: prometheusNames(metric), labels: labelsOf(metric) }));
}

/**
 * OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility", OTLP metric points to
 * Prometheus: other characters become `_`, a unit is appended in full, one in braces is dropped, and
 * counters end in `_total`.
 */
function prometheusNames({ descriptor, dataPointType, ...metric }: MetricData): string[] {
  const units: Readonly<Record<string, string>> = { s: "_seconds" };
  const unit = descriptor.unit.startsWith("{") ? "" : units[descriptor.unit];
  if (unit === undefined) throw new Error(`no rule for the unit ${descriptor.unit}`);
  const name = `${descriptor.name.replace(/\W/g, "_")}${unit}`;
  if (dataPointType === DataPointType.HISTOGRAM) {
    return ["_bucket", "_count", "_sum"].map((suffix) => name + suffix);
  }
  const isCounter = "isMonotonic" in metric && metric.isMonotonic === true;
  return [isCounter ? `${name}_total` : name];
}

function labelsOf({ dataPoints, dataPointType }: MetricData): string[] {
  const names = dataPoints.flatMap(({ attributes }) => Object.keys(attributes));
  const bounds = dataPointType === DataPointType.HISTOGRAM ? ["le"] : [];
  // The service's name, which every series has.
  return ["job", ...bounds, ...names.map((name) => name.replace(/\W/g, "_"))];
}

interface Dashboard {
  readonly panels: readonly {
    readonly id: number;
    readonly title: string;
    readonly description: string;
    readonly gridPos: Readonly<Record<"x" | "y" | "w" | "h", number>>;
    readonly targets: readonly { readonly expr: string }[];
  }[];
  readonly templating: { readonly list: readonly { readonly name: string }[] };
}

interface Rules {
  readonly groups: readonly {
    readonly rules: readonly { readonly alert: string; readonly expr: string }[];
  }[];
}

const dashboard: Dashboard = JSON.parse(await readFile(join(FOLDER, "dashboard.json"), "utf8"));
const { groups } = parse(await readFile(join(FOLDER, "alerts.yaml"), "utf8")) as Rules;
const QUERIES = [
  ...dashboard.panels.flatMap(({ title, targets }) =>
    targets.map(({ expr }) => [`panel ${title}`, expr] as const),
  ),
  ...groups.flatMap(({ rules }) =>
    rules.map(({ alert, expr }) => [`alert ${alert}`, expr] as const),
  ),
];

/** The compiler rejects a verdict here that does not exist. */
const VERDICTS_FOR_A_PERSON: readonly Verdict[] = [
  "access-denied",
  "token-rejected",
  "token-invalid",
  "request-invalid",
  "region-disabled",
];

let series: readonly Series[];
beforeAll(async () => {
  series = await recordedSeries();
});

const seriesOf = (name: string) => series.find(({ names }) => names.includes(name));
const metricsIn = (query: string) => query.match(/resilient_sts_\w+/g) ?? [];

describe("the dashboard and the alert rules", () => {
  test.each(QUERIES)("use in %s only metrics and labels that the code records", (_, query) => {
    const metrics = metricsIn(query);
    expect(metrics).not.toEqual([]);
    const labels = [
      ...[...query.matchAll(/\{([^}]*)\}/g)].flatMap(([, selector = ""]) =>
        [...selector.matchAll(/(\w+)=/g)].map(([, label]) => label),
      ),
      ...[...query.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list = ""]) => list.split(", ")),
    ];
    for (const metric of metrics) {
      expect(seriesOf(metric)?.names, metric).toContain(metric);
      expect(seriesOf(metric)?.labels).toEqual(expect.arrayContaining(labels));
    }
  });

  test("show every metric that the code records", () => {
    const shown = new Set(
      dashboard.panels.flatMap(({ targets }) => metricsIn(JSON.stringify(targets))),
    );
    for (const { names } of series) {
      expect(
        names.some((name) => shown.has(name)),
        names[0],
      ).toBe(true);
    }
  });

  test("treat the same verdicts as permanent", () => {
    const alert = QUERIES.find(([title]) => title === "alert AwsCredentialsRejected")?.[1];
    expect(alert).toContain(`error_type=~"${VERDICTS_FOR_A_PERSON.join("|")}"`);
  });

  test("have panels that do not overlap, each with a title and a description", () => {
    const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, at) => `${x + (at % w)},${y + Math.floor(at / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
    for (const { title, description } of dashboard.panels) {
      expect(title).not.toBe("");
      expect(description).not.toBe("");
    }
  });
});

describe("Prometheus's own checker", { timeout: 30_000 }, () => {
  const promtool = findProgram("promtool");
  if (promtool === undefined) return leaveOut("alert rules and their tests", "promtool");

  test("passes the tests of the alert rules", async () => {
    await run(promtool, ["test", "rules", join(FOLDER, "alerts.test.yaml")]);
  });

  test("accepts every query of the dashboard", async () => {
    using folder = temporaryFolder();
    const file = join(folder.path, "rules.yaml");
    const rules = QUERIES.map(([, query], at) => ({
      record: `query:${at}`,
      // As Grafana replaces its variables.
      expr: query.replaceAll("$__rate_interval", "5m").replaceAll("$job", ".*"),
    }));
    await writeFile(file, stringify({ groups: [{ name: "dashboard", rules }] }));
    const { stdout } = await run(promtool, ["check", "rules", file]);
    expect(stdout).toContain(`SUCCESS: ${rules.length} rules found`);
  });
});
