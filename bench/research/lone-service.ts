import { quantile } from "../sampling.js";
import type { Policy } from "./policy.js";
import { ISSUER_MS, STS_MS } from "./sts-model.js";
import { WorkloadLoop } from "./workload-loop.js";

export interface LoneResult {
  /** Time between the end of the outage and the credentials, in milliseconds. */
  readonly recoveryMs: { readonly median: number; readonly p95: number; readonly p99: number };
  /** STS calls, on average. */
  readonly calls: number;
  /** Share of the outages in which a caller met an error. */
  readonly metError: number;
}

/** How long the outages are, in milliseconds; uniform between the two. */
export interface Outages {
  readonly fromMs: number;
  readonly toMs: number;
}

const RUNS = 20_000;
const REQUEST_EVERY_MS = 1_000;

/** A single service that starts when an outage of its identity provider begins, many times. */
export function simulateLoneService(
  policy: Policy,
  { fromMs, toMs }: Outages,
  random: () => number,
  runs = RUNS,
): LoneResult {
  const loop = new WorkloadLoop(policy, random);
  const outages = Array.from({ length: runs }, () =>
    once(loop, fromMs + random() * (toMs - fromMs), random),
  );
  const recoveries = outages.map(({ recoveryMs }) => recoveryMs);
  const [median = 0, p95 = 0, p99 = 0] = [0.5, 0.95, 0.99].map((share) =>
    quantile(recoveries, share),
  );
  return {
    recoveryMs: { median, p95, p99 },
    calls: outages.reduce((sum, { calls }) => sum + calls, 0) / runs,
    metError: outages.filter(({ metError }) => metError).length / runs,
  };
}

function once(loop: WorkloadLoop, outageMs: number, random: () => number) {
  let now = 0;
  let startedAt = 0;
  let failures = 0;
  let wait = 0;
  let calls = 0;
  let metError = false;
  for (;;) {
    calls += 1;
    const failed = now < outageMs;
    now += STS_MS + ISSUER_MS;
    if (!failed) return { recoveryMs: now - outageMs, calls, metError };
    failures += 1;
    const next = loop.waitAfter(failures, now - startedAt, wait);
    wait = next ?? 0;
    now += next ?? random() * REQUEST_EVERY_MS;
    if (next !== undefined) continue;
    metError = true;
    failures = 0;
    startedAt = now;
  }
}
