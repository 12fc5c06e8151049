import { seededRandom } from "../../test/integration/world.js";
import { lineChart } from "../chart.js";
import { figure, type PartResult, type Table } from "../report.js";
import { simulateLoneService } from "./lone-service.js";
import { CANDIDATES, LOOKS, type Policy, RIVALS } from "./policy.js";
import { type FleetOptions, type FleetResult, simulateFleet } from "./simulate.js";

const SIZES = [10_000, 100_000];
const HORIZON_MS = 40 * 60_000;
/** What cannot end well is not watched to its end. */
const MAX_CALLS = 20_000_000;
const LONE_OUTAGES_MS = [2_000, 10_000, 30_000];
/** Of the charts: the size that can be served in minutes, in the phase that says most. */
const CHARTED = { workloads: 10_000, phase: "start", holdsJwks: false } as const;

interface Scenario {
  readonly workloads: number;
  readonly phase: FleetOptions["phase"];
  readonly holdsJwks: boolean;
}

/** The fleet against an identity provider that serves 50 requests a second, in virtual time. */
export async function fleetPart(): Promise<PartResult> {
  const scenarios = SIZES.flatMap((workloads) =>
    (["start", "refresh"] as const).flatMap((phase) =>
      [true, false].map((holdsJwks): Scenario => ({ workloads, phase, holdsJwks })),
    ),
  );
  const charted = simulate(RIVALS, CHARTED);
  const refreshing = simulate(RIVALS, { ...CHARTED, phase: "refresh" });
  return {
    tables: [
      ...scenarios.map((scenario) => fleetTable(scenario, simulate(RIVALS, scenario))),
      candidateTable(),
      looksTable(),
    ],
    charts: {
      "fleet-start-load.svg": loadChart(
        "10,000 workloads start at once, STS holds no JWKS: load on the IdP",
        charted,
      ),
      "fleet-refresh-load.svg": loadChart(
        "10,000 workloads refresh what they got in one second: load on the IdP",
        refreshing,
      ),
      "fleet-start-served.svg": servedChart(charted),
    },
  };
}

type Simulated = readonly (readonly [Policy, FleetResult])[];

function simulate(policies: readonly Policy[], scenario: Scenario): Simulated {
  return policies.map((policy) => {
    const random = seededRandom(1);
    const limits = { horizonMs: HORIZON_MS, maxCalls: MAX_CALLS, random };
    return [policy, simulateFleet({ ...scenario, ...limits, policy })];
  });
}

function fleetTable({ workloads, phase, holdsJwks }: Scenario, results: Simulated): Table {
  const what = phase === "start" ? "start at once" : "refresh what they got in one second";
  const least = workloads / 50;
  return {
    title: `Fleet: ${figure(workloads)} workloads ${what}, STS ${holdsJwks ? "holds" : "does not hold"} the JWKS`,
    note: holdsJwks
      ? "IdP: 50 requests/s, the rest 429. STS: 100 caches, each fetches the JWKS for itself."
      : `IdP: 50 requests/s, the rest 429. No client can be done before ${figure(least)} s.`,
    columns: [
      "policy",
      "all served after",
      "peak load / capacity",
      "STS calls",
      "wasted per workload",
      ...(phase === "refresh" ? ["ran out before"] : []),
    ],
    rows: results.map(([{ name }, result]) => [
      name,
      servedAfter(result),
      `${figure(Math.round(result.peakOverCapacity))}×`,
      figure(result.calls),
      figure(result.wastedCalls / workloads),
      ...(phase === "refresh" ? [figure(result.expired)] : []),
    ]),
  };
}

function servedAfter({ allServedMs, served, endedMs }: FleetResult): string {
  if (allServedMs !== undefined) return `${figure(Math.round(allServedMs / 1000))} s`;
  return `${figure(served * 100, "%")} at ${figure(Math.round(endedMs / 1000))} s`;
}

function candidateTable(): Table {
  const results = simulate(CANDIDATES, CHARTED);
  return {
    title: "Defaults: what serves a fleet, and what it costs a service that is alone",
    note: `Fleet: 10,000 start at once, STS holds no JWKS. Alone: from the end of an outage of ${LONE_OUTAGES_MS.map((ms) => ms / 1000).join(", ")} s to the credentials, median / p99 in s, calls.`,
    columns: [
      "policy",
      "all served after",
      "peak",
      "wasted per workload",
      ...LONE_OUTAGES_MS.map((ms) => `alone, ${ms / 1000} s`),
    ],
    rows: results.map(([policy, result]) => [
      policy.name,
      servedAfter(result),
      `${figure(Math.round(result.peakOverCapacity))}×`,
      figure(result.wastedCalls / CHARTED.workloads),
      ...LONE_OUTAGES_MS.map((outageMs) => lone(policy, outageMs)),
    ]),
  };
}

function lone(policy: Policy, outageMs: number): string {
  const result = simulateLoneService(policy, outageMs, seededRandom(2));
  const seconds = (ms: number) => (ms / 1000).toFixed(1);
  const { recoveryMedianMs, recoveryWorstMs, callsMedian } = result;
  return `${seconds(recoveryMedianMs)} / ${seconds(recoveryWorstMs)}, ${callsMedian}`;
}

/** What the pre-flight of every process costs an identity provider that is short of capacity. */
function looksTable(): Table {
  const holds = simulate(LOOKS, { ...CHARTED, holdsJwks: true });
  const lacks = simulate(LOOKS, CHARTED);
  return {
    title: "The pre-flight of 10,000 workloads that start at once: when each looks for itself",
    columns: ["look", "held: served", "held: peak", "held: wasted", "not: served", "not: peak"],
    rows: holds.map(([{ name }, result], index) => {
      const other = lacks[index]?.[1] ?? result;
      return [
        name,
        servedAfter(result),
        `${figure(Math.round(result.peakOverCapacity))}×`,
        figure(result.wastedCalls / CHARTED.workloads),
        servedAfter(other),
        `${figure(Math.round(other.peakOverCapacity))}×`,
      ];
    }),
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
