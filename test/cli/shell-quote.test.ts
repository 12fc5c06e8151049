import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { articleCommands } from "../../src/cli/doctor/article-commands.js";
import { quoteForPosix, quoteForPowerShell } from "../../src/doctor/shell-quote.js";
import { sampleDiagnosis } from "./sample-diagnosis.js";

const HOSTILE_URL = "https://login.example.com/a'$(touch /tmp/x)`id`;\"&|<>*?[a]{b}!";

describe("a quoted word", () => {
  it("reaches a POSIX shell's command as it is", () => {
    const words = fc.string({ unit: "binary" }).map((text) => text.replace(/\p{Cc}|\p{Cs}/gu, ""));
    fc.assert(
      fc.property(words, (text) => {
        const echoed = execFileSync("sh", ["-c", `printf %s ${quoteForPosix(text)}`], {
          encoding: "utf8",
        });
        expect(echoed).toBe(text);
      }),
      { numRuns: 50 },
    );
  });

  it("doubles every kind of quote that PowerShell ends a word with", () => {
    expect(quoteForPowerShell("a'b’c‘d‚e‛f")).toBe("'a''b’’c‘‘d‚‚e‛‛f'");
  });

  it("stays on one line", () => {
    expect(quoteForPosix("a\nrm\r-rf\u0000")).toBe("'arm-rf'");
    expect(quoteForPowerShell("a\nrm")).toBe("'arm'");
  });
});

describe("the commands", () => {
  it("are valid shell with hostile URLs, and run nothing of them", () => {
    const { facts } = sampleDiagnosis();
    const issuer = { addresses: [], requests: [], latency: [], issuer: HOSTILE_URL };
    const diagnosis = sampleDiagnosis({
      facts: { ...facts, issuer: { ...issuer, discoveryUrl: HOSTILE_URL, jwksUrl: HOSTILE_URL } },
    });
    const text = articleCommands(diagnosis) ?? "";
    const [posix = ""] = text.split("# ==== Windows");
    // No program is found but this `curl`, which says what it was called with last: the URL.
    const curl = "curl() { for last; do :; done; printf '%s\\n' \"$last\"; }";
    const called = execFileSync("bash", {
      input: `PATH=/nonexistent\n${curl}\n${posix}\nexit 0`,
      encoding: "utf8",
      stdio: ["pipe", "pipe", "ignore"],
    });
    const urls = new Set(called.trim().split("\n"));
    expect(urls).toEqual(new Set([new URL(HOSTILE_URL).href, HOSTILE_URL]));
  });

  it("find the JWKS themselves when it is not known here", () => {
    const { facts } = sampleDiagnosis();
    const { issuer } = facts;
    if (issuer === undefined) throw new Error("the sample has an issuer");
    const unknown = sampleDiagnosis({
      facts: { ...facts, issuer: { ...issuer, jwksUrl: undefined } },
    });
    const text = articleCommands(unknown) ?? "";
    expect(text).toContain("jwks=$(curl");
    expect(text).toContain("$jwks = (Invoke-RestMethod");
  });

  it("are none without an issuer", () => {
    const { facts } = sampleDiagnosis();
    expect(articleCommands(sampleDiagnosis({ facts: { ...facts, issuer: undefined } }))).toBe(
      undefined,
    );
  });
});
