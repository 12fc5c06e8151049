import { PassThrough } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { terminalReport } from "../../src/cli/doctor/terminal-report.js";
import {
  clip,
  fitFor,
  jsonText,
  ProgressLine,
  padEnd,
  plain,
  widthOf,
  wrap,
  wrapRemedy,
} from "../../src/cli/terminal-text.js";
import { sampleDiagnosis } from "./sample-diagnosis.js";

const TTY = { isTTY: true };
const PIPE = { isTTY: false };

describe("signs beyond ASCII are shown", () => {
  test.each([
    ["on a terminal with a UTF-8 locale", TTY, { LANG: "en_US.UTF-8", TERM: "xterm" }],
    ["when the first of the locale variables names UTF-8", TTY, { LC_ALL: "C.utf8", LANG: "C" }],
    ["in a pipe without a locale", PIPE, {}],
  ] as const)("%s", (_, stream, env) => expect(fitFor(stream, env, "linux")("✓")).toBe("✓"));

  test("in Windows Terminal", () => {
    expect(fitFor(TTY, { WT_SESSION: "1" }, "win32")("✓")).toBe("✓");
  });
});

describe("ASCII replaces signs beyond it", () => {
  test.each([
    ["on a terminal without a locale", TTY, {}],
    ["in the C locale", TTY, { LANG: "C" }],
    ["in a pipe whose locale has no UTF-8", PIPE, { LC_ALL: "POSIX", LANG: "C.UTF-8" }],
    ["on the Linux console", TTY, { LANG: "C.UTF-8", TERM: "linux" }],
  ] as const)("%s", (_, stream, env) => expect(fitFor(stream, env, "linux")("✓ ▶")).toBe("+ >"));

  test("in the older console of Windows", () => expect(fitFor(TTY, {}, "win32")("✗")).toBe("x"));

  test("for every sign of a report, at the same width", () => {
    const report = terminalReport(sampleDiagnosis(), 80, plain);
    const ascii = fitFor(TTY, {}, "linux")(report);
    expect(ascii).not.toMatch(/[^\p{ASCII}]/u);
    expect(ascii).toHaveLength(report.length);
    expect(ascii).not.toContain("?");
  });
});

describe("the width of a text in columns", () => {
  test.each([
    ["plain", 5],
    ["\u001b[31mred\u001b[39m", 3],
    ["\u9375", 2],
    ["\ud55c\uae00", 4],
    ["\u1112\u1161\u11ab", 2],
    ["\u{1f511}", 2],
    ["\u00e9", 1],
    ["e\u0301", 1],
  ])("of %j is %i", (text, width) => expect(widthOf(text)).toBe(width));

  test("limits a clipped text, which keeps both of its ends", () => {
    expect(clip("abcdefghij", 5)).toBe("ab…ij");
    expect(clip("鍵鍵鍵鍵鍵鍵", 7)).toBe("鍵…鍵");
    expect(widthOf(clip("a鍵b鍵c鍵d鍵", 6))).toBeLessThanOrEqual(6);
    expect(clip("short", 5)).toBe("short");
    expect(padEnd("鍵", 4)).toBe("鍵  ");
  });
});

describe("text from outside", () => {
  test("shows invisible characters, because two issuers may differ by one", () => {
    expect(wrap("https://a.example\u200b/", 80)).toEqual(["https://a.example<U+200B>/"]);
    expect(clip("\u00adkid", 20)).toBe("<U+00AD>kid");
  });

  test("stays on one line, without control characters", () => {
    expect(wrap("a\u001b[2J\u009bb\r\nc", 80)).toEqual(["a [2J b c"]);
  });
});

describe("wrapped text", () => {
  test("fits the width, but never cuts a word", () => {
    const url = `https://issuer.example/${"a".repeat(60)}`;
    expect(wrap(`see ${url} now`, 40, "  ")).toEqual(["  see", `  ${url}`, "  now"]);
  });

  test("has each command of a remedy whole on a line of its own", () => {
    const remedy = "Network: let it through. Try:\ncurl -m 5 --url 'https://a.example/a b'\nnpx x";
    expect(wrapRemedy(remedy, 20, "  ")).toEqual([
      "  Network: let it",
      "  through. Try:",
      "    curl -m 5 --url 'https://a.example/a b'",
      "    npx x",
    ]);
  });
});

test("JSON for a terminal is the same data without characters that a terminal acts on", () => {
  const hostile = {
    kid: "\u001b[2J\u009b31m\u007f\u202ea\u2066b\u200bc\u2028d\ufeff\u{e0041}",
    more: ["é✓"],
  };
  const text = jsonText(hostile);
  expect(JSON.parse(text)).toEqual(hostile);
  expect(text.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}\u2028]/u);
  expect(text).toContain("é✓");
});

const STEPS = [
  "reading the token",
  "requesting the issuer documents",
  "calling STS in us-east-1",
  "assuming the role in us-east-1",
];

/** Everything that the terminal got, and its last line. */
function draw(columns: number, env: Record<string, string>, isTTY = true) {
  const terminal = Object.assign(new PassThrough({ encoding: "utf8" }), { isTTY, columns });
  const line = new ProgressLine(terminal, plain, env);
  for (const label of STEPS) line.show({ label, state: "started" });
  line.show({ label: "reading the token", state: "finished" });
  vi.advanceTimersByTime(1500);
  const drawn = String(terminal.read() ?? "");
  line[Symbol.dispose]();
  return { drawn, last: stripVTControlCharacters(drawn.split("\r").at(-1) ?? "") };
}

const UTF8 = { LANG: "C.UTF-8", TERM: "xterm" };

describe("the line of progress", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test("names the steps in progress and the elapsed time", () => {
    const { last } = draw(120, UTF8);
    expect(last).toMatch(
      /^. requesting the issuer documents, calling STS in us-east-1, assuming the role in us-east-1 +1\.\d s$/,
    );
  });

  test("names as many complete steps as fit, and counts the rest", () => {
    const { last } = draw(60, UTF8);
    expect(last).toMatch(/^. requesting the issuer documents and 2 more 1\.\d s$/);
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
    expect(draw(60, { LANG: "C", TERM: "xterm" }).last).toMatch(
      /^[|/\\-] requesting .* and 2 more/,
    );
  });

  test("is not drawn in a pipe, or on a terminal that can't clear a line", () => {
    expect(draw(80, { LANG: "C", TERM: "dumb" }).drawn).toBe("");
    expect(draw(80, UTF8, false).drawn).toBe("");
  });
});
