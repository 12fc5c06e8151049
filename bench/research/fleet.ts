import { lineChart } from "../chart.js";
import { figure, type PartResult, type Table } from "../report.js";
import { candidateTable } from "./candidate-table.js";
import { CHARTED, LOOKS, type Policy, RIVALS } from "./policy.js";
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
      looksTable("refuses"),
      looksTable("queues"),
    ],
    charts: {
      "fleet-start-load.svg": loadChart(
        "10,000 workloads start at once, STS holds no JWKS: load on the IdP",
        starting,
      ),
      "fleet-refresh-load.svg": loadChart(
        "10,000 workloads refresh what they got in one second: load on the IdP",
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
  const what = phase === "start" ? "start at once" : "refresh what they got in one second";
  const least = workloads / 50;
  const since = phase === "start" ? "" : " Time 0: the first refresh of a fleet that spreads them.";
  return {
    title: `Fleet: ${figure(workloads)} workloads ${what}, STS ${holdsJwks ? "holds" : "does not hold"} the JWKS`,
    note: holdsJwks
      ? `IdP: 50 requests/s, the rest 429. STS: 100 caches, each fetches the JWKS for itself.${since}`
      : `IdP: 50 requests/s, the rest 429. No client can be done before ${figure(least)} s.${since}`,
    columns: [
      "policy",
      "all served after",
      "peak load / capacity",
      "STS calls",
      "wasted per workload",
      ...(phase === "refresh" ? ["ran out before"] : []),
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

/** What the pre-flight of every process costs an identity provider that is short of capacity. */
function looksTable(overload: "refuses" | "queues"): Table {
  const worlds = [true, false].map((holdsJwks) => ({ ...STORM, holdsJwks, overload }));
  return {
    title: `The pre-flight of 10,000 workloads that start at once, at an IdP that ${overload}: when each looks for itself`,
    note: "Requests: of STS and of all the looks, to the IdP, for one workload.",
    columns: [
      "a process looks when its call …",
      ...["held", "not"].flatMap((held) => [`${held}: served`, "peak", "wasted", "requests"]),
    ],
    rows: LOOKS.map((policy) => [
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

/** The busiest second of every few: pulses stay visible, and lines stay lines. */
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
      title: "10,000 workloads start at once, STS holds no JWKS: who has credentials",
      xName: "seconds",
      yName: "% of the workloads",
    },
    results.map(([{ name }, { servedBySecond }]) => ({
      name,
      points: servedBySecond.map((share, second) => [second, share * 100] as const),
    })),
  );
}
