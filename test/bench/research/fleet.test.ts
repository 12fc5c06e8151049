import { describe, expect, test } from "vitest";
import { measure, objections } from "../../../bench/research/candidate-table.js";
import { simulateLoneService } from "../../../bench/research/lone-service.js";
import {
  OURS_WITHOUT_CHECKS,
  type Policy,
  REFERENCE,
  RIVALS,
} from "../../../bench/research/policy.js";
import { type FleetOptions, simulateFleet } from "../../../bench/research/simulate.js";
import { seededRandom } from "../../../bench/support/seeded-random.js";

const named = (name: string): Policy => {
  const policy = RIVALS.find((each) => each.name === name);
  if (policy === undefined) throw new Error(`no policy ${name}`);
  return policy;
};

const fleet = (changes: Partial<FleetOptions> = {}) =>
  simulateFleet({
    policy: OURS_WITHOUT_CHECKS,
    workloads: 1_000,
    phase: "start",
    holdsJwks: false,
    horizonMs: 3_600_000,
    maxCalls: 10_000_000,
    random: seededRandom(1),
    ...changes,
  });

describe("a fleet", () => {
  test("gets credentials no sooner than the issuer's capacity allows, and hardly later", () => {
    for (const overload of ["refuses", "queues"] as const) {
      const { allServedMs = 0, served, calls, wastedCalls } = fleet({ overload });
      expect(allServedMs).toBeGreaterThan(18_000);
      expect(allServedMs).toBeLessThan(30_000);
      expect(served).toBe(1);
      expect(calls - wastedCalls).toBe(1_000);
    }
  });

  test("causes no more than one fetch for each of STS's caches of the JWKS", () => {
    const { allServedMs = 0, issuerRequests } = fleet({ holdsJwks: true });
    expect(allServedMs).toBeLessThan(10_000);
    expect(issuerRequests).toBeLessThan(1_000);
  });

  test("refreshes below the capacity if it spreads its windows, and far above it if it does not", () => {
    const spread = fleet({ workloads: 10_000, phase: "refresh" });
    expect(spread.peakOverCapacity).toBeLessThan(1.5);
    expect(spread.expired).toBe(0);
    const together = fleet({ workloads: 10_000, phase: "refresh", policy: named("no jitter") });
    expect(together.peakOverCapacity).toBeGreaterThan(50);
  });

  test("sends the issuer more requests the earlier every process checks it", () => {
    const requests = (afterSilenceMs: number) =>
      fleet({
        policy: { ...OURS_WITHOUT_CHECKS, checks: { afterSilenceMs, fromFailure: 1 } },
        overload: "queues",
      }).issuerRequests;
    expect(requests(0)).toBeGreaterThan(requests(1_000));
    expect(requests(Number.POSITIVE_INFINITY)).toBeGreaterThan(
      fleet({ overload: "queues" }).issuerRequests,
    );
  });

  test("ends at its time limit or its number of calls, and reports its progress", () => {
    const { allServedMs, endedMs, served } = fleet({ horizonMs: 5_000 });
    expect(allServedMs).toBeUndefined();
    expect(endedMs).toBe(5_000);
    expect(served).toBeCloseTo((50 + 5 * 50) / 1_000, 1);
    expect(fleet({ maxCalls: 2_000 }).calls).toBe(2_000);
  });

  test("is the same in every run", () => {
    expect(fleet()).toEqual(fleet());
  });
});

describe("a single service", () => {
  const alone = (fromMs: number, toMs = fromMs) =>
    simulateLoneService(OURS_WITHOUT_CHECKS, { fromMs, toMs }, seededRandom(1), 2_000);

  test("recovers from any outage within the longest wait after its end", () => {
    for (const outageMs of [1_000, 10_000, 120_000]) {
      expect(alone(outageMs).recoveryMs.p99).toBeLessThan(4_200);
    }
  });

  test("gets no error in an outage shorter than the budget, and one in a longer outage", () => {
    expect(alone(100, 55_000).metError).toBe(0);
    expect(alone(61_000).metError).toBe(1);
  });
});

describe("the rule that selects a default", () => {
  test("accepts ours, which is better for a fleet than full jitter up to 5 s, and no worse for a single service", () => {
    expect(objections(measure(OURS_WITHOUT_CHECKS), measure(REFERENCE))).toEqual([]);
  });

  test("rejects the reference, and any policy that makes a single service wait", () => {
    const reference = measure(REFERENCE);
    expect(objections(reference, reference)).toEqual(["waste", "peak"]);
    const slow = { ...REFERENCE, retry: { ...REFERENCE.retry, maxDelayMs: 10_000 } };
    expect(objections(measure(slow), reference)).toEqual(["peak", "median", "p99"]);
  });
});
