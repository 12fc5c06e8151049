import { jitteredAdvisoryMs, windowsFor } from "../../src/credentials/windows.js";
import { EventWheel } from "./event-wheel.js";
import { IssuerCapacity } from "./issuer-capacity.js";
import { IssuerLooks } from "./issuer-looks.js";
import type { Policy } from "./policy.js";
import { ISSUER_MS, STS_MS, StsModel } from "./sts-model.js";
import { WorkloadLoop } from "./workload-loop.js";

export interface FleetOptions {
  readonly policy: Policy;
  readonly workloads: number;
  /** Whether they start with nothing, or refresh what they all got in the same second. */
  readonly phase: "start" | "refresh";
  /** Whether STS keeps the JWKS. */
  readonly holdsJwks: boolean;
  /** The simulation ends here at the latest. */
  readonly horizonMs: number;
  /** Or after so many calls to STS. */
  readonly maxCalls: number;
  readonly random: () => number;
}

export interface FleetResult {
  /** When the last workload had (new) credentials; `undefined` when some had none by the end. */
  readonly allServedMs: number | undefined;
  /** Share of the workloads that have (new) credentials at the end. */
  readonly served: number;
  /** When the simulation ended, in milliseconds. */
  readonly endedMs: number;
  readonly peakOverCapacity: number;
  readonly calls: number;
  readonly wastedCalls: number;
  /** Workloads whose credentials ran out before they had new ones. */
  readonly expired: number;
  /** Share that has (new) credentials at the end of every second. */
  readonly servedBySecond: readonly number[];
  /** Requests to the identity provider in every second, over its capacity. */
  readonly loadBySecond: readonly number[];
}

const ISSUER_PER_SECOND = 50;
/** A deployment starts its pods within this time, in milliseconds. */
const START_SPREAD_MS = 1_000;
/** A service asks again for credentials with its next request, in milliseconds. */
const REQUEST_EVERY_MS = 1_000;
const LIFETIME_MS = 3_600_000;
const SPAN_MS = 2 ** 21;
const ADVISORY_MS = windowsFor(LIFETIME_MS, {}).advisoryMs;
/** How long before the expiration the first refresh of a fleet is due: time 0 of that phase. */
const EARLIEST_MS = jitteredAdvisoryMs(ADVISORY_MS, LIFETIME_MS, () => 1);

/** A fleet and its identity provider in virtual time. Time 0 is the start, or the first refresh due. */
export function simulateFleet(options: FleetOptions): FleetResult {
  const { policy, workloads, holdsJwks, horizonMs, maxCalls, random } = options;
  const issuer = new IssuerCapacity(ISSUER_PER_SECOND);
  const sts = new StsModel(issuer, holdsJwks, random);
  const { looksAfter = Number.POSITIVE_INFINITY } = policy;
  const looks = new IssuerLooks(workloads, issuer);
  const wheel = new EventWheel(workloads, SPAN_MS);
  const loop = new Loops(workloads);
  const decisions = new WorkloadLoop(policy, random);
  const expiresAt = scheduleFirst(wheel, options);
  const servedIn: number[] = [];
  let served = 0;
  let expired = 0;
  let allServedMs: number | undefined;

  for (let who = wheel.next(); who !== undefined; who = wheel.next()) {
    if (wheel.now > horizonMs || sts.calls >= maxCalls) break;
    const now = wheel.now;
    const beginsAnew = loop.failures[who] === 0;
    if (beginsAnew) loop.startedAt[who] = now;
    const success = sts.succeeds(now);
    if ((loop.failures[who] as number) + (success ? 0 : 1) > looksAfter || looksAfter === 0) {
      looks.look(who, now, !success);
    }
    const answeredAt = now + STS_MS + ISSUER_MS;
    if (success) {
      served += 1;
      if (answeredAt > (expiresAt[who] as number)) expired += 1;
      allServedMs = answeredAt;
      const second = Math.floor(answeredAt / 1000);
      servedIn[second] = (servedIn[second] ?? 0) + 1;
      continue;
    }
    const failures = (loop.failures[who] as number) + 1;
    const elapsedMs = answeredAt - (loop.startedAt[who] as number);
    const wait = decisions.waitAfter(failures, elapsedMs, loop.waitMs[who] as number);
    loop.failures[who] = wait === undefined ? 0 : failures;
    loop.waitMs[who] = wait ?? 0;
    const remainingMs = (expiresAt[who] as number) - answeredAt;
    const next =
      wait ?? (remainingMs > 0 ? policy.pauseMs(remainingMs, random) : random() * REQUEST_EVERY_MS);
    // Whose credentials run out meanwhile asks with its next request.
    const gate = wait === undefined && remainingMs > 0 ? Math.min(next, remainingMs) : next;
    wheel.schedule(who, answeredAt + gate);
  }
  const endedMs = Math.min(wheel.now, horizonMs);
  return {
    allServedMs: served === workloads ? allServedMs : undefined,
    served: served / workloads,
    endedMs,
    peakOverCapacity: issuer.peakOverCapacity,
    calls: sts.calls,
    wastedCalls: sts.failures,
    // A start has nothing that could run out.
    expired:
      options.phase === "start" ? 0 : expired + (endedMs > EARLIEST_MS ? workloads - served : 0),
    servedBySecond: runningShare(servedIn, workloads),
    loadBySecond: Array.from(issuer.load, (requests = 0) => requests / ISSUER_PER_SECOND),
  };
}

function runningShare(servedIn: readonly number[], workloads: number): number[] {
  let served = 0;
  return Array.from(servedIn, (now = 0) => {
    served += now;
    return served / workloads;
  });
}

/** Sets everybody's first attempt; returns when each one's credentials expire. */
function scheduleFirst(wheel: EventWheel, options: FleetOptions): Float64Array {
  const { policy, workloads, phase, random } = options;
  const expiresAt = new Float64Array(workloads);
  for (let who = 0; who < workloads; who += 1) {
    const startedAt = random() * START_SPREAD_MS;
    if (phase === "start") {
      wheel.schedule(who, startedAt);
      continue;
    }
    expiresAt[who] = startedAt + EARLIEST_MS;
    const draw = policy.spreadsWindows ? random : () => 0;
    const window = jitteredAdvisoryMs(ADVISORY_MS, LIFETIME_MS, draw);
    wheel.schedule(who, (expiresAt[who] as number) - window);
  }
  return expiresAt;
}

/** Where every workload is in its refresh. */
class Loops {
  readonly failures: Uint16Array;
  readonly startedAt: Float64Array;
  readonly waitMs: Float64Array;

  constructor(workloads: number) {
    this.failures = new Uint16Array(workloads);
    this.startedAt = new Float64Array(workloads);
    this.waitMs = new Float64Array(workloads);
  }
}
