import { describe, expect, test } from "vitest";
import { conclude } from "../../src/doctor/conclude.js";
import { answerFinding } from "../../src/doctor/conclude-sts.js";
import type { Diagnosis, Facts, TokenReport } from "../../src/doctor/diagnosis.js";
import type { Failure } from "../../src/model/failure.js";
import type { Finding } from "../../src/model/findings.js";

describe("an answer of STS is classified by its words", () => {
  const refusal = (message: string, code = "InvalidIdentityToken", httpStatus = 400): Failure => {
    return { kind: "answer", code, message, httpStatus, requestId: "r-1", region: "eu-west-1" };
  };

  test.each<[string, Failure]>([
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
    ["sts-unknown", refusal("An error of an unknown kind")],
    ["sts-tls-untrusted", { kind: "network", code: "CERT_HAS_EXPIRED", message: "expired" }],
    ["sts-unreachable", { kind: "network", code: "ECONNREFUSED", message: "refused" }],
    ["sts-timeout", { kind: "timeout", code: "TimeoutError", message: "late" }],
  ])("as %s", (id, failure) => {
    const finding = answerFinding(failure);
    expect(finding.id).toBe(id);
    expect(finding.detail).toContain(failure.message);
  });

  test("and its detail has the region, the status and the request id", () => {
    expect(answerFinding(refusal("Incorrect token audience")).detail).toBe(
      "STS in eu-west-1 said (HTTP 400): InvalidIdentityToken: Incorrect token audience (request id r-1)",
    );
  });

  test("and a message that is not STS's is not quoted as STS's", () => {
    const failure: Failure = { kind: "answer", message: "HTTP 502 with a page", httpStatus: 502 };
    expect(answerFinding(failure).detail).toBe("The call to STS failed: HTTP 502 with a page");
  });
});

describe("a refusal of the role", () => {
  const failure: Failure = { kind: "answer", code: "AccessDenied", message: "No", httpStatus: 403 };
  const ROLE = "arn:aws:iam::123456789012:role/app";

  function detailOf(token: Partial<TokenReport>, refused: Partial<Failure> = {}): string {
    return diagnosisOf(token, refused).rootCause?.detail ?? "";
  }

  function diagnosisOf(
    token: Partial<TokenReport>,
    refused: Partial<Failure>,
    issuer: readonly Finding[] = [],
  ): Diagnosis {
    const facts: Facts = {
      startedAt: "2026-01-02T03:04:05.000Z",
      elapsedMs: 1,
      unfinished: [],
      settings: [{ name: "roleArn", value: ROLE, source: "option" }],
      token: { source: "the token given", issuer: "https://id.example/a", ...token },
      sts: [],
    };
    const gathered = { facts, timings: [], token: [], request: [], issuer };
    return conclude({ ...gathered, failure: { ...failure, ...refused } });
  }

  test("is explained in the terms of the trust policy", () => {
    const detail = detailOf({ audience: "sts.amazonaws.com", subject: "repo:acme/app" });
    expect(detail).toContain(
      `No. The token has id.example/a:aud "sts.amazonaws.com" and id.example/a:sub "repo:acme/app". The role is ${ROLE}.`,
    );
  });

  test("names the authorized party as the audience if the token has one, because STS compares it", () => {
    const detail = detailOf({ audience: ["a", "b"], azp: "client" });
    expect(detail).toContain('The token has id.example/a:aud "client". The role');
  });

  test("names the audience if it is not registered", () => {
    const refused = { code: "InvalidIdentityToken", message: "Incorrect token audience" };
    const detail = detailOf({ audience: "mine", subject: "me" }, refused);
    expect(detail).toContain('The token has id.example/a:aud "mine". The role');
  });

  test("names no claims if another finding explains the answer", () => {
    const refused = { code: "InvalidIdentityToken", message: "Incorrect token audience" };
    const texts = { title: "", detail: "", remedy: "", evidence: {} };
    const forged: Finding = { id: "signature-invalid", severity: "fatal", ...texts };
    const { findings } = diagnosisOf({ audience: "mine" }, refused, [forged]);
    expect(findings.map(({ id }) => id)).toEqual(["signature-invalid", "sts-audience-refused"]);
    expect(findings[1]?.detail).not.toContain("mine");
  });

  test("of another kind names no claims", () => {
    const refused = { code: "Throttling", message: "Rate exceeded", httpStatus: 400 };
    expect(detailOf({ audience: "mine" }, refused)).not.toContain("mine");
  });
});

test("a key that STS can't get, and this machine can, comes with commands for another network", () => {
  const url = "https://id.example/.well-known/openid-configuration";
  const known = { addresses: [], requests: [], latency: [] };
  const facts: Facts = {
    startedAt: "2026-01-02T03:04:05.000Z",
    elapsedMs: 1,
    unfinished: [],
    settings: [],
    issuer: { issuer: "https://id.example", discoveryUrl: url, ...known },
    sts: [],
  };
  const message = "Couldn't retrieve verification key from your identity provider,  please";
  const failure: Failure = {
    kind: "answer",
    code: "InvalidIdentityToken",
    message,
    httpStatus: 400,
  };
  const gathered = { facts, timings: [], token: [], request: [], issuer: [], failure };
  const { rootCause, findings } = conclude(gathered);
  expect(rootCause?.id).toBe("sts-verification-key");
  expect(rootCause?.remedy.split("\n").slice(1)).toEqual([
    expect.stringContaining(`--url '${url}'`),
    "npx resilient-sts doctor --issuer 'https://id.example'",
  ]);
  expect(findings).toEqual([rootCause]);
});
