import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import type { WebIdentityErrorCode } from "../../src/model/errors.js";
import type { AttemptRecord, Failure } from "../../src/model/failure.js";
import type { Finding } from "../../src/model/findings.js";
import { AttemptsFailed, explain } from "../../src/retry/retry-loop.js";
import { judge } from "../../src/retry/verdict.js";

const ROLE = "arn:aws:iam::123456789012:role/service";
const TOKEN = { issuer: "https://issuer.example.com", kid: "key-1", alg: "RS256" };
const KEY =
  "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements";

const response = (code: string, message: string, httpStatus = 400): Failure => ({
  ...{ kind: "response", code, message, httpStatus, requestId: "req-7", region: "eu-west-1" },
});

/** The error that a failure ends in after so many attempts, each of which lasted two seconds. */
function explained(
  failure: Failure,
  { attempts = 1, verdict = judge(failure), roleArn = ROLE } = {},
) {
  const { region, requestId, code, message } = failure;
  const records = Array.from(
    { length: attempts },
    (_, n): AttemptRecord => ({
      ...{ attempt: n + 1, verdict, region, requestId, code, message, ms: 2_000 },
    }),
  );
  const outcome = new AttemptsFailed({
    verdict,
    failure,
    attempts: records,
    elapsedMs: attempts * 2_000,
  });
  return explain(outcome, { roleArn, token: TOKEN });
}

const finding = (id: Finding["id"], severity: Finding["severity"] = "fatal"): Finding => ({
  ...{ id, severity, title: "A title.", detail: "The detail is here.", evidence: {} },
  remedy: "IdP: do this.",
});

describe("each situation has its code, a hint, and the words of the response", () => {
  const checked = (id: Finding["id"]): Failure => ({
    ...{ kind: "token", code: id, message: "", findings: [finding(id)] },
  });
  test.each<[WebIdentityErrorCode, Failure]>([
    ["ERR_IDP_UNREACHABLE", response("InvalidIdentityToken", KEY)],
    ["ERR_THROTTLED", response("Throttling", "Rate exceeded")],
    ["ERR_STS_UNAVAILABLE", response("ServiceUnavailable", "words", 503)],
    ["ERR_STS_UNAVAILABLE", { kind: "response", message: "HTTP 403", httpStatus: 403 }],
    ["ERR_STS_UNAVAILABLE", { kind: "proxy", code: "PROXY_STATUS_407", message: "words" }],
    ["ERR_STS_UNAVAILABLE", { kind: "network", code: "CERT_HAS_EXPIRED", message: "words" }],
    ["ERR_TOKEN_UNAVAILABLE", checked("token-unreadable")],
    ["ERR_TOKEN_INVALID", checked("token-malformed")],
    ["ERR_TOKEN_EXPIRED", response("ExpiredTokenException", "words")],
    ["ERR_TOKEN_INVALID", response("InvalidIdentityToken", "Token not yet valid")],
    ["ERR_TOKEN_REJECTED", response("InvalidIdentityToken", "Incorrect token audience")],
    ["ERR_ACCESS_DENIED", response("AccessDenied", "words", 403)],
    ["ERR_REGION_DISABLED", response("RegionDisabledException", "words", 403)],
    ["ERR_REQUEST_INVALID", response("ValidationError", "words")],
  ])("%s for %j", (code, failure) => {
    const error = explained(failure);
    expect(error).toMatchObject({ name: "WebIdentityError", code, tryNextLink: false });
    if (failure.findings === undefined) expect(error.message).toContain(failure.message);
    if (failure.code !== undefined && failure.findings === undefined) {
      expect(error.message).toContain(`: ${failure.code}: `);
    }
    expect(error.message).toContain(ROLE);
    expect(error.message).toMatch(/ Details: npx resilient-sts explain [\w-]+$/);
    expect(error.message).toContain(` ${error.hint} Details: `);
    expect(error.message).not.toMatch(/undefined|null|NaN|\[object/);
  });
});

describe("a finding explains a failure", () => {
  const KEY_REFUSED = response("InvalidIdentityToken", "The token could not be validated");

  test("after any response, if it may be why STS could not get the key", () => {
    const findings = [finding("discovery-http-status", "suspect")];
    const error = explained({ ...response("InvalidIdentityToken", KEY), findings });
    expect(error.message).toContain(`${KEY}; seen from here: The detail is here (role`);
  });

  test("after a refused signature, only if it is about the key", () => {
    const about = (id: Finding["id"]) =>
      explained({ ...KEY_REFUSED, findings: [finding(id, "suspect")] }).message;
    expect(about("jwks-key-not-found")).toContain("seen from here");
    expect(about("discovery-http-status")).not.toContain("seen from here");
  });

  test("with its detail up to the last full stop", () => {
    const detail = "The host issuer.example.com is slow.";
    const findings = [{ ...finding("discovery-http-status", "suspect"), detail }];
    const error = explained({ ...response("InvalidIdentityToken", KEY), findings });
    expect(error.message).toContain("The host issuer.example.com is slow (role");
  });

  test("and names the issuer's fault or the token's, whichever it is", () => {
    const said = (id: Finding["id"], failure: Failure) =>
      explained({ ...failure, findings: [finding(id)] }).message;
    const unreachable = response("InvalidIdentityToken", KEY);
    const tokenRefused = /^STS refused the token: /;
    for (const failure of [KEY_REFUSED, unreachable]) {
      expect(said("signature-invalid", failure)).toMatch(tokenRefused);
      expect(said("jwks-key-not-found", failure)).toMatch(tokenRefused);
      expect(said("jwks-not-json", failure)).not.toMatch(tokenRefused);
    }
  });
});

describe("an error's whole message", () => {
  test("for a verification key that STS could not get", () => {
    expect(explained(response("InvalidIdentityToken", KEY), { attempts: 12 }).message).toBe(
      "STS could not get the verification key from the identity provider: InvalidIdentityToken: " +
        `${KEY} (role ${ROLE}, issuer https://issuer.example.com, kid key-1, 12 attempts in 24.0 s ` +
        "in eu-west-1, last request ID req-7). IdP and network: make sure that the issuer's " +
        "/.well-known/openid-configuration and its jwks_uri return 200 to the internet within 5 s, " +
        "without a login, a rate limit or a firewall in the way, and that the JWKS has the token's key. " +
        "Details: npx resilient-sts explain ERR_IDP_UNREACHABLE",
    );
  });

  test("for a role that does not trust the token", () => {
    const words = "Not authorized to perform sts:AssumeRoleWithWebIdentity";
    expect(explained(response("AccessDenied", words, 403)).message).toBe(
      `The role can't be assumed with this token: AccessDenied: ${words} (role ${ROLE}, issuer ` +
        "https://issuer.example.com, kid key-1, 1 attempt in 2.0 s in eu-west-1, last request ID " +
        "req-7). AWS account: check that the role exists in that account, and that its trust policy " +
        "names this OIDC provider and exactly the token's sub and aud. IAM changes take up to 12 s to " +
        "take effect; retryAccessDenied waits for them. " +
        "Details: npx resilient-sts explain ERR_ACCESS_DENIED",
    );
  });

  test("for a token that was not sent", () => {
    const findings = [finding("token-expires-soon", "advice"), finding("token-claim-missing")];
    const failure: Failure = { kind: "token", code: "token-claim-missing", message: "", findings };
    expect(explained(failure).message).toBe(
      "STS would not accept the token, so it was not sent: The detail is here (role " +
        `${ROLE}, issuer https://issuer.example.com, kid key-1, 1 attempt in 2.0 s). IdP: do this. ` +
        "Details: npx resilient-sts explain token-claim-missing",
    );
  });
});

describe("a finding", () => {
  test("that is certain comes before the response's words, and its remedy is the hint", () => {
    const failure = { ...response("InvalidIdentityToken", KEY), findings: [finding("jwks-empty")] };
    const error = explained(failure);
    expect(error).toMatchObject({ code: "ERR_IDP_UNUSABLE", hint: "IdP: do this." });
    expect(error.message).toMatch(/: The detail is here; STS said InvalidIdentityToken: Couldn't/);
    expect(error.findings).toEqual(failure.findings);
  });

  test("that is only a suspicion does not change the code", () => {
    const findings = [
      finding("issuer-timeout", "suspect"),
      finding("jwks-not-cacheable", "advice"),
    ];
    const error = explained({ ...response("InvalidIdentityToken", KEY), findings });
    expect(error.code).toBe("ERR_IDP_UNREACHABLE");
    expect(error.message).toContain(KEY);
  });

  test("that is only advice is never given as the cause", () => {
    const findings = [finding("jwks-not-cacheable", "advice"), finding("proxy-in-use", "info")];
    const { message, hint } = explained({ ...response("InvalidIdentityToken", KEY), findings });
    expect(message).not.toContain("The detail is here");
    expect(hint).not.toBe("IdP: do this.");
  });

  test.each<[string, Finding["id"], boolean]>([
    ["does not explain a refused token if it is about the path", "issuer-private", false],
    ["does not explain a refused token if it is about a request", "jwks-http-status", false],
    ["explains a refused token if it is about the key", "jwks-key-not-found", true],
  ])("%s", (_, id, isShown) => {
    const findings = [finding(id, "suspect")];
    const failure = { ...response("InvalidIdentityToken", "Incorrect token audience"), findings };
    const { message, hint, findings: reported } = explained(failure);
    expect(message.includes("; seen from here: The detail is here")).toBe(isShown);
    expect(hint === "IdP: do this.").toBe(isShown);
    expect(reported).toEqual(findings);
  });
});

describe("an unknown failure", () => {
  test.each<[string, Failure, WebIdentityErrorCode]>([
    ["words about the token", response("InvalidIdentityToken", "new words"), "ERR_TOKEN_REJECTED"],
    ["a 4xx", response("Strange", "new words", 418), "ERR_REQUEST_INVALID"],
    ["a redirection", response("Strange", "new words", 302), "ERR_STS_UNAVAILABLE"],
    [
      "a permanent fault with status 500",
      response("InternalFailure", "validating third-party token", 500),
      "ERR_STS_UNAVAILABLE",
    ],
    ["a fault on this side", { kind: "local", message: "new words" }, "ERR_STS_UNAVAILABLE"],
  ])("is explained by what is known about it: %s", (_, failure, code) => {
    expect(explained(failure)).toMatchObject({ code });
  });

  test("is not blamed on STS when code in this process threw it", () => {
    const failure: Failure = { kind: "local", code: "TypeError", message: "x is undefined" };
    const { message, hint } = explained(failure);
    expect(message).toMatch(
      /^Code in this process threw an error during the STS call: TypeError: x is /,
    );
    expect(hint).toMatch(/`cause`/);
  });

  test("with STS's response to a null sub names the claim", () => {
    const words = "Unknown error validating third-party token";
    const error = explained(response("InternalFailure", words, 500));
    expect(error.hint).toMatch(/^IdP: .*`sub`/);
  });

  test("has no code in its message when the response has none", () => {
    const { message } = explained({ kind: "response", message: "HTTP 418 with a page" });
    expect(message).toContain("before it reached STS: HTTP 418 with a page (role");
  });
});

describe("an error", () => {
  test("has the attempts, the token's facts and the safe cause", () => {
    const cause = new Error("inner");
    const error = explained({ ...response("AccessDenied", "no", 403), cause }, { attempts: 3 });
    expect(error.attempts).toHaveLength(3);
    expect(error.token).toEqual(TOKEN);
    expect(error.cause).toBe(cause);
  });

  test("names every called region, in order", () => {
    const attempts = ["eu-west-1", "eu-central-1", undefined, "eu-west-1"].map(
      (region, n): AttemptRecord => ({
        ...{ attempt: n + 1, verdict: "sts-unavailable", region, message: "words", ms: 0 },
      }),
    );
    const failure: Failure = { kind: "network", message: "words" };
    const outcome = new AttemptsFailed({
      verdict: "sts-unavailable",
      failure,
      attempts,
      elapsedMs: 2_000,
    });
    const { message } = explain(outcome, { roleArn: ROLE, token: undefined });
    expect(message).toContain("4 attempts in 2.0 s in eu-west-1, eu-central-1)");
  });

  test("is complete without a token, a kid, a region and a request ID", () => {
    const failure: Failure = { kind: "local", message: "words" };
    const attempts = [{ attempt: 1, verdict: "unknown" as const, message: "words", ms: 0 }];
    const outcome = new AttemptsFailed({ verdict: "unknown", failure, attempts, elapsedMs: 49 });
    const message = (token: object | undefined) =>
      explain(outcome, { roleArn: ROLE, token }).message;
    expect(message(undefined)).toContain(`words (role ${ROLE}, 1 attempt in 0.0 s).`);
    expect(message({})).toContain(", issuer unknown, no kid, 1 attempt");
  });

  test("names the audience, which is the cause of many refusals", () => {
    const failure = response("InvalidIdentityToken", "Incorrect token audience");
    const messageFor = (audience: string | string[]) => {
      const outcome = new AttemptsFailed({
        verdict: "token-rejected",
        failure,
        attempts: [],
        elapsedMs: 0,
      });
      return explain(outcome, { roleArn: ROLE, token: { ...TOKEN, audience } }).message;
    };
    expect(messageFor("vault")).toContain(
      ", issuer https://issuer.example.com, audience vault, kid",
    );
    expect(messageFor(["a", "b"])).toContain(", audience a and b, kid");
    expect(messageFor([])).toContain("issuer https://issuer.example.com, kid");
  });

  test("does not show a token that was passed as the role", () => {
    const token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl";
    const error = explained(response("AccessDenied", "no", 403), { roleArn: token });
    expect(inspect(error, { depth: 9 })).not.toMatch(/eyJ|c2lnb/);
  });

  test("is one line, whatever the role's name is", () => {
    const error = explained(response("AccessDenied", "no", 403), {
      roleArn: `${ROLE}\r\n\u001b[2J`,
    });
    expect(error.message).not.toMatch(/\p{Cc}/u);
  });
});
