import { describe, expect, test } from "vitest";
import { redact, safeCause, safeText } from "../../src/runtime/redact.js";
import { processorMs } from "./processor-time.js";

describe("the time that redaction takes", () => {
  test("is linear in the text, whatever an outsider sends", () => {
    const hostile = [
      ...[
        "eyJ",
        "eyJhbGciOiJSUzI1NiJ9",
        "a.",
        ".eyj",
        "%3",
        "&",
        "\\u{",
        "://",
        "://a@",
        "Bearer ",
      ],
      ...["password:", "?a_token=", "?____", "ZXlK", "a", "eyJhbGciOiJSUzI1NiJ9\n", "=\r\n", "\\"],
    ];
    const secret = "a".repeat(20_000);
    for (const piece of hostile) {
      const text = piece.repeat(1_048_576 / piece.length);
      expect(processorMs(() => safeText(text, 500, [secret]))).toBeLessThan(2_000);
    }
  });

  test("is linear also without a limit of the text", () => {
    const hostile = ["eyJ".repeat(200_000), "a.".repeat(200_000), `Bearer${" ".repeat(400_000)}`];
    for (const text of hostile) expect(processorMs(() => redact(text))).toBeLessThan(2_000);
  });

  test("is linear in the message and the stack of an error", () => {
    const half = "a".repeat(16 * 1024);
    const thrown = { message: `${half}b${half}`, stack: half.repeat(4) };
    expect(processorMs(() => safeCause(thrown))).toBeLessThan(200);
  });
});
