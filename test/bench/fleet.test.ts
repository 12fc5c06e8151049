import { describe, expect, it } from "vitest";
import { IssuerCapacity } from "../../bench/fleet/issuer-capacity.js";
import { simulateLoneService } from "../../bench/fleet/lone-service.js";
import { CANDIDATES, type Policy, RIVALS } from "../../bench/fleet/policy.js";
import { type FleetOptions, simulateFleet } from "../../bench/fleet/simulate.js";
import { seededRandom } from "../integration/world.js";

const named = (name: string): Policy => {
  const policy = [...RIVALS, ...CANDIDATES].find((each) => each.name === name);
  if (policy === undefined) throw new Error(`no policy ${name}`);
  return policy;
};

const fleet = (changes: Partial<FleetOptions> = {}) =>
  simulateFleet({
    policy: named("ours, pre-flight off"),
    workloads: 1_000,
    phase: "start",
    holdsJwks: false,
    horizonMs: 3_600_000,
    maxCalls: 10_000_000,
    random: seededRandom(1),
    ...changes,
  });

describe("an issuer's capacity", () => {
  it("is what it serves in any second, after a first second's worth at once", () => {
    const issuer = new IssuerCapacity(50);
    const served = Array.from({ length: 10_000 }, (_, ms) => issuer.serves(ms)).filter(Boolean);
    expect(served).toHaveLength(50 + 50 * 10 - 1);
    expect(issuer.load).toEqual(Array(10).fill(1_000));
    expect(issuer.peakOverCapacity).toBe(20);
  });

  it("is not saved up for longer than a second", () => {
    const issuer = new IssuerCapacity(50);
    const burst = (at: number) =>
      Array.from({ length: 200 }, () => issuer.serves(at)).filter(Boolean);
    expect(burst(0)).toHaveLength(50);
    expect(burst(60_000)).toHaveLength(50);
  });
});

describe("a fleet", () => {
  it("is served no sooner than the issuer's capacity allows, and hardly later", () => {
    const { allServedMs = 0, served, calls, wastedCalls } = fleet();
    expect(allServedMs).toBeGreaterThan(18_000);
    expect(allServedMs).toBeLessThan(30_000);
    expect(served).toBe(1);
    expect(calls - wastedCalls).toBe(1_000);
  });

  it("needs no more than one fetch for each of STS's caches that hold the JWKS", () => {
    const { allServedMs = 0, loadBySecond } = fleet({ holdsJwks: true });
    expect(allServedMs).toBeLessThan(10_000);
    expect(loadBySecond.reduce((sum, load) => sum + load * 50, 0)).toBeLessThan(1_000);
  });

  it("that spreads its windows refreshes below the capacity, and one that does not far above", () => {
    const spread = fleet({ workloads: 10_000, phase: "refresh" });
    expect(spread.peakOverCapacity).toBeLessThan(1.5);
    expect(spread.expired).toBe(0);
    const together = fleet({ workloads: 10_000, phase: "refresh", policy: named("no jitter") });
    expect(together.peakOverCapacity).toBeGreaterThan(50);
  });

  it("ends at its horizon or its number of calls, and says how far it came", () => {
    const { allServedMs, endedMs, served } = fleet({ horizonMs: 5_000 });
    expect(allServedMs).toBeUndefined();
    expect(endedMs).toBe(5_000);
    expect(served).toBeCloseTo((50 + 5 * 50) / 1_000, 1);
    expect(fleet({ maxCalls: 2_000 }).calls).toBe(2_000);
  });

  it("is the same in every run", () => {
    expect(fleet()).toEqual(fleet());
  });
});

describe("a service alone", () => {
  it("is back within one longest wait of the outage's end, whatever the outage", () => {
    for (const outageMs of [1_000, 10_000, 120_000]) {
      const { recoveryWorstMs } = simulateLoneService(
        RIVALS[0] as Policy,
        outageMs,
        seededRandom(1),
      );
      expect(recoveryWorstMs).toBeLessThan(5_200);
    }
  });
});
