import { describe, expect, it } from "vitest";
import { answerFinding } from "../../src/doctor/conclude-answer.js";
import type { Failure } from "../../src/failure.js";

describe("the answer of STS is read by its words", () => {
  const refusal = (message: string, code = "InvalidIdentityToken", httpStatus = 400): Failure => {
    return { kind: "answer", code, message, httpStatus, requestId: "r-1", region: "eu-west-1" };
  };

  it.each<[string, Failure]>([
    [
      "sts-provider-missing",
      refusal("No OpenIDConnect provider found in your account for https://certificate.invalid"),
    ],
    [
      "sts-thumbprint",
      refusal("OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint"),
    ],
    ["sts-audience-refused", refusal("Incorrect token audience")],
    ["sts-audience-refused", refusal("The web identity token provided could not be validated.")],
    [
      "sts-verification-key",
      refusal("Couldn't retrieve verification key from your identity provider,  please"),
    ],
    ["sts-token-early", refusal("Token issued in the future: 1800000000")],
    ["sts-token-expired", refusal("Token expired", "ExpiredTokenException")],
    ["sts-throttled", refusal("Rate exceeded", "Throttling")],
    ["sts-unavailable", refusal("", "InternalFailure", 500)],
    ["sts-unknown", refusal("Unknown error validating third-party token", "InternalFailure", 500)],
    ["sts-unknown", refusal("Nobody has seen this")],
    ["sts-tls-untrusted", { kind: "network", code: "CERT_HAS_EXPIRED", message: "expired" }],
    ["sts-unreachable", { kind: "network", code: "ECONNREFUSED", message: "refused" }],
    ["sts-timeout", { kind: "timeout", code: "TimeoutError", message: "late" }],
  ])("%s", (id, failure) => {
    const finding = answerFinding(failure);
    expect(finding.id).toBe(id);
    expect(finding.detail).toContain(failure.message);
  });

  it("and told with what AWS Support asks for", () => {
    expect(answerFinding(refusal("Incorrect token audience")).detail).toBe(
      "STS in eu-west-1 said (HTTP 400): InvalidIdentityToken: Incorrect token audience, request id r-1",
    );
  });
});
