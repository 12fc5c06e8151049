import type { Table } from "../report.js";
import { OURS_WITHOUT_CHECKS, REFERENCE } from "./policy.js";
import { runFleet, type Scenario, STORM } from "./scenario.js";
import type { FleetResult } from "./simulate.js";

/** Facts about STS that AWS does not publish, or that differ between identity providers. */
const WORLDS: readonly (readonly [name: string, changes: Partial<Scenario>])[] = [
  ["as above", {}],
  ["the IdP queues requests, STS stops waiting after 5 s", { overload: "queues" }],
  ["STS remembers for 1 s that it got no JWKS", { remembersFailureMs: 1_000 }],
  ["STS remembers for 5 s that it got no JWKS", { remembersFailureMs: 5_000 }],
  ["STS has 1 cache for the JWKS", { holdsJwks: true, caches: 1 }],
  ["100 caches", { holdsJwks: true }],
  ["1,000 caches", { holdsJwks: true, caches: 1_000 }],
  ["100 caches, the IdP queues requests", { holdsJwks: true, overload: "queues" }],
];

const SEEDS = [1, 2, 3, 4, 5];

/** Whether the choice of the default depends on any of them, and how much runs differ. */
export function unknownsTable(): Table {
  const policies = [OURS_WITHOUT_CHECKS, REFERENCE];
  return {
    title: "Unknown facts about STS: ours / full jitter 0.5–5 s",
    note: "10,000 start together, issuer check off. Means of five seeds; ± is half of the range.",
    columns: ["", "all served after, s", "peak load / capacity", "wasted per workload"],
    rows: WORLDS.map(([name, changes]) => {
      const results = policies.map((policy) =>
        SEEDS.map((seed) => runFleet(policy, { ...STORM, ...changes }, seed)),
      );
      const cell = (of: (result: FleetResult) => number, digits: number) =>
        results.map((runs) => spread(runs.map(of), digits)).join(" / ");
      return [
        name,
        cell(({ allServedMs = Number.NaN }) => allServedMs / 1000, 0),
        cell(({ peakOverCapacity }) => peakOverCapacity, 1),
        cell(({ wastedCalls }) => wastedCalls / STORM.workloads, 2),
      ];
    }),
  };
}

function spread(values: readonly number[], digits: number): string {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const half = (Math.max(...values) - Math.min(...values)) / 2;
  return `${mean.toFixed(digits)} ± ${half.toFixed(digits)}`;
}
