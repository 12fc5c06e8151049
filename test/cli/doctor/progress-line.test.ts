import { PassThrough } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ProgressLine } from "../../../src/cli/doctor/progress-line.js";
import { plain, widthOf } from "../../../src/cli/terminal-text.js";

const STEPS = [
  "reading the token",
  "asking the issuer for its documents",
  "asking STS in us-east-1",
  "assuming the role in us-east-1",
];

/** Everything that the terminal got, and its last line. */
function draw(columns: number, env: Record<string, string>, isTTY = true) {
  const terminal = Object.assign(new PassThrough({ encoding: "utf8" }), { isTTY, columns });
  const line = new ProgressLine(terminal, plain, env);
  for (const label of STEPS) line.show({ step: "token", state: "started", label, elapsedMs: 0 });
  line.show({ step: "token", state: "finished", label: "reading the token", elapsedMs: 0 });
  vi.advanceTimersByTime(1500);
  const drawn = String(terminal.read() ?? "");
  line[Symbol.dispose]();
  return { drawn, last: stripVTControlCharacters(drawn.split("\r").at(-1) ?? "") };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const UTF8 = { LANG: "C.UTF-8", TERM: "xterm" };

describe("the line of progress", () => {
  test("names the steps in progress and the elapsed time", () => {
    const { last } = draw(120, UTF8);
    expect(last).toMatch(
      /^. asking the issuer for its documents, asking STS in us-east-1, assuming the role in us-east-1 +1\.\d s$/,
    );
  });

  test("names as many complete steps as fit, and counts the rest", () => {
    const { last } = draw(60, UTF8);
    expect(last).toMatch(/^. asking the issuer for its documents and 2 more 1\.\d s$/);
    expect(widthOf(last)).toBeLessThan(60);
  });

  test.each([20, 30, 40, 80])("fits into one line of %i columns", (columns) => {
    expect(widthOf(draw(columns, UTF8).last)).toBeLessThan(columns);
  });

  test("assumes 80 columns for a terminal that does not know its width", () => {
    expect(widthOf(draw(0, UTF8).last)).toBeGreaterThan(40);
    expect(widthOf(draw(0, UTF8).last)).toBeLessThan(80);
  });

  test("is ASCII where the locale has nothing else", () => {
    expect(draw(60, { LANG: "C", TERM: "xterm" }).last).toMatch(/^[|/\\-] asking .* and 2 more/);
  });

  test("is not drawn in a pipe, or on a terminal that can't clear a line", () => {
    expect(draw(80, { LANG: "C", TERM: "dumb" }).drawn).toBe("");
    expect(draw(80, UTF8, false).drawn).toBe("");
  });
});
