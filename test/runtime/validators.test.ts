import { describe, expect, test } from "vitest";
import { checkSignal } from "../../src/runtime/validators.js";
import { HOSTILE } from "../support/hostile-values.js";

describe("a signal", () => {
  test("is accepted with the members that are used, and so from another realm too", () => {
    const { signal } = new AbortController();
    const methods = ["addEventListener", "removeEventListener", "throwIfAborted"] as const;
    const foreign = Object.fromEntries(methods.map((name) => [name, signal[name].bind(signal)]));
    expect(() => checkSignal({ ...foreign, aborted: false })).not.toThrow();
    expect(() => checkSignal(signal)).not.toThrow();
    expect(() => checkSignal(undefined)).not.toThrow();
  });

  test("is refused when it lacks a member or is not a signal", () => {
    const { signal } = new AbortController();
    const { throwIfAborted: _, ...old } = { aborted: false, throwIfAborted: 1, on: signal };
    for (const value of [null, {}, old, new AbortController(), "signal"]) {
      expect(() => checkSignal(value)).toThrow(/^Expected `signal` to be an AbortSignal, got /);
    }
    for (const [name, make] of HOSTILE) {
      if (name !== "undefined") expect(() => checkSignal(make()), name).toThrow();
    }
  });
});
