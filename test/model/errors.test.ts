import { inspect } from "node:util";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { isWebIdentityError, WebIdentityError } from "../../src/model/errors.js";
import type { AttemptRecord } from "../../src/model/failure.js";
import type { Finding } from "../../src/model/findings.js";
import { HOSTILE } from "../support/hostile-values.js";

const init = { code: "ERR_THROTTLED", message: "What failed.", hint: "What to do." } as const;

describe("a WebIdentityError", () => {
  test("says what failed, what to do, and how to read more", () => {
    const error = new WebIdentityError(init);
    const more = "Details: npx resilient-sts explain";
    expect(error).toMatchObject({
      ...init,
      message: `What failed. What to do. ${more} ERR_THROTTLED`,
    });
    const about = new WebIdentityError({ ...init, about: "jwks-empty" });
    expect(about.message).toBe(`What failed. What to do. ${more} jwks-empty`);
    expect(error).toBeInstanceOf(Error);
  });

  test("has a literal name, which its stack begins with", () => {
    class Minified extends WebIdentityError {}
    expect(new WebIdentityError(init).name).toBe("WebIdentityError");
    expect(new Minified(init).name).toBe("WebIdentityError");
    expect(new WebIdentityError(init).stack).toMatch(
      /^WebIdentityError: What failed\. What to do\./,
    );
  });

  test("lets a chain continue with its next provider only when tryNextLink is set", () => {
    expect(new WebIdentityError(init).tryNextLink).toBe(false);
    expect(new WebIdentityError({ ...init, tryNextLink: true }).tryNextLink).toBe(true);
  });

  test("has empty lists and no cause when none are given", () => {
    const error = new WebIdentityError(init);
    expect([error.attempts, error.findings, error.token]).toEqual([[], [], undefined]);
    expect("cause" in error).toBe(false);
  });
});

describe("isWebIdentityError", () => {
  test("accepts an error of another copy of this package", () => {
    const foreign = Object.assign(new Error("x"), { name: "WebIdentityError", code: "ERR_CLOSED" });
    expect(isWebIdentityError(foreign)).toBe(true);
    expect(isWebIdentityError(new WebIdentityError(init))).toBe(true);
  });

  test("accepts an error of another realm", () => {
    const source =
      "Object.assign(new Error('x'), { name: 'WebIdentityError', code: 'ERR_CLOSED' })";
    expect(isWebIdentityError(runInNewContext(source))).toBe(true);
  });

  test.each([
    ["another error with such a code", Object.assign(new Error("x"), { code: "ERR_CLOSED" })],
    ["an error without a code", Object.assign(new Error("x"), { name: "WebIdentityError" })],
    [
      "an error whose code is a number",
      Object.assign(new Error("x"), { name: "WebIdentityError", code: 5 }),
    ],
    ["a plain object", { name: "WebIdentityError", code: "ERR_CLOSED" }],
    ["undefined", undefined],
    ["null", null],
    ["a string", "WebIdentityError"],
  ])("does not accept %s", (_, value) => {
    expect(isWebIdentityError(value)).toBe(false);
  });

  test("does not accept any other value, and never throws", () => {
    for (const [, make] of HOSTILE) expect(isWebIdentityError(make())).toBe(false);
  });
});

const finding: Finding = {
  ...{ id: "jwks-timeout", severity: "suspect", title: "The JWKS did not respond in time" },
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
        finding: suspect jwks-timeout: The JWKS did not respond in time
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

  test("leaves out every fact without a value", () => {
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

  test("is shorter when it is nested, and shows only its code below the depth limit", () => {
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

  test("has colors only when the options ask for them", () => {
    const error = failedAfter(2);
    expect(inspect(error)).not.toContain("\u001b");
    const colored = inspect(error, { colors: true });
    expect(colored).toContain("code: \u001b[32m'ERR_IDP_UNREACHABLE'\u001b[39m");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colors are control characters
    expect(colored.replace(/\u001b\[\d+m/g, "")).toBe(inspect(error));
  });

  test("shows fields that other code added", () => {
    const error = Object.assign(failedAfter(1), { $metadata: { attempts: 1 } });
    expect(inspect(error)).toContain("\n  $metadata: { attempts: 1 }\n");
  });

  test("shows a time that is out of range as a number", () => {
    const token = { exp: 1e300 };
    const init = { code: "ERR_TOKEN_INVALID", message: "No.", hint: "Stop.", token } as const;
    expect(inspect(new WebIdentityError(init))).toContain("token: exp 1e+303");
  });
});

describe("a WebIdentityError in a crash report or a log", () => {
  test("has no lines for its attempts when custom inspection is off, as in a crash", () => {
    const lines = inspect(failedAfter(25), { customInspect: false }).split("\n");
    expect(lines.length).toBeLessThan(50);
    expect(lines.join("\n")).not.toContain("request-1");
  });

  test("has no enumerable attempts, so that a logger that copies fields leaves them out", () => {
    expect(Object.keys(failedAfter(25))).not.toContain("attempts");
  });

  test("is written to JSON with its message and every attempt, without stack and cause", () => {
    const json = JSON.parse(JSON.stringify({ error: failedAfter(3) }));
    expect(Object.keys(json.error)).toEqual([
      ...["message", "attempts", "name", "code", "hint", "findings", "tryNextLink"],
      ...["token", "retryAfterMs"],
    ]);
    expect(json.error.message).toMatch(/^What failed\. What to do\./);
    expect(json.error.attempts).toHaveLength(3);
  });
});
