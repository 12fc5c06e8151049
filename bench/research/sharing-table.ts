import { figure, type Table } from "../report.js";
import { OURS } from "./policy.js";
import { peakCell, runFleet, STORM, servedCell, wastedCell } from "./scenario.js";
import { runSharingFleet, type SharingFleetOptions } from "./sharing-fleet.js";

const WORKLOADS = 10_000;

/** The time of an operation of a Redis in the same zone. */
const STORE_MS = 0.5;

const FLEETS: readonly (readonly [name: string, options: Partial<SharingFleetOptions>])[] = [
  ["1 role, with a store", { roles: 1 }],
  ["10 roles, with a store", {}],
  ["the same, an operation takes 50 ms", { storeMs: 50 }],
  ["the same, and three hours of refreshes", { hours: 3 }],
  ["the same, the IdP refuses everything for the first 10 s", { outageMs: 10_000 }],
  ["100,000 workloads of 10 roles, with a store", { workloads: 10 * WORKLOADS }],
];

/** What a store changes for a fleet whose workloads start together. */
export async function sharingTable(): Promise<Table> {
  const without = runFleet(OURS, STORM);
  const rows: string[][] = [
    [
      "without a store",
      servedCell(without),
      "–",
      peakCell(without),
      figure(without.calls),
      wastedCell(without, WORKLOADS),
      ...["–", "–"],
    ],
  ];
  for (const [name, changes] of FLEETS) {
    const options = { workloads: WORKLOADS, roles: 10, storeMs: STORE_MS, ...changes };
    const result = await runSharingFleet(options);
    rows.push([
      name,
      seconds(result.allServedMs),
      seconds(result.longestWaitMs),
      peakCell(result),
      figure(result.calls),
      wastedCell(result, options.workloads),
      figure(result.storeOperations),
      figure(result.storePeakPerSecond),
    ]);
  }
  return {
    title: "Stores: 10,000 workloads start within one second, STS does not cache the JWKS",
    note: `IdP: 50 requests/s, the rest 429. The library's own code in every workload; one store operation takes ${STORE_MS} ms.`,
    columns: [
      "",
      "all have credentials after",
      "longest wait",
      "peak load / capacity",
      "STS calls",
      "wasted per workload",
      "store operations",
      "in the busiest second",
    ],
    rows,
  };
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
