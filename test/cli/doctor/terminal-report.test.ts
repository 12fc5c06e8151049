import { describe, expect, test } from "vitest";
import { terminalReport, timingBars } from "../../../src/cli/doctor/terminal-report.js";
import { paintFor, plain, widthOf } from "../../../src/cli/terminal-text.js";
import {
  HOSTILE,
  sampleDiagnosis,
  sampleFinding,
  sampleRequest,
  UNPRINTABLE,
} from "../sample-diagnosis.js";

const inColor = paintFor({ isTTY: true }, {});

describe("the terminal report", () => {
  const report = terminalReport(sampleDiagnosis(), 80, plain);

  test("begins with the verdict, the cause and the remedy", () => {
    const [verdict, , cause, detail, remedy] = report.split("\n");
    expect(verdict).toMatch(/^! DEGRADED/);
    expect(cause).toBe("Cause     The JWKS takes longer than STS waits.");
    expect(detail).toContain("took 6400 ms");
    expect(remedy).toBe("Remedy    IdP: serve the JWKS from a cache.");
  });

  test.each([
    ["fatal", "No credentials until the cause is fixed."],
    ["suspect", "No credentials now. The cause may be temporary, and may return."],
  ] as const)(
    "says of a broken diagnosis whether a %s cause may be temporary",
    (severity, sentence) => {
      const rootCause = sampleFinding("jwks-http-status", severity);
      const findings = [rootCause];
      const shown = terminalReport(
        sampleDiagnosis({ verdict: "broken", rootCause, findings }),
        80,
        plain,
      );
      expect(shown.split("\n")[0]).toContain(sentence);
    },
  );

  test.each([
    ["broken", "issuer-tls-untrusted", "No credentials until the cause is fixed."],
    ["degraded", "issuer-tls-untrusted", "The cause below can keep STS from verifying tokens."],
    ["degraded", "jwks-slow", "The cause below explains intermittent failures."],
    ["broken", "sts-throttled", "No credentials now. The cause may be temporary, and may return."],
  ] as const)(
    "says of a %s diagnosis with %s whether it may be temporary",
    (verdict, id, sentence) => {
      const rootCause = sampleFinding(id, "suspect");
      const shown = terminalReport(
        sampleDiagnosis({ verdict, rootCause, findings: [rootCause] }),
        120,
        plain,
      );
      expect(shown.split("\n")[0]).toContain(sentence);
    },
  );

  test("marks the token's key, and keys that STS can't use", () => {
    expect(report).toMatch(/▶ current .*✓ usable/);
    expect(report).toMatch(/^ {4}other .*✗ `use` is enc/m);
  });

  test("explains the cause once, and gives the other findings their remedies", () => {
    expect(report.match(/serve the JWKS from a cache/g)).toHaveLength(1);
    expect(report).toContain("→ IdP: fix token-expires-soon.");
  });

  test("gives no remedy for a response of STS that follows from the cause", () => {
    const slow = sampleFinding("jwks-slow", "suspect");
    const refusal = sampleFinding("sts-verification-key", "suspect");
    const findings = [slow, refusal, sampleFinding("sts-access-denied", "fatal")];
    const shown = terminalReport(sampleDiagnosis({ rootCause: slow, findings }), 80, plain);
    expect(shown).toContain("! The title of sts-verification-key. (follows from the cause)");
    expect(shown).toContain("The values that were seen for sts-verification-key.");
    expect(shown).not.toContain("fix sts-verification-key");
    expect(shown).toContain("→ IdP: fix sts-access-denied.");
  });

  test("shows each command of a remedy whole on a line of its own", () => {
    const command = `curl -m 5 --url 'https://login.example.com/${"a".repeat(80)}'`;
    const cause = sampleFinding("issuer-timeout", "suspect", {
      remedy: `Network: do.\n${command}`,
    });
    const findings = [
      cause,
      sampleFinding("issuer-private", "suspect", { remedy: `No.\n${command}` }),
    ];
    const shown = terminalReport(sampleDiagnosis({ rootCause: cause, findings }), 60, plain);
    expect(shown.split("\n").filter((line) => line.trim() === command)).toHaveLength(2);
  });

  test("never cuts a setting, so that it can be copied", () => {
    const { facts } = sampleDiagnosis();
    const value = `/var/run/secrets/${"a".repeat(60)}/token`;
    const settings = [{ name: "token", value, source: "AWS_WEB_IDENTITY_TOKEN_FILE" }] as const;
    const shown = terminalReport(sampleDiagnosis({ facts: { ...facts, settings } }), 60, plain);
    expect(shown).toContain(`  token  ${value}\n         (AWS_WEB_IDENTITY_TOKEN_FILE)\n`);
  });

  test("has no blanks at the end of a line", () => {
    expect(report).not.toMatch(/ $/m);
  });

  test("shows the 5 s limit through a bar that crosses it", () => {
    expect(report).toMatch(/JWKS 1 .*█│█*▆+ .*6\.4 s 200/);
  });

  test.each([50, 60, 80, 120])("fits into %i columns", (columns) => {
    const lines = terminalReport(sampleDiagnosis(), columns, inColor).split("\n");
    const isCut = (line: string) => widthOf(line) > columns && /\S \S/.test(line);
    expect(lines.filter(isCut)).toEqual([]);
  });

  test("has colors only where they are wanted", () => {
    const start = "\u001b[";
    expect(report).not.toContain(start);
    expect(terminalReport(sampleDiagnosis(), 80, inColor)).toContain(start);
    expect(paintFor({ isTTY: true }, { NO_COLOR: "1" })("red", "a")).toBe("a");
    expect(paintFor({ isTTY: false }, {})("red", "a")).toBe("a");
    expect(paintFor({ isTTY: true }, { TERM: "dumb" })("red", "a")).toBe("a");
    expect(paintFor({ isTTY: false }, { FORCE_COLOR: "1" })("red", "a")).not.toBe("a");
  });

  test("removes control characters of texts from outside", () => {
    const cause = sampleFinding("jwks-slow", "fatal", { title: HOSTILE, detail: HOSTILE });
    const hostile = terminalReport(
      sampleDiagnosis({ verdict: "broken", rootCause: cause, findings: [cause] }),
      80,
      plain,
    );
    expect(hostile.replaceAll("\n", "")).not.toMatch(UNPRINTABLE);
  });

  test("claims no more about an issuer alone than was checked", () => {
    const { facts } = sampleDiagnosis();
    const alone = { verdict: "healthy", rootCause: null, findings: [], timings: [] } as const;
    const report = terminalReport(
      sampleDiagnosis({ ...alone, facts: { ...facts, token: undefined } }),
      80,
      plain,
    );
    expect(report).toMatch(/^✓ HEALTHY {2}No problem with this issuer was found from here\.$/m);
    expect(report).toMatch(/^Issuer$/m);
    expect(report).not.toMatch(/^(Token|STS endpoint|Role)$/m);
  });

  test("says that AssumeRoleWithWebIdentity was not called if no role was assumed", () => {
    const healthy = { verdict: "healthy", rootCause: null, findings: [] } as const;
    expect(terminalReport(sampleDiagnosis(healthy), 80, plain)).toMatch(
      /^✓ HEALTHY {2}No problem was found; AssumeRoleWithWebIdentity was not called\.$/m,
    );
  });

  test("says what was not checked", () => {
    const { facts } = sampleDiagnosis();
    const bare = { ...facts, token: { source: "none" }, issuer: undefined };
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
    expect(quiet.match(/– not checked/g)).toHaveLength(2);
    expect(quiet).toContain("– no issuer is known");
    expect(quiet).toContain("– AssumeRoleWithWebIdentity was not called");
  });
});

describe("the bars of the timings", () => {
  const markRed = (style: unknown, text: string) => (style === "red" ? `<${text}>` : text);

  test("are red beyond the limit only if the request has one", () => {
    const own = timingBars(
      [sampleRequest({ totalMs: 6000, error: undefined, status: 200 })],
      80,
      markRed,
    );
    expect(own[1]).toContain("<     6 s>");
    const none = sampleRequest({
      limitMs: undefined,
      totalMs: 6000,
      error: undefined,
      status: 200,
    });
    expect(timingBars([none], 80, markRed)[1]).not.toContain("<     6 s>");
  });

  test("name the requests briefly enough for 60 columns", () => {
    const labels = [
      "discovery document (request 1)",
      "JWKS (request 2)",
      "AssumeRoleWithWebIdentity in us-east-1",
      "STS in us-east-1",
    ];
    const rows = timingBars(
      labels.map((label) => sampleRequest({ label })),
      60,
      plain,
    ).slice(1, -1);
    expect(rows.map((row) => row.slice(2, 26).trimEnd())).toEqual([
      "discovery 1",
      "JWKS 2",
      "assume role in us-east-1",
      "STS in us-east-1",
    ]);
  });
});
