import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TimeScale } from "../../../src/cli/html/lane-table.js";

describe("an axis of time", () => {
  test("places times by their share, and stops at its edges", () => {
    const scale = new TimeScale(-1000, 3000);
    expect([-5000, -1000, 0, 3000, 9000].map((ms) => scale.x(ms))).toEqual([
      "0.000%",
      "0.000%",
      "25.000%",
      "100.000%",
      "100.000%",
    ]);
    expect(scale.width(-5000, 1000)).toBe("50.000%");
    expect(scale.width(4000, 9000)).toBe("0.000%");
  });

  test.each([
    [0, 5100, [0, 1000, 2000, 3000, 4000, 5000]],
    [0, 18_000, [0, 5000, 10_000, 15_000]],
    [-300_000, 3_900_000, [0, 1_200_000, 2_400_000, 3_600_000]],
  ])("from %i to %i ms has round marks", (fromMs, toMs, ticks) => {
    expect(new TimeScale(fromMs, toMs).ticks().map((ms) => ms + 0)).toEqual(ticks);
  });

  test("has a few marks inside it, whatever it spans", () => {
    const span = fc.tuple(fc.integer({ min: -1e13, max: 0 }), fc.integer({ min: 1000, max: 1e15 }));
    fc.assert(
      fc.property(span, ([fromMs, toMs]) => {
        const scale = new TimeScale(fromMs, toMs);
        const ticks = scale.ticks();
        expect(ticks.length).toBeLessThanOrEqual(7);
        expect(ticks.every((ms) => scale.holds(ms))).toBe(true);
        expect(ticks.some((ms) => ms === 0)).toBe(true);
      }),
    );
  });
});
