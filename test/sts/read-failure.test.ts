import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { readFailure } from "../../src/sts/read-failure.js";
import { HOSTILE } from "../support/hostile-values.js";
import { partIn, piecesOf, SPELLINGS } from "../support/spellings.js";

const TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzb21lYm9keSJ9.c2lnbmF0dXJlLXNpZ25hdHVyZQ";
const NOW = Date.UTC(2026, 0, 1);
const read = (thrown: unknown, token = TOKEN) => readFailure(thrown, token, NOW);

/** An error as the STS client throws it. */
const response = (status: number, facts: object = {}, headers: Record<string, string> = {}) =>
  Object.assign(new Error("the words"), {
    name: "AccessDenied",
    $metadata: { httpStatusCode: status, requestId: "req-1" },
    $response: { headers, body: { token: TOKEN } },
    ...facts,
  });

describe("a response", () => {
  test("is read for its code, message, status and request ID", () => {
    const { cause, ...failure } = read(response(403, { Code: "AccessDenied" }));
    expect(failure).toEqual({
      ...{ kind: "response", code: "AccessDenied", message: "the words", httpStatus: 403 },
      ...{ requestId: "req-1", retryAfterMs: undefined },
    });
    expect(cause).toBeInstanceOf(Error);
  });

  test("has the code of its body, or else the name that the SDK gave it", () => {
    const name = "InvalidIdentityTokenException";
    expect(read(response(400, { Code: "InvalidIdentityToken", name })).code).toBe(
      "InvalidIdentityToken",
    );
    expect(read(response(400, { name })).code).toBe(name);
  });

  test.each(["Unknown", "UnknownError", "Error", "NotFound"])(
    "with the name %s has no code, and does not come from STS",
    (name) => {
      const { code, message } = read(response(502, { name }));
      expect(code).toBeUndefined();
      expect(message).toMatch(/^HTTP 502 with a body that is not an STS response$/);
    },
  );

  test("has the request ID of its body if the SDK has none", () => {
    const facts = { Code: "AccessDenied", $metadata: { httpStatusCode: 403 }, RequestId: "body-1" };
    expect(read(response(403, facts)).requestId).toBe("body-1");
  });

  test("names the server that sent it instead of STS, from that server's headers", () => {
    const headers = { server: "squid/5.7", via: "1.1 proxy01 (squid)" };
    expect(read(response(403, { name: "Unknown" }, headers)).message).toBe(
      "HTTP 403 with a body that is not an STS response (server: squid/5.7, via: 1.1 proxy01 (squid))",
    );
  });

  test.each([null, 7, {}, ["AccessDenied"], ""])("has no code when that is %j", (value) => {
    expect(read(response(403, { Code: value, name: value })).code).toBeUndefined();
  });

  test("that could not be parsed does not come from STS, even with status 200", () => {
    const facts = {
      name: "SyntaxError",
      message: "Deserialization error: char '<' is not expected",
    };
    expect(read(response(200, facts))).toMatchObject({ kind: "bad-response", code: undefined });
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
  ])("with Retry-After %j requests a wait of %j ms", (value, expected) => {
    const headers: Record<string, string> = value === undefined ? {} : { "retry-after": value };
    expect(read(response(503, {}, headers)).retryAfterMs).toBe(expected);
  });

  test.each([-2, 2])("counts a date in Retry-After by STS's clock, %d hours off", (hours) => {
    const sentAt = NOW + hours * 3_600_000;
    const headers = {
      "retry-after": new Date(sentAt + 30_000).toUTCString(),
      date: new Date(sentAt).toUTCString(),
    };
    expect(read(response(503, {}, headers)).retryAfterMs).toBe(30_000);
  });
});

describe("a missing response", () => {
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

  test("in time is a timeout, but a reset connection is a network failure, although the SDK calls it a timeout", () => {
    const timeout = Object.assign(new Error("too slow"), { name: "TimeoutError" });
    expect(read(timeout).kind).toBe("timeout");
    expect(read(Object.assign(timeout, { code: "ECONNRESET" })).kind).toBe("network");
  });

  test("from several addresses is named by its code, because it has no message", () => {
    const thrown = Object.assign(new AggregateError([new Error("a")]), { code: "ECONNREFUSED" });
    expect(read(thrown)).toMatchObject({ kind: "network", message: "ECONNREFUSED" });
  });

  test("because the SDK refused the configuration is a fault of the request", () => {
    for (const message of ["Region is missing", "Region not accepted: region=x", "Invalid URL"]) {
      expect(read(new Error(message)).kind).toBe("request");
    }
    const endpoint = Object.assign(new Error("FIPS and custom endpoint"), {
      name: "EndpointError",
    });
    expect(read(endpoint).kind).toBe("request");
  });

  test.each<[string, number, string]>([
    ["hpagent", 403, "Bad response: 403"],
    ["tunnel-agent", 407, "tunneling socket could not be established, statusCode=407"],
    ["undici", 403, "Proxy response (403) !== 200 when HTTP Tunneling"],
    [
      "Node's own",
      502,
      "Failed to establish tunnel to sts.eu-west-1.amazonaws.com:443 via http://10.0.0.8:3128: HTTP/1.1 502 Bad Gateway",
    ],
    ["Deno", 407, "tunnel error: proxy authorization required"],
    ["a SOCKS agent", 403, "Socks5 proxy rejected connection - NotAllowed"],
    ["a SOCKS agent without credentials", 407, "Socks5 Authentication failed"],
  ])(
    "because a proxy refused the connection is a proxy failure, as %s reports it",
    (_, status, message) => {
      const code = `PROXY_STATUS_${status}`;
      for (const facts of [{}, { code: "ECONNRESET" }, { code: "UND_ERR_ABORTED" }]) {
        const refused = Object.assign(new Error(message), facts);
        expect(read(refused)).toMatchObject({ kind: "proxy", code, message });
        const cause = new TypeError("fetch failed", { cause: refused });
        expect(read(cause)).toMatchObject({ kind: "proxy", code, message });
      }
    },
  );

  test("because Node's own tunnel failed has the status of the tunnel's error", () => {
    const facts = { code: "ERR_PROXY_TUNNEL", statusCode: 407 };
    const refused = Object.assign(new Error("Failed to establish tunnel"), facts);
    expect(read(refused)).toMatchObject({ kind: "proxy", code: "PROXY_STATUS_407" });
  });

  test.each([
    "connect ECONNREFUSED 10.0.0.1:443",
    "connect ETIMEDOUT 203.0.113.7:443",
    "the proxy 10.0.0.1:443 is not there",
  ])("because of %j is not a proxy's refusal, though it has a number like a status", (message) => {
    expect(read(withCode("ECONNREFUSED", message)).kind).toBe("network");
  });

  test("for an unknown reason is a fault of this process", () => {
    expect(read(new RangeError("a plugin's bug"))).toMatchObject({
      kind: "local",
      code: "RangeError",
    });
  });

  test.each(HOSTILE)("is read without an error when %s is thrown", (_, make) => {
    expect(["local", "network"]).toContain(read(make()).kind);
  });
});

describe("a fault anywhere in the chain", () => {
  const system = (code: string) => Object.assign(new Error(`connect ${code}`), { code });
  const foreign = (source: string): unknown => runInNewContext(source);

  test.each<[string, () => unknown, string]>([
    [
      "fetch",
      () => new TypeError("fetch failed", { cause: system("ECONNREFUSED") }),
      "ECONNREFUSED",
    ],
    [
      "fetch of several addresses",
      () => new TypeError("fetch failed", { cause: new AggregateError([system("ENETUNREACH")]) }),
      "ENETUNREACH",
    ],
    [
      "undici",
      () => new TypeError("fetch failed", { cause: system("UND_ERR_CONNECT_TIMEOUT") }),
      "UND_ERR_CONNECT_TIMEOUT",
    ],
    [
      "a handler around fetch",
      () => new Error("sending failed", { cause: new TypeError("x", { cause: system("EPIPE") }) }),
      "EPIPE",
    ],
    [
      "a fetch of another realm",
      () =>
        foreign(
          "new TypeError('fetch failed', { cause: Object.assign(new Error('x'), { code: 'ENOTFOUND' }) })",
        ),
      "ENOTFOUND",
    ],
    ["HTTP/2", () => system("ERR_HTTP2_GOAWAY_SESSION"), "ERR_HTTP2_GOAWAY_SESSION"],
    ["undici's socket", () => system("UND_ERR_SOCKET"), "UND_ERR_SOCKET"],
    ["Bun", () => system("ConnectionRefused"), "ConnectionRefused"],
    [
      "a certificate behind fetch",
      () => new TypeError("fetch failed", { cause: system("CERT_HAS_EXPIRED") }),
      "CERT_HAS_EXPIRED",
    ],
    ["a plain object", () => ({ name: "Error", message: "x", code: "ECONNRESET" }), "ECONNRESET"],
  ])("of %s is a network failure", (_, make, code) => {
    expect(read(make())).toMatchObject({ kind: "network", code });
  });

  test.each(["fetch failed", "Failed to fetch", "Load failed", "error sending request for url"])(
    "with the message %j and no cause is a network failure",
    (message) => {
      expect(read(new TypeError(message)).kind).toBe("network");
    },
  );

  test("is a timeout as an error, as a DOMException, and as the cause of another error", () => {
    const timeout = new DOMException("The operation was aborted due to timeout", "TimeoutError");
    const named = Object.assign(new Error("too slow"), { name: "TimeoutError" });
    for (const thrown of [named, new Error("no response", { cause: named })]) {
      expect(read(thrown).kind).toBe("timeout");
    }
    expect(["timeout", "network"]).toContain(read(timeout).kind);
  });

  test("is a response when a role assumer wraps it", () => {
    const inner = response(403, { Code: "AccessDenied" });
    expect(read(new Error("the assumer failed", { cause: inner }))).toMatchObject({
      ...{ kind: "response", code: "AccessDenied", httpStatus: 403, message: "the words" },
    });
  });

  test.each(["ENOENT", "EISDIR", "UND_ERR_INVALID_ARG", "EXPIRED", "E"])(
    "with the code %s of a plugin is not a network failure",
    (code) => {
      const syscall = "open";
      expect(read(Object.assign(new Error("x"), { code, syscall })).kind).toBe("local");
    },
  );

  test("is a network failure when the system call is one of the network", () => {
    const facts = { code: "ENOENT", syscall: "connect" };
    expect(read(Object.assign(new Error("x"), facts)).kind).toBe("network");
  });
});

describe("an error that looks like another one", () => {
  const failed = (facts: object, message = "x") => read(Object.assign(new Error(message), facts));

  test("is not a response when its status is not a number", () => {
    expect(failed({ $metadata: { httpStatusCode: "403" } }).kind).toBe("local");
  });

  test("is a bad response with a status below 300, and a response from 300", () => {
    expect(read(response(299)).kind).toBe("bad-response");
    expect(read(response(300)).kind).toBe("response");
  });

  test("has the request ID of the body if the header has none", () => {
    const $metadata = { httpStatusCode: 400 };
    expect(read(response(400, { $metadata, RequestId: "of-body" })).requestId).toBe("of-body");
    expect(read(response(400, { $metadata })).requestId).toBeUndefined();
    expect(read(response(400, { $metadata, RequestId: 7 })).requestId).toBeUndefined();
    expect(read(response(400, { Code: "" })).code).toBe("AccessDenied");
  });

  test.each<[string, object, string, string]>([
    ["a code that only ends like one", { code: "xEFOO", syscall: "connect" }, "x", "local"],
    ["a code that only begins like one", { code: "EFOO_1", syscall: "connect" }, "x", "local"],
    ["an unknown code while connecting", { code: "EFOO", syscall: "connect" }, "x", "network"],
    ["an unknown code and no system call", { code: "EFOO" }, "x", "local"],
    ["a payload that failed", {}, "the payload failed", "local"],
    ["a load that failed", {}, "Load failed", "network"],
    ["a connection that was reset", {}, "the connection was reset", "network"],
    ["a connection reset", {}, "connection reset by peer", "network"],
    ["a status of something else", { statusCode: 407 }, "x", "local"],
    ["a tunnel refusal without a status", { code: "ERR_PROXY_TUNNEL" }, "x", "proxy"],
    ["SOCKS without a version", {}, "socks proxy rejected the connection", "proxy"],
  ])("with %s has the kind that its facts show", (_, facts, message, kind) => {
    expect(failed(facts, message).kind).toBe(kind);
  });

  test("has the status of its tunnel if that is a number", () => {
    const code = "ERR_PROXY_TUNNEL";
    expect(failed({ code, statusCode: 407 }).code).toBe("PROXY_STATUS_407");
    expect(failed({ code, statusCode: "407" }).code).toBe("PROXY_STATUS_403");
  });
});

describe("a failure", () => {
  const shown = (thrown: unknown, token: string) => {
    const { cause, ...failure } = read(thrown, token);
    return JSON.stringify([failure, cause?.name, cause?.message, cause?.stack, cause]);
  };

  test.each([
    ["a JWT", TOKEN],
    ["an opaque token", "Atza|IQEBLjAsAhRmHjNgHpi0U-Dme37rR6CuUpSREXAMPLE"],
  ])("contains no token that is %s, wherever it was echoed", (_, token) => {
    const echo = `echo ${token} end`;
    const places = ["message", "name", "Code", "code", "RequestId", "stack"];
    const inner = Object.assign(new Error(echo), { stack: echo });
    for (const facts of [...places.map((place) => ({ [place]: echo })), { cause: inner }]) {
      expect(shown(response(400, facts), token)).not.toContain(token);
      expect(shown(Object.assign(new Error("x"), facts), token)).not.toContain(token);
    }
    const $metadata = { httpStatusCode: 400, requestId: echo };
    expect(shown(response(400, { $metadata }), token)).not.toContain(token);
  });

  test("keeps a part of a token that is too short to be a secret", () => {
    const words = "Not authorized: kurz";
    expect(read(response(403, { message: words }), "header.kurz.short").message).toBe(words);
  });

  test("contains no part of a token", () => {
    const [, payload = "", signature = ""] = TOKEN.split(".");
    for (const part of [payload, signature]) {
      expect(shown(response(400, { message: `bad part: ${part}` }), TOKEN)).not.toContain(part);
    }
  });

  test.each(Object.entries(SPELLINGS))("contains no opaque token %s", (_, spell) => {
    const token = "Atza|IQEBLjAsAhRmHjNgHpi0U-Dme37rR6CuUpSREXAMPLE";
    const pieces = spell(piecesOf(token));
    const echo = `got ${pieces.join("")} here`;
    for (const thrown of [response(400, { message: echo, Code: echo }), new Error(echo)]) {
      const { cause, ...failure } = read(thrown, token);
      const texts = [failure.code, failure.message, cause?.message, cause?.stack, cause?.name];
      expect(partIn(texts.join("\n"), pieces, 20)).toBeUndefined();
    }
  });

  test("contains no subject, which errors show only as a hash", () => {
    const sub = "repo:acme/app:ref:refs/heads/main";
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const token = `${part({ alg: "RS256" })}.${part({ sub })}.c2lnbmF0dXJlLXNpZ25hdHVyZQ`;
    for (const echo of [sub, encodeURIComponent(sub), sub.replaceAll("/", "&#47;")]) {
      expect(shown(response(403, { message: `${echo} is denied` }), token)).toContain(
        "[redacted] is",
      );
      expect(shown(response(403, { message: `${echo} is denied` }), token)).not.toContain(echo);
    }
  });

  test("keeps a subject of fifteen characters, which may be a word", () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const tokenOf = (sub: unknown) => `${part({ alg: "RS256" })}.${part({ sub })}.c2ln`;
    const messageFor = (sub: string) =>
      read(response(403, { message: `no ${sub}` }), tokenOf(sub)).message;
    expect(messageFor("fifteen-letters")).toBe("no fifteen-letters");
    expect(messageFor("sixteen--letters")).toBe("no [redacted]");
    expect(read(response(403, { message: "no 7" }), tokenOf(7)).message).toBe("no 7");
  });
});
