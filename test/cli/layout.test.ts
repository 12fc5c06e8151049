import { describe, expect, test } from "vitest";
import { clip, padEnd, widthOf, wrap, wrapRemedy } from "../../src/cli/terminal-text.js";

describe("a text's width is what a terminal gives it", () => {
  test.each([
    ["plain", 5],
    ["\u001b[31mred\u001b[39m", 3],
    ["\u9375", 2],
    ["\ud55c\uae00", 4],
    ["\u1112\u1161\u11ab", 2],
    ["\u{1f511}", 2],
    ["\u00e9", 1],
    ["e\u0301", 1],
  ])("%j", (text, width) => expect(widthOf(text)).toBe(width));

  test("and a clipped one keeps both ends, and to its width", () => {
    expect(clip("abcdefghij", 5)).toBe("ab…ij");
    expect(clip("鍵鍵鍵鍵鍵鍵", 7)).toBe("鍵…鍵");
    expect(widthOf(clip("a鍵b鍵c鍵d鍵", 6))).toBeLessThanOrEqual(6);
    expect(clip("short", 5)).toBe("short");
    expect(padEnd("鍵", 4)).toBe("鍵  ");
  });
});

describe("text of others", () => {
  test("shows marks that nobody sees: two issuers may differ by one", () => {
    expect(wrap("https://a.example\u200b/", 80)).toEqual(["https://a.example<U+200B>/"]);
    expect(clip("\u00adkid", 20)).toBe("<U+00AD>kid");
  });

  test("stays on its line, without a control", () => {
    expect(wrap("a\u001b[2J\u009bb\r\nc", 80)).toEqual(["a [2J b c"]);
  });
});

describe("wrapped text", () => {
  test("keeps to its width, and never cuts a word that can be copied", () => {
    const url = `https://issuer.example/${"a".repeat(60)}`;
    expect(wrap(`see ${url} now`, 40, "  ")).toEqual(["  see", `  ${url}`, "  now"]);
  });

  test("leaves a remedy's commands whole, each on its line", () => {
    const remedy = "Network: let it through. Try:\ncurl -m 5 --url 'https://a.example/a b'\nnpx x";
    expect(wrapRemedy(remedy, 20, "  ")).toEqual([
      "  Network: let it",
      "  through. Try:",
      "    curl -m 5 --url 'https://a.example/a b'",
      "    npx x",
    ]);
  });
});
