import { describe, expect, test } from "vitest";
import { checkSignal } from "../../src/runtime/validators.js";
import { HOSTILE } from "../support/hostile-values.js";

describe("a signal", () => {
  const checked = (value: unknown) => () => checkSignal("signal", value);

  test("is accepted with the members that are used, and so from another realm or an older library", () => {
    const { signal } = new AbortController();
    const methods = ["addEventListener", "removeEventListener"] as const;
    const foreign = Object.fromEntries(methods.map((name) => [name, signal[name].bind(signal)]));
    expect(checked({ ...foreign, aborted: false })).not.toThrow();
    expect(checked(signal)).not.toThrow();
    expect(checked(undefined)).not.toThrow();
  });

  test("is refused when it lacks a member or is not a signal", () => {
    const { signal } = new AbortController();
    const old = { aborted: false, onabort: null, on: signal };
    for (const value of [null, {}, old, new AbortController(), "signal"]) {
      expect(checked(value)).toThrow(/^Expected `signal` to be an AbortSignal, got /);
    }
    for (const [name, make] of HOSTILE) {
      if (name !== "undefined") expect(checked(make()), name).toThrow();
    }
  });
});
