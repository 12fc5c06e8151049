import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { quoteForPosix, quoteForPowerShell } from "../../src/runtime/shell-quote.js";

describe("a quoted word", () => {
  test("reaches the command of a POSIX shell unchanged", () => {
    const hidden = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
    const words = fc.string({ unit: "binary" }).map((text) => text.replace(hidden, ""));
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

  test("stays on one line and has no hidden marks", () => {
    expect(quoteForPosix("a\nrm\r-rf\u0000")).toBe("'arm-rf'");
    expect(quoteForPowerShell("a\nrm")).toBe("'arm'");
    expect(quoteForPosix("a\u202eb\u180ec\u2028d")).toBe("'abcd'");
  });
});
