import { describe, expect, test } from "vitest";
import { conclude } from "../../src/doctor/conclude.js";
import { brokenEndpoint, callFinding, weakenCutOff } from "../../src/doctor/conclude-sts.js";
import { diagnose } from "../../src/doctor/diagnose.js";
import type { Diagnosis, EndpointFacts, TokenReport } from "../../src/doctor/diagnosis.js";
import type { Failure } from "../../src/model/failure.js";
import type { Finding, Severity } from "../../src/model/findings.js";
import { healthy, Site } from "../support/matrix-world.js";
import { sampleEndpoint, sampleFacts, sampleFinding, sampleIssuer } from "./sample-facts.js";

/** An endpoint that did not respond. */
const endpoint = (changes: Partial<EndpointFacts>) =>
  sampleEndpoint({ firstByteMs: undefined, status: undefined, ...changes });

describe("a path to STS that is blocked is explained by the part that failed", () => {
  test.each<[Partial<EndpointFacts>, RegExp, RegExp, RegExp]>([
    [
      { failedIn: "dns", error: "ENOTFOUND" },
      /name .* does not resolve/,
      /its name does not resolve \(ENOTFOUND in/,
      /DNS/,
    ],
    [
      { failedIn: "connect", error: "ECONNREFUSED" },
      /can't be reached/,
      /no connection is established/,
      /firewall/,
    ],
    [
      { failedIn: "connect", error: "timeout" },
      /drops packets/,
      /no connection is established/,
      /firewall/,
    ],
    [
      { failedIn: "tls", error: "SELF_SIGNED_CERT_IN_CHAIN" },
      /not trusted/,
      /chain ends in a CA that this machine does not trust/,
      /NODE_EXTRA/,
    ],
    [
      { failedIn: "response", error: "timeout", totalMs: 6000.4 },
      /did not respond in time/,
      /no response in 6000 ms/,
      /accepts/,
    ],
    [
      { failedIn: "response", error: "ECONNRESET" },
      /closes the connection/,
      /closed before/,
      /accepts/,
    ],
  ])("%j", (changes, title, detail, remedy) => {
    const [found] = brokenEndpoint(endpoint(changes), "fatal", []);
    expect(found?.title).toMatch(title);
    expect(found?.detail).toMatch(detail);
    expect(found?.remedy).toMatch(remedy);
    expect(found?.remedy).toContain("make sure that the region eu-west-1 is right");
  });

  test("and the remedy names the setting of a configured endpoint, which may be wrong", () => {
    const custom = endpoint({ kind: "custom", failedIn: "connect", error: "ECONNREFUSED" });
    const by = (source: string) =>
      brokenEndpoint(custom, "fatal", [{ name: "endpointUrl", source }])[0]?.remedy;
    expect(by("AWS_ENDPOINT_URL_STS")).toContain("make sure that AWS_ENDPOINT_URL_STS is right");
    expect(by("profile")).toContain("make sure that endpoint_url of the profile is right");
  });
});

test("a failover region that can't be reached is advice, and its title begins with the region", () => {
  const [found] = brokenEndpoint(endpoint({ failedIn: "dns", error: "ENOTFOUND" }), "advice", []);
  expect(found).toMatchObject({
    severity: "advice",
    title: "Failover region eu-west-1: The name of the STS endpoint does not resolve here.",
  });
});

test("an endpoint that responds is no finding", () => {
  expect(brokenEndpoint(endpoint({}), "fatal", [])).toEqual([]);
});

describe("a response of STS is classified by its words", () => {
  const refusal = (message: string, code = "InvalidIdentityToken", httpStatus = 400): Failure => {
    return { kind: "response", code, message, httpStatus, requestId: "r-1", region: "eu-west-1" };
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
    const finding = callFinding(failure);
    expect(finding.id).toBe(id);
    expect(finding.detail).toContain(failure.message);
  });

  test("and its detail has the region, the status and the request ID", () => {
    expect(callFinding(refusal("Incorrect token audience")).detail).toBe(
      "STS in eu-west-1 said (HTTP 400): InvalidIdentityToken: Incorrect token audience (request ID r-1)",
    );
  });

  test("and a message that is not STS's is not quoted as STS's", () => {
    const failure: Failure = { kind: "response", message: "HTTP 502 with a page", httpStatus: 502 };
    expect(callFinding(failure).detail).toBe("The call to STS failed: HTTP 502 with a page");
  });
});

describe("a refusal of the role", () => {
  const failure: Failure = {
    kind: "response",
    code: "AccessDenied",
    message: "No",
    httpStatus: 403,
  };
  const ROLE = "arn:aws:iam::123456789012:role/app";

  function detailOf(token: Partial<TokenReport>, refused: Partial<Failure> = {}): string {
    return diagnosisOf(token, refused).rootCause?.detail ?? "";
  }

  function diagnosisOf(
    token: Partial<TokenReport>,
    refused: Partial<Failure>,
    issuer: readonly Finding[] = [],
  ): Diagnosis {
    const facts = sampleFacts({
      settings: [{ name: "roleArn", value: ROLE, source: "option" }],
      token: { source: "the token given", issuer: "https://id.example/a", ...token },
    });
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

  test("names no claims if another finding explains the response", () => {
    const refused = { code: "InvalidIdentityToken", message: "Incorrect token audience" };
    const forged = sampleFinding("signature-invalid", "fatal");
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
  const issuer = sampleIssuer({ issuer: "https://id.example", discoveryUrl: url });
  const facts = sampleFacts({ issuer });
  const message = "Couldn't retrieve verification key from your identity provider,  please";
  const failure: Failure = {
    kind: "response",
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

const responding = { host: "sts.invalid", status: 302 } as EndpointFacts;
const silent = { host: "sts.invalid", failedIn: "response" } as EndpointFacts;
const slow = sampleFinding("jwks-slow", "suspect");

describe("a call without a response", () => {
  test.each<[string, Severity, number | false, EndpointFacts | undefined, readonly Finding[]]>([
    ["is fatal if the run ended later than STS waits", "fatal", 6_000, responding, []],
    ["is fatal if it had its full time", "fatal", false, responding, []],
    ["is fatal if a bare GET gets no response either", "fatal", 5_999, silent, []],
    ["is fatal if nothing is known about the endpoint", "fatal", 5_999, undefined, []],
    ["is suspected if the run ended earlier than STS responds", "suspect", 5_999, responding, []],
    ["is advice if another finding explains it", "advice", 5_999, responding, [slow]],
  ])("%s", (_name, severity, cutAtMs, endpoint, seen) => {
    const failure: Failure = { kind: "timeout", message: "", cutShort: cutAtMs !== false };
    const assumeRole = { region: "", outcome: "sts-unavailable", ms: cutAtMs || 10_000 } as const;
    const facts = { sts: endpoint ? [endpoint] : [], assumeRole };
    const weakened = weakenCutOff(sampleFinding("sts-timeout", "fatal"), failure, { facts, seen });
    expect(weakened.severity).toBe(severity);
    expect(weakened.detail.includes("bare GET")).toBe(severity !== "fatal");
  });
});

test("a run that is too short for a slow issuer names the issuer as the cause", async () => {
  await using site = new Site();
  const { idp, options } = await healthy(site);
  idp.setFault({ kind: "slow", delayMs: 3_000, on: "jwks" });
  const { verdict, rootCause, findings } = await diagnose({
    ...options,
    env: {},
    timeoutMs: 1_000,
  });
  expect({ verdict, id: rootCause?.id }).toEqual({ verdict: "degraded", id: "discovery-slow" });
  expect(findings.find(({ id }) => id === "sts-timeout")?.severity).toBe("advice");
});
