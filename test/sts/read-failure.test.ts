import { describe, expect, test } from "vitest";
import { readFailure } from "../../src/sts/read-failure.js";
import { HOSTILE } from "../support/hostile-values.js";

const TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzb21lYm9keSJ9.c2lnbmF0dXJlLXNpZ25hdHVyZQ";
const NOW = Date.UTC(2026, 0, 1);
const read = (thrown: unknown, token = TOKEN) => readFailure(thrown, token, NOW);

/** An error as the STS client throws it. */
const answer = (status: number, facts: object = {}, headers: Record<string, string> = {}) =>
  Object.assign(new Error("the words"), {
    name: "AccessDenied",
    $metadata: { httpStatusCode: status, requestId: "req-1" },
    $response: { headers, body: { token: TOKEN } },
    ...facts,
  });

describe("an answer", () => {
  test("is read for its code, words, status and request id", () => {
    const { cause, ...failure } = read(answer(403, { Code: "AccessDenied" }));
    expect(failure).toEqual({
      ...{ kind: "answer", code: "AccessDenied", message: "the words", httpStatus: 403 },
      ...{ requestId: "req-1", retryAfterMs: undefined },
    });
    expect(cause).toBeInstanceOf(Error);
  });

  test("has the wire's own code, or else the name that the SDK gave it", () => {
    const name = "InvalidIdentityTokenException";
    expect(read(answer(400, { Code: "InvalidIdentityToken", name })).code).toBe(
      "InvalidIdentityToken",
    );
    expect(read(answer(400, { name })).code).toBe(name);
  });

  test.each(["Unknown", "UnknownError", "Error"])(
    "named %s has no code, and is not STS's",
    (name) => {
      const { code, message } = read(answer(502, { name }));
      expect(code).toBeUndefined();
      expect(message).toMatch(/^HTTP 502 with a body that is no STS answer/);
    },
  );

  test("that could not be read is not STS's either, also with status 200", () => {
    const facts = {
      name: "SyntaxError",
      message: "Deserialization error: char '<' is not expected",
    };
    expect(read(answer(200, facts))).toMatchObject({ kind: "bad-answer", code: undefined });
  });

  test.each<[string | undefined, number | undefined]>([
    [undefined, undefined],
    ["", undefined],
    ["7", 7_000],
    [" 120 ", 120_000],
    ["0", 0],
    [new Date(NOW + 30_000).toUTCString(), 30_000],
    [new Date(NOW - 30_000).toUTCString(), 0],
    ["soon", undefined],
  ])("with Retry-After %j asks for %j ms", (value, expected) => {
    const headers: Record<string, string> = value === undefined ? {} : { "retry-after": value };
    expect(read(answer(503, {}, headers)).retryAfterMs).toBe(expected);
  });
});

describe("no answer", () => {
  const withCode = (code: string, message = "x") => Object.assign(new Error(message), { code });

  test.each(["ECONNRESET", "ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EPIPE", "ETIMEDOUT"])(
    "because of %s is the network's fault",
    (code) => {
      expect(read(withCode(code))).toMatchObject({ kind: "network", code });
    },
  );

  test.each([
    "CERT_HAS_EXPIRED",
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    "ERR_TLS_CERT_ALTNAME_INVALID",
  ])("because of %s is the network's fault", (code) => {
    expect(read(withCode(code))).toMatchObject({ kind: "network", code });
  });

  test("in time is a timeout; a reset connection that the SDK calls one is the network's fault", () => {
    const timeout = Object.assign(new Error("too slow"), { name: "TimeoutError" });
    expect(read(timeout).kind).toBe("timeout");
    expect(read(Object.assign(timeout, { code: "ECONNRESET" })).kind).toBe("network");
  });

  test("of several addresses is named by its code, having no words of its own", () => {
    const thrown = Object.assign(new AggregateError([new Error("a")]), { code: "ECONNREFUSED" });
    expect(read(thrown)).toMatchObject({ kind: "network", message: "ECONNREFUSED" });
  });

  test("because the SDK refused the configuration is the request's fault", () => {
    for (const message of ["Region is missing", "Region not accepted: region=x", "Invalid URL"]) {
      expect(read(new Error(message)).kind).toBe("request");
    }
    const endpoint = Object.assign(new Error("FIPS and custom endpoint"), {
      name: "EndpointError",
    });
    expect(read(endpoint).kind).toBe("request");
  });

  test("for a reason nobody knows is a fault on this side", () => {
    expect(read(new RangeError("a plugin's bug"))).toMatchObject({
      kind: "local",
      code: "RangeError",
    });
  });

  test.each(HOSTILE)("with %s thrown is read without a throw", (_, make) => {
    expect(["local", "network"]).toContain(read(make()).kind);
  });
});

describe("what is read holds no token", () => {
  const shown = (thrown: unknown, token: string) => {
    const { cause, ...failure } = read(thrown, token);
    return JSON.stringify([failure, cause?.name, cause?.message, cause?.stack, cause]);
  };

  test.each([
    ["a JWT", TOKEN],
    ["an opaque token", "Atza|IQEBLjAsAhRmHjNgHpi0U-Dme37rR6CuUpSREXAMPLE"],
  ])("that is %s, wherever it was echoed", (_, token) => {
    const echo = `echo ${token} end`;
    const places = ["message", "name", "Code", "code", "RequestId", "stack"];
    const inner = Object.assign(new Error(echo), { stack: echo });
    for (const facts of [...places.map((place) => ({ [place]: echo })), { cause: inner }]) {
      expect(shown(answer(400, facts), token)).not.toContain(token);
      expect(shown(Object.assign(new Error("x"), facts), token)).not.toContain(token);
    }
    const $metadata = { httpStatusCode: 400, requestId: echo };
    expect(shown(answer(400, { $metadata }), token)).not.toContain(token);
  });

  test("nor a part of it", () => {
    const [, payload = "", signature = ""] = TOKEN.split(".");
    for (const part of [payload, signature]) {
      expect(shown(answer(400, { message: `bad part: ${part}` }), TOKEN)).not.toContain(part);
    }
  });
});
