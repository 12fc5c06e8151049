import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { quoteForPosix, quoteForPowerShell } from "../../src/runtime/shell-quote.js";

describe("a quoted word", () => {
  test("reaches a POSIX shell's command as it is", () => {
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

  test("doubles every kind of quote that PowerShell ends a word with", () => {
    expect(quoteForPowerShell("a'b’c‘d‚e‛f")).toBe("'a''b’’c‘‘d‚‚e‛‛f'");
  });

  test("stays on one line", () => {
    expect(quoteForPosix("a\nrm\r-rf\u0000")).toBe("'arm-rf'");
    expect(quoteForPowerShell("a\nrm")).toBe("'arm'");
  });
});
