import { expect, test } from "vitest";
import { clockTime, fromNow } from "../../../src/cli/html/cache-timeline.js";

const NOW = Date.UTC(2026, 0, 1, 12, 0, 0);

test.each([
  [NOW, "12:00:00"],
  [NOW + 86_400_000, "2026-01-02 12:00:00"],
  [NOW - 12 * 3_600_000 - 1000, "2025-12-31 23:59:59"],
  [0, "1970-01-01 00:00:00"],
  [-1, "before 1970"],
  [2 ** 63 * 1000, "after the year 9999"],
])("%d is told as %s", (ms, text) => {
  expect(clockTime(ms, NOW)).toBe(text);
});

test("a distance is told with its direction", () => {
  expect([fromNow(NOW + 90_000, NOW), fromNow(NOW - 500, NOW)]).toEqual(["in 90 s", "500 ms ago"]);
});
