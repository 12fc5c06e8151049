import { expect, test } from "vitest";
import { jsonText } from "../../src/cli/terminal-text.js";

test("JSON on a terminal is the same data without anything a terminal acts on", () => {
  const hostile = {
    kid: "\u001b[2J\u009b31m\u007f\u202ea\u2066b\u200bc\u2028d\ufeff\u{e0041}",
    more: ["é✓"],
  };
  const text = jsonText(hostile);
  expect(JSON.parse(text)).toEqual(hostile);
  expect(text.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}\u2028]/u);
  expect(text).toContain("é✓");
});
