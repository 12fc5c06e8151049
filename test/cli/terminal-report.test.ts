import { describe, expect, it } from "vitest";
import { terminalReport } from "../../src/cli/doctor/terminal-report.js";
import { widthOf } from "../../src/cli/layout.js";
import { paintFor, plain } from "../../src/cli/paint.js";
import { HOSTILE, sampleDiagnosis, sampleFinding, UNPRINTABLE } from "./sample-diagnosis.js";

const coloured = paintFor({ isTTY: true }, {});

describe("the terminal report", () => {
  const report = terminalReport(sampleDiagnosis(), 80, plain);

  it("begins with the verdict, the cause and the remedy", () => {
    const [verdict, , cause, detail, remedy] = report.split("\n");
    expect(verdict).toMatch(/^! DEGRADED/);
    expect(cause).toBe("Cause     The JWKS takes longer than STS waits.");
    expect(detail).toContain("took 6400 ms");
    expect(remedy).toBe("Remedy    IdP: serve the JWKS from a cache.");
  });

  it("marks the token's key, and what STS cannot use", () => {
    expect(report).toMatch(/▶ current .*✓ usable/);
    expect(report).toMatch(/^ {4}other .*✗ `use` is enc/m);
  });

  it("tells the cause once, and the other findings with what to do", () => {
    expect(report.match(/serve the JWKS from a cache/g)).toHaveLength(1);
    expect(report).toContain("→ IdP: mend token-expires-soon.");
  });

  it("shows the 5 s limit through a bar that crosses it", () => {
    expect(report).toMatch(/JWKS \(1 of 3\) .*█│█*▆+ .*6\.4 s 200/);
  });

  it.each([40, 80, 120])("keeps to %i columns", (columns) => {
    const lines = terminalReport(sampleDiagnosis(), columns, coloured).split("\n");
    const roomy = Math.max(columns, 80);
    expect(lines.filter((line) => widthOf(line) > roomy)).toEqual([]);
  });

  it("has colours only where they are wanted", () => {
    const start = "\u001b[";
    expect(report).not.toContain(start);
    expect(terminalReport(sampleDiagnosis(), 80, coloured)).toContain(start);
    expect(paintFor({ isTTY: true }, { NO_COLOR: "1" })("red", "a")).toBe("a");
    expect(paintFor({ isTTY: false }, {})("red", "a")).toBe("a");
    expect(paintFor({ isTTY: true }, { TERM: "dumb" })("red", "a")).toBe("a");
    expect(paintFor({ isTTY: false }, { FORCE_COLOR: "1" })("red", "a")).not.toBe("a");
  });

  it("lets no control character of the world through", () => {
    const cause = sampleFinding("jwks-slow", "fatal", { title: HOSTILE, detail: HOSTILE });
    const hostile = terminalReport(
      sampleDiagnosis({ verdict: "broken", rootCause: cause, findings: [cause] }),
      80,
      plain,
    );
    expect(hostile.replaceAll("\n", "")).not.toMatch(UNPRINTABLE);
  });

  it("says what was not looked at", () => {
    const { facts } = sampleDiagnosis();
    const bare = { ...facts, token: undefined, issuer: undefined };
    const quiet = terminalReport(
      sampleDiagnosis({
        verdict: "healthy",
        rootCause: null,
        findings: [],
        timings: [],
        facts: bare,
      }),
      80,
      plain,
    );
    expect(quiet).toMatch(/^✓ HEALTHY/);
    expect(quiet.match(/– not looked at/g)).toHaveLength(4);
  });
});
