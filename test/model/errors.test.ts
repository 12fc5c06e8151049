import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { isWebIdentityError, WebIdentityError } from "../../src/model/errors.js";
import { HOSTILE } from "../support/hostile-values.js";

const init = { code: "ERR_THROTTLED", message: "What failed.", hint: "What to do." } as const;

describe("a WebIdentityError", () => {
  test("says what failed, then what to do, then how to read more", () => {
    const error = new WebIdentityError(init);
    const more = "Details: npx resilient-sts explain";
    expect(error).toMatchObject({
      ...init,
      message: `What failed. What to do. ${more} ERR_THROTTLED`,
    });
    const about = new WebIdentityError({ ...init, about: "jwks-empty" });
    expect(about.message).toBe(`What failed. What to do. ${more} jwks-empty`);
    expect(error).toBeInstanceOf(Error);
  });

  test("has a literal name, also at the head of its stack", () => {
    class Minified extends WebIdentityError {}
    expect(new WebIdentityError(init).name).toBe("WebIdentityError");
    expect(new Minified(init).name).toBe("WebIdentityError");
    expect(new WebIdentityError(init).stack).toMatch(
      /^WebIdentityError: What failed\. What to do\./,
    );
  });

  test("lets no chain move on unless it is told to", () => {
    expect(new WebIdentityError(init).tryNextLink).toBe(false);
    expect(new WebIdentityError({ ...init, tryNextLink: true }).tryNextLink).toBe(true);
  });

  test("has lists that are empty and no cause when none are given", () => {
    const error = new WebIdentityError(init);
    expect([error.attempts, error.findings, error.token]).toEqual([[], [], undefined]);
    expect("cause" in error).toBe(false);
  });
});

describe("isWebIdentityError", () => {
  test("knows one from another copy of this package", () => {
    const foreign = Object.assign(new Error("x"), { name: "WebIdentityError", code: "ERR_CLOSED" });
    expect(isWebIdentityError(foreign)).toBe(true);
    expect(isWebIdentityError(new WebIdentityError(init))).toBe(true);
  });

  test("knows one from another realm", () => {
    const source =
      "Object.assign(new Error('x'), { name: 'WebIdentityError', code: 'ERR_CLOSED' })";
    expect(isWebIdentityError(runInNewContext(source))).toBe(true);
  });

  test.each([
    ["another error with such a code", Object.assign(new Error("x"), { code: "ERR_CLOSED" })],
    ["one without a code", Object.assign(new Error("x"), { name: "WebIdentityError" })],
    [
      "one with a number for a code",
      Object.assign(new Error("x"), { name: "WebIdentityError", code: 5 }),
    ],
    ["a plain object", { name: "WebIdentityError", code: "ERR_CLOSED" }],
    ["undefined", undefined],
    ["null", null],
    ["a string", "WebIdentityError"],
  ])("says no to %s", (_, value) => {
    expect(isWebIdentityError(value)).toBe(false);
  });

  test("says no, and does not throw, whatever was thrown", () => {
    for (const [, make] of HOSTILE) expect(isWebIdentityError(make())).toBe(false);
  });
});
