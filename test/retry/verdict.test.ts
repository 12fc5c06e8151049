import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Failure, Verdict } from "../../src/model/failure.js";
import type { Finding, KeyRefusal } from "../../src/model/findings.js";
import { confirmFindings, judge, type Situation, situationOf } from "../../src/retry/verdict.js";
import { WIRE_ERRORS } from "../../src/testing/sts/wire-error.js";
import { readSharedJson } from "../support/shared-data.js";

const KEY =
  "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements";

const response = (code: string | undefined, message = "", httpStatus = 400): Failure => ({
  kind: "response",
  code,
  message,
  httpStatus,
});
const finding = (id: Finding["id"], severity: Finding["severity"] = "fatal"): Finding => ({
  ...{ id, severity, title: "", detail: "", remedy: "", evidence: {} },
});

describe("a response's code decides, with and without `Exception`", () => {
  const codes: readonly (readonly [string, Verdict])[] = [
    ["Throttling", "throttled"],
    ["ThrottledException", "throttled"],
    ["RequestThrottled", "throttled"],
    ["TooManyRequests", "throttled"],
    ["RequestLimitExceeded", "throttled"],
    ["SlowDown", "throttled"],
    ["IDPCommunicationError", "idp-unreachable"],
    ["IDPRejectedClaim", "token-rejected"],
    ["ExpiredToken", "token-expired"],
    ["RegionDisabled", "region-disabled"],
    ["AccessDenied", "access-denied"],
    ["UnauthorizedOperation", "access-denied"],
    ["Forbidden", "access-denied"],
    ["InternalFailure", "sts-unavailable"],
    ["InternalError", "sts-unavailable"],
    ["InternalServerError", "sts-unavailable"],
    ["ServiceUnavailable", "sts-unavailable"],
    ["RequestTimeout", "sts-unavailable"],
    ["ValidationError", "request-invalid"],
    ["MalformedPolicyDocument", "request-invalid"],
    ["PackedPolicyTooLarge", "request-invalid"],
    ["InvalidParameterValue", "request-invalid"],
    ["MissingParameter", "request-invalid"],
    ["InvalidAction", "request-invalid"],
  ];
  test.each(codes)("%s means %s", (code, verdict) => {
    for (const status of [400, 403]) {
      expect(judge(response(code, "words", status))).toBe(verdict);
      expect(judge(response(`${code}Exception`, "words", status))).toBe(verdict);
      expect(judge(response(code.toLowerCase(), "words", status))).toBe(verdict);
    }
  });

  test("and both spellings of InvalidIdentityToken are judged by their message", () => {
    for (const code of ["InvalidIdentityToken", "InvalidIdentityTokenException"]) {
      expect(judge(response(code, KEY))).toBe("idp-unreachable");
      expect(judge(response(code, "Incorrect token audience"))).toBe("token-rejected");
      expect(judge(response(code, "words that no rule matches"))).toBe("unknown");
    }
  });
});

describe("InvalidIdentityToken is judged by the subject of its message", () => {
  test.each<[string, Verdict]>([
    [KEY, "idp-unreachable"],
    [KEY.replace("  ", " "), "idp-unreachable"],
    [KEY.toUpperCase(), "idp-unreachable"],
    ["Could not retrieve the verification\n key", "idp-unreachable"],
    ["Unable to reach the identity provider", "idp-unreachable"],
    ["Couldn’t fetch the JWKS", "idp-unreachable"],
    ["Failed to download https://idp/keys", "idp-unreachable"],
    ["The request to your identity provider timed out", "idp-unreachable"],
    ["Identity provider unreachable", "idp-unreachable"],
    ["Could not connect: the certificate has expired", "idp-unreachable"],
    ["Token issued in the future: 1789127298", "token-early"],
    ["Token not yet valid: current date/time 1 must be after 2", "token-early"],
    ["Token expired: current date/time 2 must be before 1", "token-expired"],
    ["The web identity token has expired", "token-expired"],
    ["Missing a required claim: exp", "token-rejected"],
    ["Invalid timestamp in token claims.", "token-rejected"],
    ["The signature of the token is wrong", "token-rejected"],
    [
      "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint",
      "token-rejected",
    ],
    ["OpenIDConnect provider's HTTPS certificate has expired", "token-rejected"],
    ["No OpenIDConnect provider found in your account for https://x", "token-rejected"],
    ["", "unknown"],
    ["Something else entirely", "unknown"],
  ])("%j means %s", (message, verdict) => {
    expect(judge(response("InvalidIdentityToken", message))).toBe(verdict);
  });

  test("and no word in an issuer's URL changes that", () => {
    for (const word of ["expired", "not-before", "timeout", "unreachable", "verification key"]) {
      const message = `No OpenIDConnect provider found in your account for https://${word}.example`;
      expect(judge(response("InvalidIdentityToken", message)), word).toBe("token-rejected");
    }
  });
});

describe("a response without a code is judged by its status", () => {
  test.each<[number, Verdict]>([
    [401, "sts-blocked"],
    [403, "sts-blocked"],
    [408, "sts-unavailable"],
    [429, "throttled"],
    [400, "sts-blocked"],
    [404, "sts-blocked"],
    [407, "sts-blocked"],
    [302, "sts-blocked"],
    [500, "sts-unavailable"],
    [502, "sts-unavailable"],
    [503, "sts-unavailable"],
    [599, "sts-unavailable"],
  ])("%d means %s", (status, verdict) => {
    expect(judge(response(undefined, "", status))).toBe(verdict);
  });

  test("and one with an unknown code is judged by a 5xx status, but not by a 403", () => {
    expect(judge(response("Strange", "", 503))).toBe("sts-unavailable");
    expect(judge(response("Strange", "", 403))).toBe("unknown");
    expect(judge({ kind: "response", code: "Strange", message: "" })).toBe("unknown");
  });

  test("and one with AWS's request ID but no code is from another service", () => {
    for (const status of [400, 403, 404, 405]) {
      const failure = { ...response(undefined, "", status), requestId: "ABC" };
      expect([situationOf(failure), judge(failure)]).toEqual(["other-aws-server", "sts-blocked"]);
    }
    expect(judge({ ...response(undefined, "", 503), requestId: "ABC" })).toBe("sts-unavailable");
  });

  test("status 429 means throttled, with every code", () => {
    expect(judge(response("ValidationError", "", 429))).toBe("throttled");
    expect(judge(response("InvalidIdentityToken", KEY, 429))).toBe("throttled");
  });

  test("a permanent fault with status 500 is not retried until the budget ends", () => {
    const message = "Unknown error validating third-party token";
    expect(judge(response("InternalFailure", message, 500))).toBe("unknown");
  });
});

describe("a failure in this process", () => {
  test.each<[Failure["kind"], Verdict]>([
    ["request", "request-invalid"],
    ["preflight", "idp-unreachable"],
    ["network", "sts-unavailable"],
    ["timeout", "sts-unavailable"],
    ["bad-response", "sts-unavailable"],
    ["local", "unknown"],
  ])("of the kind %s is %s", (kind, verdict) => {
    expect(judge({ kind, message: KEY })).toBe(verdict);
  });

  test.each<[Verdict, Finding[]]>([
    ["token-unavailable", [finding("token-unreadable")]],
    ["token-unavailable", []],
    ["token-expired", [finding("token-expired")]],
    ["token-expired", [finding("token-audience-unexpected", "advice"), finding("token-expired")]],
    ["token-early", [finding("token-not-yet-valid")]],
    ["token-invalid", [finding("token-malformed")]],
    ["token-invalid", [finding("token-claim-missing"), finding("token-expired")]],
    ["token-invalid", [finding("token-not-yet-valid"), finding("token-claim-invalid")]],
  ])("of the token is %s for %j", (verdict, findings) => {
    expect(judge({ kind: "token", message: "", findings })).toBe(verdict);
  });
});

describe("a call without a response is described by its code, or by the words of other runtimes", () => {
  test.each<[code: string | undefined, message: string, Situation]>([
    ["EPROTO", "", "tls-handshake"],
    ["ERR_SSL_WRONG_VERSION_NUMBER", "", "tls-handshake"],
    ["EPROTOTYPE", "", "unreachable"],
    ["NOT_ERR_SSL", "", "unreachable"],
    [undefined, "certificate has expired", "certificate-dates"],
    [undefined, "the certificate is not yet valid", "certificate-dates"],
    [undefined, "net::ERR_CERT_DATE_INVALID", "certificate-dates"],
    [undefined, "the host does not match certificate's altnames", "certificate-name"],
    [undefined, "net::ERR_CERT_COMMON_NAME_INVALID", "certificate-name"],
    [undefined, "invalid peer certificate: UnknownIssuer", "certificate-untrusted"],
    [undefined, "unknown issuer", "certificate-untrusted"],
    [undefined, "timeout of 5000ms exceeded", "timeout"],
    [undefined, "timeout of unknown length", "unreachable"],
    [undefined, "", "unreachable"],
  ])("%s %s means %s", (code, message, situation) => {
    expect(situationOf({ kind: "network", code, message })).toBe(situation);
  });

  test("and a timeout is one without a code", () => {
    expect(situationOf({ kind: "timeout", message: "" })).toBe("timeout");
  });

  test.each<[code: string | undefined, Situation]>([
    ["PROXY_STATUS_407", "proxy-credentials"],
    ["PROXY_STATUS_408", "proxy-failed"],
    ["PROXY_STATUS_429", "proxy-failed"],
    ["PROXY_STATUS_403", "proxy-refused"],
    ["PROXY_407_STATUS_502", "proxy-failed"],
    [undefined, "proxy-failed"],
  ])("the proxy's %s means %s", (code, situation) => {
    expect(situationOf({ kind: "proxy", code, message: "" })).toBe(situation);
  });
});

describe("a response", () => {
  test("with an empty code is one without a code", () => {
    expect(situationOf(response("", "", 403))).toBe("other-server-refused");
    expect(situationOf(response(undefined, "", 403))).toBe("other-server-refused");
  });

  test("whose message only mentions a rate is not throttling", () => {
    expect(situationOf(response("Odd", "Rate exceeded"))).toBe("throttled");
    expect(situationOf(response("Odd", "no rate exceeded the limit"))).toBe("unrecognized");
  });

  test("whose code only ends like InvalidIdentityToken is not judged by its message", () => {
    expect(situationOf(response("NotInvalidIdentityToken", KEY))).toBe("unrecognized");
  });
});

test("every failure has one verdict, which is always the same", () => {
  const failures: fc.Arbitrary<Failure> = fc.record(
    {
      kind: fc.constantFrom(
        "token",
        "request",
        "response",
        "bad-response",
        "network",
        "timeout",
        "local",
      ),
      message: fc.oneof(fc.string(), fc.constantFrom(KEY, "Rate exceeded", "expired")),
      code: fc.oneof(fc.string(), fc.constantFrom("InvalidIdentityToken", "AccessDenied")),
      httpStatus: fc.oneof(fc.integer({ min: 100, max: 599 }), fc.double()),
      findings: fc.array(fc.constantFrom(finding("token-expired"), finding("token-malformed"))),
    },
    { requiredKeys: ["kind", "message"] },
  );
  fc.assert(
    fc.property(failures, (failure) => {
      Object.freeze(failure);
      expect(judge(failure)).toMatch(/^[a-z]+(-[a-z]+)*$/);
      expect(judge({ ...failure })).toBe(judge(failure));
    }),
    { numRuns: 500 },
  );
});

/** Every wording that was seen, in the order of the file, by its beginning. */
const SEEN: readonly (readonly [beginning: string, Verdict | "not from STS"])[] = [
  ["Couldn't retrieve verification key", "idp-unreachable"],
  ["The web identity token provided could not be validated", "token-rejected"],
  ["Incorrect token audience", "token-rejected"],
  ["No OpenIDConnect provider found", "token-rejected"],
  ["Missing a required claim", "token-rejected"],
  ["The ID Token provided is not a valid JWT", "token-rejected"],
  ["Token audience contains more than one audience", "token-rejected"],
  ["Token issued in the future", "token-early"],
  ["Token not yet valid", "token-early"],
  ["Invalid timestamp in token claims", "token-rejected"],
  ["Provided Token is not a Login With Amazon token", "token-rejected"],
  ["Token expired", "token-expired"],
  ["graph.facebook.com", "token-rejected"],
  ["(no verbatim wild message found", "idp-unreachable"],
  ["Not authorized to perform sts:AssumeRoleWithWebIdentity", "access-denied"],
  ["Request ARN is invalid", "request-invalid"],
  ["1 validation error detected", "request-invalid"],
  ["nothing-valid-in-here is invalid", "request-invalid"],
  ["Rate exceeded", "throttled"],
  ["STS is not activated in this region", "region-disabled"],
  ["Unknown error validating third-party token", "unknown"],
  ["(model) The request was rejected", "request-invalid"],
  ["Could not connect to openid configuration", "not from STS"],
  ["Web identity configuration not specified", "not from STS"],
  ["Invalid response from STS", "not from STS"],
  ["Unknown", "not from STS"],
];

interface SeenError {
  readonly code: string;
  readonly message: string;
  readonly httpStatus?: number;
}

const seen = readSharedJson("sts-errors.json", "the verdicts of what STS was seen to say") as
  | SeenError[]
  | undefined;

describe.runIf(seen !== undefined)("what STS was observed to return", () => {
  test.each(seen ?? [])("has its verdict: $code: $message", ({ code, message, httpStatus }) => {
    const verdict = SEEN.find(([beginning]) => message.startsWith(beginning))?.[1];
    expect(verdict).toBeDefined();
    if (verdict !== "not from STS") {
      expect(judge({ kind: "response", code, message, httpStatus })).toBe(verdict);
    }
  });
});

describe("a finding that rests on one report", () => {
  const suspicion = (refusal?: KeyRefusal): Finding => ({
    id: "jwks-byte-order-mark",
    severity: "suspect",
    title: "",
    detail: "",
    remedy: "",
    evidence: {},
    ...(refusal && { confirmedBy: refusal }),
  });
  const severities = (failure: Failure, ...refusals: (KeyRefusal | undefined)[]) =>
    confirmFindings(refusals.map(suspicion), failure).map(({ severity }) => severity);
  const responseOf = (facts: Partial<Failure>): Failure => ({
    kind: "response",
    message: "",
    ...facts,
  });

  test.each([
    ["verification-key", WIRE_ERRORS.verificationKey],
    ["not-validated", WIRE_ERRORS.notValidated],
  ] as const)(
    "is certain when STS refuses the token in the words of %s, and no other finding is",
    (...row) => {
      const [refusal, said] = row;
      const other = refusal === "not-validated" ? "verification-key" : "not-validated";
      expect(severities(responseOf(said), refusal, other, undefined)).toEqual([
        "fatal",
        "suspect",
        "suspect",
      ]);
      const [certain] = confirmFindings([suspicion(refusal)], responseOf(said));
      expect(certain).not.toHaveProperty("confirmedBy");
    },
  );

  test("stays a suspicion after any other response, and after none", () => {
    const { message, code } = WIRE_ERRORS.verificationKey;
    const failures: Failure[] = [
      responseOf(WIRE_ERRORS.providerNotFound("https://issuer.invalid")),
      responseOf({ code: "InvalidIdentityToken", message: "Incorrect token audience" }),
      responseOf({ code: "IDPCommunicationError", message }),
      responseOf({ message }),
      responseOf({ code: "NotInvalidIdentityToken", message }),
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

  test("without words of its own is never made certain", () => {
    expect(severities(responseOf({ code: "Odd" }), undefined)).toEqual(["suspect"]);
  });

  test("is also confirmed by the name that the SDK gives the error", () => {
    const { message } = WIRE_ERRORS.verificationKey;
    const code = "InvalidIdentityTokenException";
    expect(severities(responseOf({ code, message }), "verification-key")).toEqual(["fatal"]);
  });
});
