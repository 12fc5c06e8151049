import { describe, expect, test } from "vitest";
import type { Failure } from "../../src/model/failure.js";
import type { Finding, KeyRefusal } from "../../src/model/findings.js";
import { confirmedBy } from "../../src/retry/confirmation.js";
import { WIRE_ERRORS } from "../../src/testing/sts/wire-error.js";

const suspicion = (refusal?: KeyRefusal): Finding => ({
  id: "jwks-byte-order-mark",
  severity: "suspect",
  title: "",
  detail: "",
  remedy: "",
  evidence: {},
  ...(refusal && { confirmedBy: refusal }),
});
const answer = (facts: Partial<Failure>): Failure => ({ kind: "answer", message: "", ...facts });
const severities = (failure: Failure, ...refusals: (KeyRefusal | undefined)[]) =>
  confirmedBy(refusals.map(suspicion), failure).map(({ severity }) => severity);

describe("a finding that rests on one report", () => {
  test.each([
    ["verification-key", WIRE_ERRORS.verificationKey],
    ["not-validated", WIRE_ERRORS.notValidated],
  ] as const)(
    "is certain once STS refuses the token in the words of %s, and no other is",
    (...row) => {
      const [refusal, said] = row;
      const other = refusal === "not-validated" ? "verification-key" : "not-validated";
      expect(severities(answer(said), refusal, other, undefined)).toEqual([
        "fatal",
        "suspect",
        "suspect",
      ]);
      const [certain] = confirmedBy([suspicion(refusal)], answer(said));
      expect(certain).not.toHaveProperty("confirmedBy");
    },
  );

  test("stays a suspicion after any other answer, and where none came", () => {
    const { message, code } = WIRE_ERRORS.verificationKey;
    const failures: Failure[] = [
      answer(WIRE_ERRORS.providerNotFound("https://issuer.invalid")),
      answer({ code: "InvalidIdentityToken", message: "Incorrect token audience" }),
      answer({ code: "IDPCommunicationError", message }),
      answer({ message }),
      { kind: "preflight", code, message },
      { kind: "network", code: "ECONNRESET", message },
    ];
    for (const failure of failures) {
      expect(severities(failure, "verification-key", "not-validated")).toEqual([
        "suspect",
        "suspect",
      ]);
    }
  });

  test("is confirmed by the name that the SDK gives the error, too", () => {
    const { message } = WIRE_ERRORS.verificationKey;
    const code = "InvalidIdentityTokenException";
    expect(severities(answer({ code, message }), "verification-key")).toEqual(["fatal"]);
  });
});
