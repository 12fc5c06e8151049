import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import type { AttemptRecord } from "../../src/model/attempt.js";
import { WebIdentityError } from "../../src/model/errors.js";
import type { Finding } from "../../src/model/findings.js";

const finding: Finding = {
  ...{ id: "jwks-timeout", severity: "suspect", title: "The JWKS did not answer in time" },
  ...{ detail: "Details.", remedy: "IdP: do this.", evidence: {} },
};

function records(count: number): AttemptRecord[] {
  return Array.from({ length: count }, (_, n) => ({
    attempt: n + 1,
    region: n % 2 === 0 ? "us-east-1" : "eu-central-1",
    verdict: "idp-unreachable",
    code: "InvalidIdentityToken",
    message: "Couldn't retrieve verification key from your identity provider",
    httpStatus: 400,
    requestId: `request-${n + 1}`,
    ms: 120 + n,
    ...(n + 1 < count && { waitMs: 400 * (n + 1) }),
  }));
}

function failedAfter(count: number): WebIdentityError {
  const cause = Object.assign(new Error("Couldn't retrieve verification key"), {
    name: "InvalidIdentityTokenException",
    cause: Object.assign(new Error("reset"), { code: "ECONNRESET" }),
  });
  const error = new WebIdentityError({
    code: "ERR_IDP_UNREACHABLE",
    message: "What failed.",
    hint: "What to do.",
    cause,
    attempts: records(count),
    findings: [finding],
    token: {
      ...{ issuer: "https://issuer.example.com", audience: ["a", "b"], kid: undefined },
      ...{ iat: 1_700_000_000, exp: 1_700_003_600 },
    },
    retryAfterMs: 2_000,
  });
  error.stack = `WebIdentityError: ${error.message}\n    at refresh (service.ts:1:2)`;
  return error;
}

describe("a WebIdentityError in a terminal", () => {
  test("shows one line for each attempt and one for each other fact", () => {
    const error = Object.assign(failedAfter(3), { nextRefreshAllowedAt: 1_700_000_000_500 });
    expect(inspect(error)).toMatchInlineSnapshot(`
      "WebIdentityError: What failed. What to do. Details: npx resilient-sts explain ERR_IDP_UNREACHABLE
          at refresh (service.ts:1:2)
        code: 'ERR_IDP_UNREACHABLE'
        attempts: 3
          #1  us-east-1     idp-unreachable  InvalidIdentityToken  HTTP 400  took 120 ms  waited 400 ms  request-1
          #2  eu-central-1  idp-unreachable  InvalidIdentityToken  HTTP 400  took 121 ms  waited 800 ms  request-2
          #3  us-east-1     idp-unreachable  InvalidIdentityToken  HTTP 400  took 122 ms                 request-3
        finding: suspect jwks-timeout: The JWKS did not answer in time
        token: issuer https://issuer.example.com, audience a and b, iat 2023-11-14T22:13:20.000Z, exp 2023-11-14T23:13:20.000Z
        retryAfterMs: 2000
        nextRefreshAllowedAt: 2023-11-14T22:13:20.500Z
        cause: InvalidIdentityTokenException: Couldn't retrieve verification key
          cause: Error: reset (ECONNRESET)"
    `);
  });

  test("has 34 lines after 25 attempts", () => {
    expect(inspect(failedAfter(25)).split("\n")).toHaveLength(25 + 9);
  });

  test("shows the first five and the latest of many attempts", () => {
    const lines = inspect(failedAfter(1_000)).split("\n");
    expect(lines).toHaveLength(31 + 9);
    expect(lines.slice(3, 11).map((line) => line.slice(0, 14))).toMatchInlineSnapshot(`
      [
        "  attempts: 10",
        "    #1     us-",
        "    #2     eu-",
        "    #3     us-",
        "    #4     eu-",
        "    #5     us-",
        "    … 970 more",
        "    #976   eu-",
      ]
    `);
  });

  test("leaves out what has no value", () => {
    const bare = new WebIdentityError({ code: "ERR_CLOSED", message: "Closed.", hint: "Stop." });
    bare.stack = "WebIdentityError: Closed. Stop.\n    at close (service.ts:1:2)";
    expect(inspect(bare)).toMatchInlineSnapshot(`
      "WebIdentityError: Closed. Stop.
          at close (service.ts:1:2)
        code: 'ERR_CLOSED'"
    `);
    const local = new WebIdentityError({
      ...{ code: "ERR_TOKEN_UNAVAILABLE", message: "No token.", hint: "Mount one." },
      attempts: [{ attempt: 1, verdict: "token-unavailable", message: "m".repeat(99), ms: 1 }],
    });
    const shown = `${"m".repeat(59)}…`;
    expect(inspect(local)).toContain(`\n    #1  token-unavailable  ${shown}  took 1 ms`);
    expect(inspect([bare, local])).not.toContain("undefined");
  });

  test("is shorter where it is nested, and shows its code alone below the depth", () => {
    const error = failedAfter(3);
    expect(inspect(error, { depth: 0 })).toContain("  attempts: 3\n  finding: ");
    expect(inspect({ error }, { depth: 1 })).toContain("  attempts: 3\n");
    expect(inspect({ error }, { depth: 1 })).not.toContain("#1");
    const outer = new Error("outer", { cause: error });
    expect(inspect(outer, { depth: 1 })).not.toContain("#1");
    expect(inspect(outer)).toContain("#1");
    expect(inspect({ error }, { depth: 0 })).toContain("[WebIdentityError: ERR_IDP_UNREACHABLE]");
    expect(inspect({ error }, { depth: null })).toContain("#3  us-east-1");
  });

  test("has colours only where they are asked for", () => {
    const error = failedAfter(2);
    expect(inspect(error)).not.toContain("\u001b");
    const coloured = inspect(error, { colors: true });
    expect(coloured).toContain("code: \u001b[32m'ERR_IDP_UNREACHABLE'\u001b[39m");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control characters
    expect(coloured.replace(/\u001b\[\d+m/g, "")).toBe(inspect(error));
  });

  test("shows the fields that someone else added", () => {
    const error = Object.assign(failedAfter(1), { $metadata: { attempts: 1 } });
    expect(inspect(error)).toContain("\n  $metadata: { attempts: 1 }\n");
  });

  test("shows a time that no calendar has as a number", () => {
    const token = { exp: 1e300 };
    const init = { code: "ERR_TOKEN_INVALID", message: "No.", hint: "Stop.", token } as const;
    expect(inspect(new WebIdentityError(init))).toContain("token: exp 1e+303");
  });
});

describe("a WebIdentityError in a crash report or a log", () => {
  test("has no line for each field of each attempt where custom inspection is off, as in a crash", () => {
    const lines = inspect(failedAfter(25), { customInspect: false }).split("\n");
    expect(lines.length).toBeLessThan(50);
    expect(lines.join("\n")).not.toContain("request-1");
  });

  test("gives a logger that copies the fields of an error none for each attempt", () => {
    expect(Object.keys(failedAfter(25))).not.toContain("attempts");
  });

  test("gives JSON the message and every attempt, without stack and cause", () => {
    const json = JSON.parse(JSON.stringify({ error: failedAfter(3) }));
    expect(Object.keys(json.error)).toEqual([
      ...["message", "attempts", "name", "code", "hint", "findings", "tryNextLink"],
      ...["token", "retryAfterMs"],
    ]);
    expect(json.error.message).toMatch(/^What failed\. What to do\./);
    expect(json.error.attempts).toHaveLength(3);
  });
});
