import { expect, test } from "vitest";
import { lineChart } from "../../bench/chart.js";

test("the same figures produce the same chart file, even after other charts", () => {
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
