import { describe, expect, test } from "vitest";
import { runSharingFleet } from "../../../bench/research/sharing-fleet.js";

const FLEET = { workloads: 10_000, roles: 10, storeMs: 0.5 };
const SMALL = { ...FLEET, workloads: 1_000 };

describe("a simulated fleet that shares a store", { timeout: 60_000 }, () => {
  test("makes 10 STS calls for 10,000 workloads of 10 roles, and gives all of them credentials within 3 s", async () => {
    const fleet = await runSharingFleet(FLEET);
    expect([fleet.calls, fleet.wastedCalls]).toEqual([10, 0]);
    expect(fleet.allServedMs).toBeLessThan(3_000);
    expect(fleet.longestWaitMs).toBeLessThan(1_000);
    expect(fleet.peakOverCapacity).toBeLessThanOrEqual(1);
    // Less than one and a half operations for each workload: most of them find the credentials at their first read.
    expect(fleet.storeOperations).toBeLessThan(1.5 * FLEET.workloads);
  });

  test("makes one STS call for each role and refresh, and never lets credentials expire", async () => {
    const { calls, expired } = await runSharingFleet({ ...SMALL, hours: 3 });
    // Sessions of 1 h are refreshed 15 to 20 min before their end.
    expect(calls).toBe(10 * (1 + 4));
    expect(expired).toBe(0);
  });

  test("has credentials seconds after an outage that outlasted its waits", async () => {
    const { allServedMs, wastedCalls } = await runSharingFleet({ ...SMALL, outageMs: 10_000 });
    expect(allServedMs).toBeLessThan(16_000);
    // Callers wait 5 s for the holder of the lease, then call STS themselves.
    expect(wastedCalls).toBeLessThan(8 * SMALL.workloads);
  });

  test("is the same in every run", async () => {
    expect(await runSharingFleet(SMALL)).toEqual(await runSharingFleet(SMALL));
  });
});
