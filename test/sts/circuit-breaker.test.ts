import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { CircuitBreaker } from "../../src/sts/circuit-breaker.js";
import { FakeClock } from "../support/fake-clock.js";

let clock: FakeClock;
let breaker: CircuitBreaker;

beforeEach(() => {
  clock = new FakeClock();
  breaker = new CircuitBreaker(clock, () => 0);
});

const permit = (times: number) => Array.from({ length: times }, () => breaker.permit());

/** Opens the circuit and lets its pause pass. */
async function pauseIsOver(): Promise<void> {
  breaker.failed();
  await clock.advance(30_000);
}

describe("a closed circuit", () => {
  test("permits every call", () => {
    expect(permit(3)).toEqual(["call", "call", "call"]);
    expect(breaker.openForMs).toBe(0);
  });

  test("stays closed when a call is abandoned", () => {
    breaker.abandoned();
    expect(permit(2)).toEqual(["call", "call"]);
  });
});

describe("an open circuit", () => {
  test("stays open for 30 to 60 s, at random", async () => {
    const unit = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    await fc.assert(
      fc.asyncProperty(unit, async (random) => {
        breaker = new CircuitBreaker(clock, () => random);
        breaker.failed();
        const pauseMs = breaker.openForMs;
        expect(pauseMs).toBeGreaterThanOrEqual(30_000);
        expect(pauseMs).toBeLessThanOrEqual(60_000);
        await clock.advance(29_999);
        expect(breaker.permit()).toBeUndefined();
        await clock.advance(30_001);
        expect([breaker.openForMs, breaker.permit()]).toEqual([0, "probe"]);
      }),
    );
  });

  test("spreads the pause evenly", () => {
    const pauseOf = (random: number) => {
      const other = new CircuitBreaker(clock, () => random);
      other.failed();
      return other.openForMs;
    };
    expect([0, 0.5, 0.75].map(pauseOf)).toEqual([30_000, 45_000, 52_500]);
  });

  test.each([
    ["forward", 3_600_000],
    ["back", -3_600_000],
  ])("stays open for as long when the wall clock is set %s", async (_, stepMs) => {
    breaker.failed();
    await clock.advance(10_000);
    clock.setWallClock(clock.now() + stepMs);
    expect([breaker.permit(), breaker.openForMs]).toEqual([undefined, 20_000]);
    await clock.advance(19_999);
    expect(breaker.permit()).toBeUndefined();
    await clock.advance(1);
    expect(breaker.permit()).toBe("probe");
  });

  test("is not changed when its state is read", async () => {
    await pauseIsOver();
    expect(breaker.openForMs).toBe(0);
    expect(breaker.permit()).toBe("probe");
  });

  test("ignores a call that is abandoned", () => {
    breaker.failed();
    breaker.abandoned();
    expect(breaker.openForMs).toBe(30_000);
  });

  test("closes for every caller when the region responds", () => {
    breaker.failed();
    breaker.succeeded();
    expect(permit(2)).toEqual(["call", "call"]);
    expect(breaker.openForMs).toBe(0);
  });

  test("reports whether it has opened after a given time", async () => {
    const before = clock.monotonic();
    await clock.advance(1_000);
    expect(breaker.failedSince(before)).toBe(false);
    breaker.failed();
    expect([breaker.failedSince(before), breaker.failedSince(clock.monotonic())]).toEqual([
      true,
      false,
    ]);
    breaker.succeeded();
    expect(breaker.failedSince(before)).toBe(false);
  });

  test("no longer reports that it has opened when its pause is over", async () => {
    await clock.advance(1_000);
    await pauseIsOver();
    expect(breaker.failedSince(0)).toBe(false);
  });
});

describe("a half-open circuit", () => {
  test("permits one probe; the other callers wait for another pause", async () => {
    await pauseIsOver();
    expect(permit(50).filter((permission) => permission !== undefined)).toEqual(["probe"]);
    expect(breaker.openForMs).toBe(30_000);
    await clock.advance(29_999);
    expect(breaker.permit()).toBeUndefined();
    await clock.advance(1);
    expect(breaker.permit()).toBe("probe");
  });

  test("gives an abandoned probe to the next caller", async () => {
    await pauseIsOver();
    breaker.permit();
    await clock.advance(5);
    breaker.abandoned();
    expect(breaker.openForMs).toBe(0);
    expect(permit(2)).toEqual(["probe", undefined]);
  });

  test("opens when the probe fails, even if a call is abandoned later", async () => {
    await pauseIsOver();
    breaker.permit();
    await clock.advance(5);
    breaker.failed();
    await clock.advance(5);
    breaker.abandoned();
    expect(breaker.openForMs).toBe(29_995);
  });

  test("closes when the probe gets a response, even if a call is abandoned later", async () => {
    await pauseIsOver();
    breaker.permit();
    breaker.succeeded();
    breaker.abandoned();
    expect(permit(2)).toEqual(["call", "call"]);
  });
});

describe("a region that is slower than the hedged requests to others", () => {
  const outpace = (times: number, silentMs: number) => {
    for (let time = 0; time < times; time += 1) breaker.outpaced(silentMs);
    return breaker.openForMs > 0;
  };

  test("counts as failed after three in a row, if it was silent for a second in total", () => {
    expect(outpace(2, 5_000)).toBe(false);
    expect(outpace(1, 5_000)).toBe(true);
    expect(breaker.openForMs).toBe(30_000);
  });

  test("does not count as failed while hedges are shorter than its usual response time", () => {
    expect(outpace(9, 100)).toBe(false);
    expect(outpace(1, 100)).toBe(true);
  });

  test("starts from zero with every response, both the count and the silent time", () => {
    for (let round = 0; round < 10; round += 1) {
      expect(outpace(2, 5_000)).toBe(false);
      breaker.succeeded();
    }
    expect(outpace(3, 300)).toBe(false);
    expect(outpace(1, 100)).toBe(true);
  });

  test("counts as failed again when its probe is slower too, and recovers when its probe gets the first response", async () => {
    outpace(3, 5_000);
    await clock.advance(30_000);
    expect(breaker.permit()).toBe("probe");
    await clock.advance(500);
    breaker.outpaced(500);
    expect(breaker.openForMs).toBe(30_000);
    await clock.advance(30_000);
    expect(breaker.permit()).toBe("probe");
    breaker.succeeded();
    expect(permit(2)).toEqual(["call", "call"]);
  });
});
