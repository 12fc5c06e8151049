import { describe, expect, test } from "vitest";
import { callFinding } from "../../src/doctor/conclude-sts.js";
import type { Failure, Verdict } from "../../src/model/failure.js";
import type { FindingId, Severity } from "../../src/model/findings.js";
import type { TokenFacts } from "../../src/model/jwt.js";
import { AttemptsFailed, explain } from "../../src/retry/retry-loop.js";
import { sentenceFor } from "../../src/retry/sentences.js";
import { judge } from "../../src/retry/verdict.js";
import { CERTIFICATE_FAULTS } from "../../src/runtime/system-errors.js";

const IAM = /IAM|trust policy|OIDC provider/;
const said = (code: string | undefined, message = "words", httpStatus = 400): Failure => ({
  ...{ kind: "response", code, message, httpStatus },
});
const token = (message: string) => said("InvalidIdentityToken", message);
const network = (code: string, message = "words"): Failure => ({ kind: "network", code, message });
const proxy = (status: number): Failure => ({
  ...{ kind: "proxy", code: `PROXY_STATUS_${status}`, message: `Bad response: ${status}` },
});

/** What a person reads at 3 a.m., by what happened: the id, the weight, and what must be in it. */
const TABLE: readonly (readonly [Failure, FindingId, Severity, Verdict, RegExp, RegExp])[] = [
  [
    { kind: "bad-response", code: "ResponseTooLong", message: "longer", httpStatus: 403 },
    ...(["sts-unavailable", "suspect", "sts-unavailable"] as const),
    /longer than any response of STS/,
    /^Network: find the proxy/,
  ],
  [
    token("Couldn't retrieve verification key from your identity provider,  please"),
    ...(["sts-verification-key", "suspect", "idp-unreachable"] as const),
    /could not get the verification key/,
    /^IdP and network: .*openid-configuration.*jwks_uri.*5 s/,
  ],
  [
    said("IDPCommunicationError"),
    ...(["sts-verification-key", "suspect", "idp-unreachable"] as const),
    /could not get the verification key/,
    /^IdP and network: /,
  ],
  [
    token("No OpenIDConnect provider found in your account for https://timeout.example"),
    ...(["sts-provider-missing", "fatal", "token-rejected"] as const),
    /no IAM OIDC provider/,
    /^AWS account: create .*`iss`.*trailing slash/,
  ],
  [
    token("OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint"),
    ...(["sts-thumbprint", "fatal", "token-rejected"] as const),
    /thumbprints/,
    /^AWS account: set the thumbprint.*IdP: /,
  ],
  [
    token("Incorrect token audience"),
    ...(["sts-audience-refused", "fatal", "token-rejected"] as const),
    /audience is not registered/,
    /^AWS account: add .*audience.*Workload: /,
  ],
  [
    token("The web identity token provided could not be validated. See the documentation"),
    ...(["sts-audience-refused", "fatal", "token-rejected"] as const),
    /audience is not registered/,
    /^AWS account: add .*audience/,
  ],
  [
    token("Token audience contains more than one audience while authorized party is not present"),
    ...(["sts-audience-refused", "fatal", "token-rejected"] as const),
    /several audiences and no azp/,
    /^Workload: request a token with one audience/,
  ],
  [
    token("Missing a required claim: aud"),
    ...(["sts-token-refused", "fatal", "token-rejected"] as const),
    /form, its claims or its signature/,
    /^Workload: .*not an access token.*IdP: .*aud/,
  ],
  [
    token("Invalid timestamp in token claims."),
    ...(["sts-token-refused", "fatal", "token-rejected"] as const),
    /form, its claims/,
    /whole seconds/,
  ],
  [
    token("The ID Token provided is not a valid JWT. (You may see this error if you sent an …)"),
    ...(["sts-token-refused", "fatal", "token-rejected"] as const),
    /form, its claims/,
    /not an access token/,
  ],
  [
    token("Provided Token is not a Login With Amazon token"),
    ...(["sts-token-refused", "fatal", "token-rejected"] as const),
    /not treat the token as an OIDC token/,
    /^Workload: leave out `providerId`/,
  ],
  [
    said("IDPRejectedClaim", "words", 403),
    ...(["sts-token-refused", "fatal", "token-rejected"] as const),
    /identity provider reported to STS/,
    /^Workload: sign in again/,
  ],
  [
    token("Token expired: current date/time 1 must be before"),
    ...(["sts-token-expired", "fatal", "token-expired"] as const),
    /^The token has expired$/,
    /^Workload: get a new token.*clock/,
  ],
  [
    token("Token issued in the future: 1789127298"),
    ...(["sts-token-early", "fatal", "token-early"] as const),
    /not valid yet/,
    /^IdP: correct the clock/,
  ],
  [
    token("Something else"),
    ...(["sts-unknown", "fatal", "unknown"] as const),
    /unrecognized message/,
    /^AWS account: compare .*request ID/,
  ],
  [
    said("InternalFailure", "Unknown error validating third-party token", 500),
    ...(["sts-unknown", "fatal", "unknown"] as const),
    /failed to read the token's claims/,
    /^IdP: issue `sub` as a string/,
  ],
  [
    said("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403),
    ...(["sts-access-denied", "fatal", "access-denied"] as const),
    /role can't be assumed/,
    /^AWS account: .*trust policy.*12 s.*retryAccessDenied/,
  ],
  [
    said("RegionDisabledException", "words", 403),
    ...(["sts-region-disabled", "fatal", "region-disabled"] as const),
    /not active in this region/,
    /^AWS account: activate STS/,
  ],
  [
    said("ValidationError", "Request ARN is invalid"),
    ...(["sts-request-invalid", "fatal", "request-invalid"] as const),
    /does not accept a parameter/,
    /^Workload: correct the parameter/,
  ],
  [
    said("Throttling", "Rate exceeded"),
    ...(["sts-throttled", "suspect", "throttled"] as const),
    /throttles/,
    /^Workload: share one provider/,
  ],
  [
    said("ServiceUnavailable", "words", 503),
    ...(["sts-unavailable", "suspect", "sts-unavailable"] as const),
    /^STS failed with an internal error$/,
    /^Workload: retry later.*failoverRegions/,
  ],
  [
    said(undefined, "HTTP 502 with a body", 502),
    ...(["sts-unavailable", "suspect", "sts-unavailable"] as const),
    /^A proxy or another server responded in place of STS$/,
    /^Network: find the proxy/,
  ],
  [
    said(undefined, "HTTP 403 with a body", 403),
    ...(["sts-unavailable", "fatal", "sts-blocked"] as const),
    /^A proxy or another server refused the request/,
    /^Network: find the proxy/,
  ],
  [
    { ...said(undefined, "HTTP 403 with a body", 403), requestId: "ABC" },
    ...(["sts-unavailable", "fatal", "sts-blocked"] as const),
    /^Another AWS service responded in place of STS$/,
    /^Workload: correct the endpoint.*AWS_ENDPOINT_URL.*S3 or API Gateway.*VPC endpoint/,
  ],
  [
    said("InvalidAction", "Could not find operation AssumeRoleWithWebIdentity"),
    ...(["sts-request-invalid", "fatal", "request-invalid"] as const),
    /does not offer AssumeRoleWithWebIdentity/,
    /^Workload: correct the endpoint/,
  ],
  [
    said("HTTP_STATUS_403", "Request failed with status code 403", 403),
    ...(["sts-unknown", "fatal", "unknown"] as const),
    /request handler threw an error for the response's status/,
    /^Workload: .*validateStatus.*throwHttpErrors/,
  ],
  [
    { kind: "proxy", code: "PROXY_FAILED", message: "Proxy timeout" },
    ...(["sts-unreachable", "suspect", "sts-unavailable"] as const),
    /proxy in front of STS could not connect/,
    /^Network: check that the proxy can/,
  ],
  [
    said(undefined, "HTTP 302 with a body", 302),
    ...(["sts-unavailable", "fatal", "sts-blocked"] as const),
    /^A proxy or another server refused the request/,
    /^Network: find the proxy/,
  ],
  [
    said(undefined, "HTTP 407 with a body", 407),
    ...(["sts-unreachable", "fatal", "sts-blocked"] as const),
    /proxy in front of STS requires credentials/,
    /^Workload: .*credentials for the proxy/,
  ],
  [
    { kind: "bad-response", message: "a success", httpStatus: 200 },
    ...(["sts-unavailable", "suspect", "sts-unavailable"] as const),
    /success without credentials/,
    /^Network: find the proxy/,
  ],
  [
    proxy(403),
    ...(["sts-unreachable", "fatal", "sts-blocked"] as const),
    /proxy in front of STS refused the connection/,
    /^Network: allow CONNECT/,
  ],
  [
    proxy(407),
    ...(["sts-unreachable", "fatal", "sts-blocked"] as const),
    /proxy in front of STS requires credentials/,
    /^Workload: .*credentials for the proxy/,
  ],
  [
    proxy(502),
    ...(["sts-unreachable", "suspect", "sts-unavailable"] as const),
    /proxy in front of STS could not connect/,
    /^Network: check that the proxy can/,
  ],
  [
    network("ENOTFOUND"),
    ...(["sts-unreachable", "fatal", "sts-unavailable"] as const),
    /can't be reached from this machine/,
    /^Network: .*DNS.*firewall.*Workload: /,
  ],
  [
    network("UND_ERR_CONNECT_TIMEOUT"),
    ...(["sts-timeout", "fatal", "sts-unavailable"] as const),
    /did not respond in time/,
    /^Network: .*firewall/,
  ],
  [
    { kind: "timeout", code: "TimeoutError", message: "late" },
    ...(["sts-timeout", "fatal", "sts-unavailable"] as const),
    /did not respond in time/,
    /^Network: .*firewall/,
  ],
  [
    network("ERR_SSL_WRONG_VERSION_NUMBER"),
    ...(["sts-tls-untrusted", "fatal", "sts-unavailable"] as const),
    /TLS handshake .* failed/,
    /^Network: make sure that no proxy/,
  ],
  [
    network("SELF_SIGNED_CERT_IN_CHAIN"),
    ...(["sts-tls-untrusted", "fatal", "sts-blocked"] as const),
    /does not trust the TLS certificate that the STS endpoint presents/,
    /NODE_EXTRA_CA_CERTS.*`requestHandler`.*`ca`/,
  ],
  [
    network("Error", "self signed certificate in certificate chain"),
    ...(["sts-tls-untrusted", "fatal", "sts-blocked"] as const),
    /does not trust the TLS certificate/,
    /NODE_EXTRA_CA_CERTS/,
  ],
  [
    network("CERT_HAS_EXPIRED"),
    ...(["sts-tls-untrusted", "fatal", "sts-blocked"] as const),
    /not valid at this time/,
    /clock.*renew its certificate/,
  ],
  [
    network("ERR_TLS_CERT_ALTNAME_INVALID"),
    ...(["sts-tls-untrusted", "fatal", "sts-blocked"] as const),
    /for another host name/,
    /^Network: find out which server responds/,
  ],
  [
    { kind: "local", code: "RangeError", message: "Rate exceeded" },
    ...(["sts-unknown", "fatal", "unknown"] as const),
    /^Code in this process threw/,
    /^Workload: read the error's `cause`/,
  ],
  [
    said("Strange", "words", 418),
    ...(["sts-unknown", "fatal", "unknown"] as const),
    /^STS returned an unrecognized error$/,
    /^Workload: read the message/,
  ],
];

/** The error that a provider throws for the failure. */
function errorFor(failure: Failure, facts: TokenFacts = {}) {
  const outcome = new AttemptsFailed({
    verdict: judge(failure),
    failure,
    attempts: [],
    elapsedMs: 0,
  });
  return explain(outcome, { roleArn: "arn:aws:iam::123456789012:role/app", token: facts });
}

describe("the sentence about a failure", () => {
  test.each(TABLE)(
    "of %j is %s, %s, with the verdict %s",
    (failure, id, severity, verdict, what, who) => {
      const sentence = sentenceFor(failure);
      expect(sentence).toMatchObject({ id, severity });
      expect(sentence.what).toMatch(what);
      expect(sentence.remedy).toMatch(who);
      expect(judge(failure)).toBe(verdict);
    },
  );

  test.each(TABLE)("of %j is the same in the provider and in the doctor", (failure) => {
    const { title, remedy } = callFinding(failure);
    const error = errorFor(failure);
    expect(error.message.startsWith(`${title.replace(/\.$/, "")}: `)).toBe(true);
    expect(error.hint).toBe(remedy);
  });

  test.each(TABLE)("of %j names who must act, in whole sentences", (failure) => {
    const { what, remedy } = sentenceFor(failure);
    expect(what).toMatch(/^[A-Z][^.]+$/);
    expect(remedy).toMatch(/^(Workload|IdP|AWS account|Network|IdP and network): .*\.$/);
    expect(`${what} ${remedy}`).not.toMatch(/nobody|somebody|whoever|undefined|took|take for/i);
  });

  test("never blames IAM for a response that is not from STS", () => {
    for (const status of [301, 302, 400, 401, 403, 404, 407, 418, 451, 500, 502, 503]) {
      for (const failure of [said(undefined, "a page", status), proxy(status)]) {
        const { hint, code } = errorFor(failure, { azp: "a", hasSessionTags: true });
        expect([code, hint], JSON.stringify(failure)).toEqual([
          "ERR_STS_UNAVAILABLE",
          expect.not.stringMatching(IAM),
        ]);
      }
    }
  });

  test("of every fault of a certificate names the certificate, and the fault has few retries", () => {
    for (const code of Object.keys(CERTIFICATE_FAULTS)) {
      expect(judge(network(code)), code).toBe("sts-blocked");
      expect(callFinding(network(code)), code).toMatchObject({
        id: "sts-tls-untrusted",
        title: expect.stringContaining("certificate"),
      });
    }
  });
});

describe("a refused audience", () => {
  const refused = token("Incorrect token audience");

  test.each([refused, token("The web identity token provided could not be validated.")])(
    "names the azp, which decides if there is one: %j",
    (failure) => {
      const facts = { audience: "registered", azp: "0b07f429-9f4b-4714-9392-cc5e8e80c8b0" };
      const { message, hint } = errorFor(failure, facts);
      expect(message).toContain("most often its azp is not registered");
      expect(message).toContain(", audience registered, azp 0b07f429-9f4b-4714-9392-cc5e8e80c8b0,");
      expect(hint).toContain('azp "0b07f429-9f4b-4714-9392-cc5e8e80c8b0"');
      expect(hint).toContain("STS compares azp with them, and not aud");
      expect(callFinding(failure, facts).remedy).toBe(hint);
    },
  );

  test.each([
    "https://kubernetes.default.svc",
    "https://kubernetes.default.svc.cluster.local",
    ["https://kubernetes.default.svc.cluster.local", "https://kubernetes.default"],
  ])("of the Kubernetes API is reported as the pod's own token: %j", (audience) => {
    const { message, hint } = errorFor(refused, { audience });
    expect(message).toMatch(/^The token is the pod's own token for the Kubernetes API: /);
    expect(hint).toMatch(/^Workload: mount the projected .* audience sts\.amazonaws\.com/);
  });

  test.each(["sts.amazonaws.com", "https://kubernetes.default.example.com/x", []])(
    "is an audience like any other: %j",
    (audience) => {
      expect(errorFor(refused, { audience }).message).toContain("most often its audience");
    },
  );
});

describe("a denied role", () => {
  const denied = said("AccessDenied", "Not authorized", 403);
  const hint = (facts: TokenFacts) => errorFor(denied, facts).hint;

  test("names the action that the token's session tags or source identity require", () => {
    expect(hint({ hasSessionTags: true })).toContain("must also allow sts:TagSession");
    expect(hint({ hasSourceIdentity: true })).toContain("must also allow sts:SetSourceIdentity");
    expect(hint({ hasSessionTags: true, hasSourceIdentity: true })).toMatch(
      /sts:TagSession.*sts:SetSourceIdentity/,
    );
    expect(hint({})).not.toMatch(/TagSession|SetSourceIdentity|azp/);
  });

  test("names the azp that the trust policy's aud is compared with", () => {
    expect(hint({ azp: "client" })).toContain('azp "client"');
  });
});
