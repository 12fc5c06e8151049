import { describe, expect, test } from "vitest";
import { EventWheel } from "../../../bench/research/event-wheel.js";

function drain(wheel: EventWheel): [member: number, at: number][] {
  const out: [number, number][] = [];
  for (let who = wheel.next(); who !== undefined; who = wheel.next()) out.push([who, wheel.now]);
  return out;
}

describe("an event wheel", () => {
  test("returns members in order of time, and members of the same millisecond in the order of their arrival", () => {
    const wheel = new EventWheel(5, 1_000);
    for (const [member, at] of [
      [0, 700],
      [1, 3],
      [2, 700],
      [3, 0],
      [4, 3.4],
    ] as const) {
      wheel.schedule(member, at);
    }
    expect(wheel.waiting).toBe(5);
    expect(drain(wheel)).toEqual([
      [3, 0],
      [1, 3],
      [4, 3],
      [0, 700],
      [2, 700],
    ]);
    expect(wheel.waiting).toBe(0);
  });

  test("continues past the end of its span", () => {
    const wheel = new EventWheel(1, 1_024);
    const times: number[] = [];
    for (let round = 0; round < 10; round += 1) {
      wheel.schedule(0, wheel.now + 1_000);
      wheel.next();
      times.push(wheel.now);
    }
    expect(times).toEqual(Array.from({ length: 10 }, (_, round) => (round + 1) * 1_000));
  });

  test("treats a time in the past as now, and rejects one beyond its span", () => {
    const wheel = new EventWheel(2, 1_024);
    wheel.schedule(0, 50);
    wheel.next();
    wheel.schedule(1, 10);
    expect(drain(wheel)).toEqual([[1, 50]]);
    expect(() => wheel.schedule(0, 50 + 1_024)).toThrow(RangeError);
  });
});
