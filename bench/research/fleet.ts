import { lineChart } from "../chart.js";
import { figure, type PartResult, type Table } from "../report.js";
import { candidateTable } from "./candidate-table.js";
import { CHARTED, CHECK_TIMINGS, type Policy, RIVALS } from "./policy.js";
import { peakCell, runFleet, type Scenario, STORM, servedCell, wastedCell } from "./scenario.js";
import type { FleetResult } from "./simulate.js";
import { unknownsTable } from "./unknowns-table.js";

const SIZES = [10_000, 100_000];

type Simulated = readonly (readonly [Policy, FleetResult])[];

/** The fleet against an identity provider that serves 50 requests a second, in virtual time. */
export async function fleetPart(): Promise<PartResult> {
  const starting = simulate(CHARTED, STORM);
  const refreshing = simulate(CHARTED, { ...STORM, phase: "refresh" });
  return {
    tables: [
      ...SIZES.flatMap((workloads) =>
        (["start", "refresh"] as const).flatMap((phase) =>
          [true, false].map((holdsJwks) => fleetTable({ workloads, phase, holdsJwks })),
        ),
      ),
      candidateTable(),
      unknownsTable(),
      checksTable("refuses"),
      checksTable("queues"),
    ],
    charts: {
      "fleet-start-load.svg": loadChart(
        "10,000 workloads start together, STS does not cache the JWKS: load on the IdP",
        starting,
      ),
      "fleet-refresh-load.svg": loadChart(
        "10,000 workloads refresh credentials that they got in one second: load on the IdP",
        refreshing,
      ),
      "fleet-start-served.svg": servedChart(starting),
    },
  };
}

function simulate(policies: readonly Policy[], scenario: Scenario): Simulated {
  return policies.map((policy) => [policy, runFleet(policy, scenario)]);
}

function fleetTable(scenario: Scenario): Table {
  const { workloads, phase, holdsJwks } = scenario;
  const what =
    phase === "start" ? "start together" : "refresh credentials that they got in one second";
  const least = workloads / 50;
  const since = phase === "start" ? "" : " Time 0: the first refresh of a fleet that spreads them.";
  return {
    title: `Fleet: ${figure(workloads)} workloads ${what}, STS ${holdsJwks ? "caches" : "does not cache"} the JWKS`,
    note: holdsJwks
      ? `IdP: 50 requests/s, the rest 429. STS: 100 caches, each of which fetches the JWKS.${since}`
      : `IdP: 50 requests/s, the rest 429. No policy can finish before ${figure(least)} s.${since}`,
    columns: [
      "policy",
      "all have credentials after",
      "peak load / capacity",
      "STS calls",
      "wasted per workload",
      ...(phase === "refresh" ? ["ran out of credentials"] : []),
    ],
    rows: simulate(RIVALS, scenario).map(([{ name }, result]) => [
      name,
      servedCell(result),
      peakCell(result),
      figure(result.calls),
      wastedCell(result, workloads),
      ...(phase === "refresh" ? [figure(result.expired)] : []),
    ]),
  };
}

/** The load of each process's issuer check on an identity provider that lacks capacity. */
function checksTable(overload: "refuses" | "queues"): Table {
  const worlds = [true, false].map((holdsJwks) => ({ ...STORM, holdsJwks, overload }));
  return {
    title: `Issuer checks of 10,000 workloads that start together, at an IdP that ${overload} requests: when each process checks`,
    note: "Requests: to the IdP, from STS and from all issuer checks, for one workload.",
    columns: [
      "a process checks when its call …",
      ...["cached", "not"].flatMap((held) => [`${held}: served`, "peak", "wasted", "requests"]),
    ],
    rows: CHECK_TIMINGS.map((policy) => [
      policy.name,
      ...worlds.flatMap((world) => {
        const result = runFleet(policy, world);
        return [
          servedCell(result),
          peakCell(result),
          wastedCell(result, world.workloads),
          (result.issuerRequests / world.workloads).toFixed(2),
        ];
      }),
    ]),
  };
}

/** The chart shows the busiest of every few seconds, so that pulses stay visible. */
const LOAD_STEP_SECONDS = 5;

function loadChart(title: string, results: Simulated): string {
  return lineChart(
    { title, xName: "seconds", yName: "requests / capacity", logarithmic: true },
    results.map(([{ name }, { loadBySecond }]) => ({
      name,
      points: Array.from({ length: loadBySecond.length / LOAD_STEP_SECONDS }, (_, step) => {
        const from = step * LOAD_STEP_SECONDS;
        const busiest = Math.max(...loadBySecond.slice(from, from + LOAD_STEP_SECONDS));
        // A logarithmic axis has no zero.
        return [from, Math.max(busiest, 0.01)] as const;
      }),
    })),
  );
}

function servedChart(results: Simulated): string {
  return lineChart(
    {
      title: "10,000 workloads start together, STS does not cache the JWKS: share with credentials",
      xName: "seconds",
      yName: "% of the workloads",
    },
    results.map(([{ name }, { servedBySecond }]) => ({
      name,
      points: servedBySecond.map((share, second) => [second, share * 100] as const),
    })),
  );
}
