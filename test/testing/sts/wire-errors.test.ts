import { describe, expect, test } from "vitest";
import { WIRE_ERRORS, type WireError } from "../../../src/testing/sts/wire-error.js";
import { readSharedJson } from "../../support/shared-data.js";

interface RecordedError {
  readonly code: string;
  readonly message: string;
  readonly httpStatus?: number;
  readonly confidence: string;
}

const recorded = (readSharedJson("sts-errors.json", "the wording of STS's errors") ??
  []) as readonly RecordedError[];

/** With the values of the recordings. */
const EXPECTED: readonly WireError[] = [
  WIRE_ERRORS.verificationKey,
  WIRE_ERRORS.notValidated,
  WIRE_ERRORS.notJwt,
  WIRE_ERRORS.ambiguousAudience,
  WIRE_ERRORS.invalidTimestamp,
  WIRE_ERRORS.notLoginWithAmazon,
  ...["iss", "sub", "aud", "iat", "exp"].map(WIRE_ERRORS.missingClaim),
  WIRE_ERRORS.providerNotFound("https://token.actions.githubusercontent.com"),
  WIRE_ERRORS.tokenExpired(1789123421, 1789123397),
  WIRE_ERRORS.issuedInFuture(1789127298),
  WIRE_ERRORS.notYetValid(1789124026, 1789127298),
  WIRE_ERRORS.nullSubject,
  WIRE_ERRORS.rejectedClaim,
  WIRE_ERRORS.accessDenied,
  WIRE_ERRORS.throttled,
  WIRE_ERRORS.regionDisabled("221870936645"),
  WIRE_ERRORS.validation("Request ARN is invalid"),
];

/** The wording before 2026, and errors that the tests of requests cover. */
const ELSEWHERE = /^Incorrect token audience$|^1 validation error detected: /;

describe("the local STS uses the words of STS", () => {
  test("the verification-key error has two spaces after its comma", () => {
    expect(WIRE_ERRORS.verificationKey.message).toContain("provider,  please");
  });

  test.each(recorded.filter(({ confidence }) => confidence === "seen-verbatim"))(
    "one of its errors is $code: $message",
    ({ code, message, httpStatus }) => {
      if (ELSEWHERE.test(message)) return;
      expect(EXPECTED).toContainEqual({ code, message, httpStatus });
    },
  );
});
