import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { errorChain, errorCode, isCertificateFault } from "../../src/runtime/system-errors.js";
import { HOSTILE } from "../support/hostile-values.js";

describe("the chain of an error", () => {
  test("contains its causes and the errors of an aggregate, nearest first", () => {
    const [a, b, deep] = [new Error("a"), new Error("b"), new Error("deep")];
    a.cause = deep;
    const top = new Error("top", { cause: new AggregateError([a, b]) });
    expect(errorChain(top)).toEqual([top, top.cause, a, b, deep]);
  });

  test("ends where it becomes circular", () => {
    const [a, b] = [new Error("a"), new Error("b")];
    [a.cause, b.cause] = [b, a];
    expect(errorChain(a)).toEqual([a, b]);
  });

  test("has at most 16 errors, whatever was thrown", () => {
    const endless = (): object => ({
      get cause() {
        return endless();
      },
      get errors() {
        return Array.from({ length: 1_000 }, endless);
      },
    });
    expect(errorChain(endless())).toHaveLength(16);
  });

  test.each(HOSTILE)("is read without an error for %s", (_, make) => {
    const thrown = make();
    expect(errorChain(thrown)[0]).toBe(thrown);
    const revoked = Proxy.revocable([], {});
    revoked.revoke();
    expect(errorChain({ cause: make(), errors: revoked.proxy }).length).toBeLessThanOrEqual(4);
  });

  test("is read without an error for any value", () => {
    fc.assert(
      fc.property(fc.anything(), fc.anything(), (cause, errors) => {
        expect(errorChain({ cause, errors }).length).toBeLessThanOrEqual(16);
      }),
    );
  });
});

test("errorCode returns the first code along the chain that is a string", () => {
  const inner = Object.assign(new Error("x"), { code: "ECONNREFUSED" });
  const middle = Object.assign(new Error("x", { cause: inner }), { code: 23 });
  expect(errorCode(new TypeError("fetch failed", { cause: middle }))).toBe("ECONNREFUSED");
  expect(errorCode(undefined)).toBeUndefined();
});

test.each([
  ["CERT_HAS_EXPIRED", true],
  ["SELF_SIGNED_CERT_IN_CHAIN", true],
  ["CERT_OF_A_LATER_NODE", true],
  ["ECONNRESET", false],
  ["toString", false],
])("isCertificateFault(%j) returns %s", (code, expected) => {
  expect(isCertificateFault(code)).toBe(expected);
});
