import { quantile } from "../sampling.js";
import type { Policy } from "./policy.js";
import { ISSUER_MS, STS_MS } from "./sts-model.js";
import { WorkloadLoop } from "./workload-loop.js";

export interface LoneResult {
  /** Time between the end of the outage and the credentials, in milliseconds. */
  readonly recoveryMedianMs: number;
  readonly recoveryWorstMs: number;
  readonly callsMedian: number;
}

const RUNS = 4_000;
const REQUEST_EVERY_MS = 1_000;
/** One in a hundred is what a user remembers. */
const WORST = 0.99;

/** One service alone, that starts as an outage of its identity provider begins. */
export function simulateLoneService(
  policy: Policy,
  outageMs: number,
  random: () => number,
): LoneResult {
  const loop = new WorkloadLoop(policy, random);
  const runs = Array.from({ length: RUNS }, () => once(loop, outageMs, random));
  const recoveries = runs.map(({ recoveryMs }) => recoveryMs);
  return {
    recoveryMedianMs: quantile(recoveries, 0.5),
    recoveryWorstMs: quantile(recoveries, WORST),
    callsMedian: quantile(
      runs.map(({ calls }) => calls),
      0.5,
    ),
  };
}

function once(loop: WorkloadLoop, outageMs: number, random: () => number) {
  let now = 0;
  let startedAt = 0;
  let failures = 0;
  let wait = 0;
  let calls = 0;
  for (;;) {
    calls += 1;
    const failed = now < outageMs;
    now += STS_MS + ISSUER_MS;
    if (!failed) return { recoveryMs: now - outageMs, calls };
    failures += 1;
    const next = loop.waitAfter(failures, now - startedAt, wait);
    wait = next ?? 0;
    now += next ?? random() * REQUEST_EVERY_MS;
    if (next !== undefined) continue;
    failures = 0;
    startedAt = now;
  }
}
