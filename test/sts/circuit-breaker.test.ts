import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CircuitBreaker } from "../../src/sts/circuit-breaker.js";

const NOW = 1_000_000;

describe("a region that never failed", () => {
  test("is asked by everybody", () => {
    const breaker = new CircuitBreaker(() => 0);
    expect([breaker.admits(0), breaker.admits(NOW), breaker.admits(NOW)]).toEqual([
      true,
      true,
      true,
    ]);
    expect(breaker.openUntil(NOW)).toBeUndefined();
  });
});

describe("an answer", () => {
  test("forgets the hedges that the region lost before, their number and their silence", () => {
    const breaker = new CircuitBreaker(() => 0);
    const lose = (times: number, silentMs: number) => {
      for (let i = 0; i < times; i += 1) breaker.lost(NOW, silentMs);
      return breaker.openUntil(NOW) !== undefined;
    };
    expect(lose(2, 5_000)).toBe(false);
    breaker.succeeded();
    expect(lose(2, 5_000)).toBe(false);
    breaker.succeeded();
    expect(lose(3, 300)).toBe(false);
    expect(lose(1, 100)).toBe(true);
  });

  test("ends a trial: a call that is given up after it reopens nothing", () => {
    const breaker = new CircuitBreaker(() => 0);
    breaker.failed(NOW);
    const after = NOW + 30_000;
    expect(breaker.admits(after)).toBe(true);
    breaker.succeeded();
    breaker.triedInVain(after + 1);
    expect([breaker.admits(after + 1), breaker.admits(after + 1)]).toEqual([true, true]);
  });

  test("is not needed by a region that never failed: a call that is given up closes it to none", () => {
    const breaker = new CircuitBreaker(() => 0);
    breaker.triedInVain(NOW);
    expect([breaker.admits(NOW), breaker.admits(NOW)]).toEqual([true, true]);
  });
});

describe("a region that failed", () => {
  test("rests for 30 to 60 s, by chance", () => {
    const unit = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(unit, (random) => {
        const breaker = new CircuitBreaker(() => random);
        breaker.failed(NOW);
        const pause = (breaker.openUntil(NOW) ?? 0) - NOW;
        expect(pause).toBeGreaterThanOrEqual(30_000);
        expect(pause).toBeLessThanOrEqual(60_000);
        expect(pause).toSatisfy(Number.isInteger);
        expect(breaker.admits(NOW + pause - 1)).toBe(false);
        expect(breaker.openUntil(NOW + pause)).toBeUndefined();
      }),
    );
    const [short, long] = [new CircuitBreaker(() => 0), new CircuitBreaker(() => 0.5)];
    short.failed(NOW);
    long.failed(NOW);
    expect([short.openUntil(NOW), long.openUntil(NOW)]).toEqual([NOW + 30_000, NOW + 45_000]);
  });

  test("is tried by one caller after its rest; the others wait for another rest", () => {
    const breaker = new CircuitBreaker(() => 0);
    breaker.failed(NOW);
    const after = NOW + 30_000;
    const admitted = Array.from({ length: 50 }, () => breaker.admits(after));
    expect(admitted.filter(Boolean)).toHaveLength(1);
    expect(breaker.openUntil(after)).toBe(after + 30_000);
    expect([breaker.admits(after + 29_999), breaker.admits(after + 30_000)]).toEqual([false, true]);
  });

  test("is tried when the clock is set back to before its rest began", () => {
    const breaker = new CircuitBreaker(() => 0);
    breaker.failed(NOW);
    const before = NOW - 3_600_000;
    expect(breaker.openUntil(before)).toBeUndefined();
    expect([breaker.admits(before), breaker.admits(before)]).toEqual([true, false]);
    expect(breaker.openUntil(before)).toBe(before + 30_000);
  });

  test("is tried by the next caller when a trial is given up, and no sooner when one fails", () => {
    const breaker = new CircuitBreaker(() => 0);
    breaker.failed(NOW);
    breaker.triedInVain(NOW + 1);
    expect(breaker.openUntil(NOW + 1)).toBe(NOW + 30_000);
    const after = NOW + 30_000;
    breaker.admits(after);
    breaker.triedInVain(after + 5);
    expect(breaker.openUntil(after + 5)).toBeUndefined();
    expect([breaker.admits(after + 5), breaker.admits(after + 5)]).toEqual([true, false]);
    breaker.failed(after + 6);
    breaker.triedInVain(after + 7);
    expect(breaker.openUntil(after + 7)).toBe(after + 30_006);
  });

  test("takes no trial from whoever only looks", () => {
    const breaker = new CircuitBreaker(() => 0);
    breaker.failed(NOW);
    expect(breaker.openUntil(NOW + 30_000)).toBeUndefined();
    expect(breaker.admits(NOW + 30_000)).toBe(true);
  });

  test("is asked by everybody once it has succeeded", () => {
    const breaker = new CircuitBreaker(() => 0);
    breaker.failed(NOW);
    breaker.succeeded();
    expect([breaker.admits(NOW), breaker.admits(NOW)]).toEqual([true, true]);
    expect(breaker.openUntil(NOW)).toBeUndefined();
  });
});

describe("a region that loses hedges", () => {
  const lose = (breaker: CircuitBreaker, times: number, silentMs: number) => {
    for (let time = 0; time < times; time += 1) breaker.lost(NOW, silentMs);
  };
  const rests = (breaker: CircuitBreaker) => breaker.openUntil(NOW) !== undefined;

  test("rests after three in a row that took a second in all", () => {
    const breaker = new CircuitBreaker(() => 0);
    lose(breaker, 2, 5_000);
    expect(rests(breaker)).toBe(false);
    lose(breaker, 1, 5_000);
    expect(breaker.openUntil(NOW)).toBe(NOW + 30_000);
  });

  test("does not rest for hedges that are shorter than it takes when all is well", () => {
    const breaker = new CircuitBreaker(() => 0);
    lose(breaker, 9, 100);
    expect(rests(breaker)).toBe(false);
    lose(breaker, 1, 100);
    expect(rests(breaker)).toBe(true);
  });

  test("starts anew with every answer", () => {
    const breaker = new CircuitBreaker(() => 0);
    for (let round = 0; round < 10; round += 1) {
      lose(breaker, 2, 5_000);
      breaker.succeeded();
    }
    expect(rests(breaker)).toBe(false);
  });

  test("rests again when it loses its trial, and is back when it wins it", () => {
    const breaker = new CircuitBreaker(() => 0);
    lose(breaker, 3, 5_000);
    const after = NOW + 30_000;
    expect(breaker.admits(after)).toBe(true);
    breaker.lost(after + 500, 500);
    expect(breaker.openUntil(after + 500)).toBe(after + 30_500);
    expect(breaker.admits(after + 30_500)).toBe(true);
    breaker.succeeded();
    expect([breaker.admits(after + 30_501), breaker.admits(after + 30_501)]).toEqual([true, true]);
  });
});
