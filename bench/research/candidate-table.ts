import { figure, type Table } from "../report.js";
import { seededRandom } from "../support/seeded-random.js";
import { type LoneResult, simulateLoneService } from "./lone-service.js";
import { CANDIDATES, type Policy, REFERENCE } from "./policy.js";
import { peakCell, runFleet, STORM, servedCell, wastedCell } from "./scenario.js";
import type { FleetResult } from "./simulate.js";

/** The results of one default in a fleet and in a single service. */
export interface Measured {
  readonly fleet: FleetResult;
  /** In outages shorter than the budget. */
  readonly outage: LoneResult;
  /** When one call fails, and the next one succeeds. */
  readonly blip: LoneResult;
}

const OUTAGES = { fromMs: 100, toMs: 55_000 };
/** Ends before the second call. */
const BLIP = { fromMs: 1, toMs: 1 };

/** Better for a fleet by this at least, in wasted calls and at the peak… */
const BETTER_BY = 0.1;
/** …and worse for a lone service by no more than this at the median, in milliseconds… */
const WORSE_BY_MS = 300;
/** …and not at all at p99, but for the noise of the simulation. */
const NOISE = 1.01;

/** Why a default does not replace the reference; empty if it could. */
export function objections(candidate: Measured, reference: Measured): string[] {
  const fleet = (measure: (result: FleetResult) => number) =>
    measure(candidate.fleet) > measure(reference.fleet) * (1 - BETTER_BY);
  const alone = (worse: (candidate: LoneResult, reference: LoneResult) => boolean) =>
    worse(candidate.outage, reference.outage) || worse(candidate.blip, reference.blip);
  return [
    ...(fleet(({ wastedCalls }) => wastedCalls) ? ["waste"] : []),
    ...(fleet(({ peakOverCapacity }) => peakOverCapacity) ? ["peak"] : []),
    ...(alone((one, other) => one.recoveryMs.median > other.recoveryMs.median + WORSE_BY_MS)
      ? ["median"]
      : []),
    ...(alone((one, other) => one.recoveryMs.p99 > other.recoveryMs.p99 * NOISE) ? ["p99"] : []),
  ];
}

export function measure(policy: Policy): Measured {
  const alone = (outages: typeof OUTAGES) => simulateLoneService(policy, outages, seededRandom(2));
  return { fleet: runFleet(policy, STORM), outage: alone(OUTAGES), blip: alone(BLIP) };
}

/** Defaults side by side, and the rule that selects one of them. */
export function candidateTable(): Table {
  const reference = measure(REFERENCE);
  return {
    title: "Defaults: the gain of a fleet, and the cost of a single service",
    note: [
      "Fleet: 10,000 start together, STS does not cache the JWKS. Alone: from the end of an outage of 0.1–55 s to the credentials;",
      "number of calls; outages that reach a caller; total time that one failed call costs.",
      `By the rule: ${BETTER_BY * 100} % less waste and peak than the first line, median + ${WORSE_BY_MS / 1000} s at most, p99 no worse. A retry budget`,
      "(a token bucket) is not included: each process has its own, and only one refresh to spend it on.",
    ].join("\n"),
    columns: [
      "waits",
      "served",
      "peak",
      "wasted",
      "alone: median",
      "p95",
      "p99",
      "calls",
      "errors",
      "blip: median",
      "p99",
      "by the rule",
    ],
    rows: CANDIDATES.map((policy) => {
      const measured = measure(policy);
      const { fleet, outage, blip } = measured;
      const against = objections(measured, reference);
      return [
        policy.name,
        servedCell(fleet),
        peakCell(fleet),
        wastedCell(fleet, STORM.workloads),
        ...[outage.recoveryMs.median, outage.recoveryMs.p95, outage.recoveryMs.p99].map(seconds),
        outage.calls.toFixed(1),
        figure(Math.round(outage.metError * 1000) / 10, "%"),
        ...[blip.recoveryMs.median, blip.recoveryMs.p99].map(seconds),
        policy === REFERENCE ? "–" : against.length === 0 ? "yes" : `no: ${against.join(", ")}`,
      ];
    }),
  };
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
