import { expect, test } from "vitest";
import { lineChart } from "../../bench/chart.js";

test("a chart of the same figures is the same file, however many came before it", () => {
  const draw = () =>
    lineChart({ title: "load", xName: "s", yName: "x" }, [
      {
        name: "ours",
        points: [
          [0, 1],
          [1, 2],
        ],
      },
    ]);
  const first = draw();
  expect(first).toContain("<title>load</title>");
  expect(draw()).toBe(first);
});
