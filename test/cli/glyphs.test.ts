import { describe, expect, test } from "vitest";
import { terminalReport } from "../../src/cli/doctor/terminal-report.js";
import { fitFor, plain } from "../../src/cli/terminal-text.js";
import { sampleDiagnosis } from "./sample-diagnosis.js";

const TTY = { isTTY: true };
const PIPE = { isTTY: false };

describe("signs beyond ASCII are shown", () => {
  test.each([
    ["on a terminal with a UTF-8 locale", TTY, { LANG: "en_US.UTF-8", TERM: "xterm" }],
    ["when the first of the variables says so", TTY, { LC_ALL: "C.utf8", LANG: "C" }],
    ["in a pipe of which nothing is known", PIPE, {}],
  ] as const)("%s", (_, stream, env) => expect(fitFor(stream, env, "linux")("✓")).toBe("✓"));

  test("in Windows Terminal", () => {
    expect(fitFor(TTY, { WT_SESSION: "1" }, "win32")("✓")).toBe("✓");
  });
});

describe("ASCII stands for them", () => {
  test.each([
    ["on a terminal without a locale", TTY, {}],
    ["in the C locale", TTY, { LANG: "C" }],
    ["in a pipe whose locale has no UTF-8", PIPE, { LC_ALL: "POSIX", LANG: "C.UTF-8" }],
    ["on the console of the kernel", TTY, { LANG: "C.UTF-8", TERM: "linux" }],
  ] as const)("%s", (_, stream, env) => expect(fitFor(stream, env, "linux")("✓ ▶")).toBe("+ >"));

  test("in the old console of Windows", () => expect(fitFor(TTY, {}, "win32")("✗")).toBe("x"));

  test("for every sign of a report, one for one", () => {
    const report = terminalReport(sampleDiagnosis(), 80, plain);
    const ascii = fitFor(TTY, {}, "linux")(report);
    expect(ascii).not.toMatch(/[^\p{ASCII}]/u);
    expect(ascii).toHaveLength(report.length);
    expect(ascii).not.toContain("?");
  });
});
