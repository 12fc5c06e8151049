import { figure } from "../report.js";
import { seededRandom } from "../support/seeded-random.js";
import type { Policy } from "./policy.js";
import { type FleetOptions, type FleetResult, simulateFleet } from "./simulate.js";

/** What happens to a fleet, with any policy. */
export type Scenario = Omit<FleetOptions, "policy" | "random" | "horizonMs" | "maxCalls">;

/** The scenario of the charts and comparisons: it ends within minutes, and shows the largest differences. */
export const STORM: Scenario = { workloads: 10_000, phase: "start", holdsJwks: false };

const HORIZON_MS = 40 * 60_000;
/** A simulation that can't succeed stops early. */
const MAX_CALLS = 400_000_000;

export function runFleet(policy: Policy, scenario: Scenario, seed = 1): FleetResult {
  const limits = { horizonMs: HORIZON_MS, maxCalls: MAX_CALLS, random: seededRandom(seed) };
  return simulateFleet({ ...scenario, ...limits, policy });
}

export function servedCell({ allServedMs, served, endedMs }: FleetResult): string {
  if (allServedMs !== undefined) return `${figure(Math.round(allServedMs / 1000))} s`;
  return `${figure(served * 100, "%")} at ${figure(Math.round(endedMs / 1000))} s`;
}

export function peakCell({
  peakOverCapacity: peak,
}: Pick<FleetResult, "peakOverCapacity">): string {
  return `${peak < 10 ? peak.toFixed(1) : figure(Math.round(peak))}×`;
}

export function wastedCell(
  { wastedCalls }: Pick<FleetResult, "wastedCalls">,
  workloads: number,
): string {
  const wasted = wastedCalls / workloads;
  return wasted < 10 ? wasted.toFixed(2) : figure(wasted);
}
