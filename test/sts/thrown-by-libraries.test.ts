import { describe, expect, test } from "vitest";
import { type Situation, situationOf } from "../../src/retry/verdict.js";
import { readFailure } from "../../src/sts/read-failure.js";

const read = (thrown: unknown) => readFailure(thrown, "a.b.c", Date.UTC(2026, 0, 1));
const error = (message: string, facts: object = {}) => Object.assign(new Error(message), facts);

/** What the libraries below a request handler throw, by their sources, and what it means. */
const THROWN: readonly (readonly [string, () => unknown, Situation])[] = [
  // Proxies that do not open a tunnel.
  [
    "https-proxy-agent, when the proxy hangs up",
    () => error("Proxy connection ended before receiving CONNECT response"),
    "proxy-failed",
  ],
  [
    "https-proxy-agent, when the proxy says nothing that it knows",
    () => error("No header received from proxy CONNECT response"),
    "proxy-failed",
  ],
  [
    "https-proxy-agent, when the proxy is not an HTTP server",
    () => error('Invalid header from proxy CONNECT response: "SSH-2.0"'),
    "proxy-failed",
  ],
  [
    "https-proxy-agent, when credentials are refused",
    () => error("Proxy authentication failed with status 407 after retry"),
    "proxy-credentials",
  ],
  ["hpagent", () => error("Proxy timeout"), "proxy-failed"],
  ["socks", () => error("Proxy connection timed out"), "proxy-failed"],
  ["socks", () => error("Received invalid Socks5 final handshake response"), "proxy-failed"],
  ["socks", () => error("Socks4 invalid incoming connection response"), "proxy-failed"],
  ["socks", () => error("Socket closed"), "unreachable"],
  [
    "socks, without credentials",
    () => error("Received invalid Socks5 initial handshake (no accepted authentication type)"),
    "proxy-credentials",
  ],
  [
    "undici, when the proxy's certificate is refused",
    () => error("Secure Proxy Connection failed", { code: "UND_ERR_PRX_TLS" }),
    "proxy-failed",
  ],
  ["undici", () => error("SOCKS5 proxy error", { code: "UND_ERR_SOCKS5" }), "proxy-failed"],
  ["Chromium", () => error("net::ERR_TUNNEL_CONNECTION_FAILED"), "proxy-failed"],
  // Statuses that are thrown.
  [
    "axios, when the proxy requires credentials",
    () => error("Request failed with status code 407", { code: "ERR_BAD_REQUEST" }),
    "proxy-credentials",
  ],
  [
    "got, when the proxy requires credentials",
    () =>
      error("Request failed with status code 407 (Proxy Authentication Required): POST https://x", {
        code: "ERR_NON_2XX_3XX_RESPONSE",
      }),
    "proxy-credentials",
  ],
  [
    "got, before version 14",
    () => error("Response code 407 (Proxy Authentication Required)"),
    "proxy-credentials",
  ],
  [
    "ky and superagent, by a field",
    () => error("Proxy Authentication Required", { response: { status: 407 } }),
    "proxy-credentials",
  ],
  [
    "request-promise, by a field",
    () => error("x", { response: { statusCode: 407 } }),
    "proxy-credentials",
  ],
  ["undici", () => error("Response status code 503", { code: "UND_ERR_RESPONSE" }), "sts-error"],
  ["undici", () => error("x", { code: "UND_ERR_RESPONSE", statusCode: 503 }), "sts-error"],
  ["axios", () => error("Request failed with status code 503"), "sts-error"],
  ["axios", () => error("Request failed with status code 429"), "throttled"],
  ["axios", () => error("Request failed with status code 400"), "response-hidden"],
  [
    "axios behind another error",
    () => new Error("x", { cause: error("Request failed with status code 403") }),
    "response-hidden",
  ],
  // Connections.
  [
    "smithy's HTTP/2 handler",
    () => error("Unexpected error: http2 request did not get a response"),
    "unreachable",
  ],
  [
    "smithy's HTTP/2 handler",
    () => error("HTTP/2 stream is abnormally aborted in mid-communication with result code 2."),
    "unreachable",
  ],
  [
    "smithy's HTTP/2 handler",
    () => error("Frame type id 1 in stream id 3 has failed with code 7."),
    "unreachable",
  ],
  [
    "smithy's HTTP/2 handler",
    () => error("@smithy/node-http-handler - cannot acquire reference to destroyed session."),
    "unreachable",
  ],
  ["code in the words", () => error("connect ECONNREFUSED 10.0.0.1:443"), "unreachable"],
  ["a thrown string", () => "connect ECONNREFUSED 10.0.0.1:443", "unreachable"],
  ["a thrown string", () => "getaddrinfo ENOTFOUND sts.eu-west-1.amazonaws.com", "unreachable"],
  [
    "node-fetch",
    () => error("request to https://x/ failed, reason: connect ETIMEDOUT 10.0.0.1:443"),
    "timeout",
  ],
  [
    "got",
    () =>
      error("Content-Length mismatch: expected 10 bytes, received 3 bytes", {
        code: "ERR_HTTP_CONTENT_LENGTH_MISMATCH",
      }),
    "unreachable",
  ],
  ["got", () => error("x", { code: "ERR_READING_RESPONSE_STREAM" }), "unreachable"],
  [
    "undici",
    () =>
      error("Response body length does not match", { code: "UND_ERR_RES_CONTENT_LENGTH_MISMATCH" }),
    "unreachable",
  ],
  ["undici", () => error("Request retry error", { code: "UND_ERR_REQ_RETRY" }), "unreachable"],
  ["undici", () => error("other side closed", { code: "UND_ERR_SOCKET" }), "unreachable"],
  ["Electron", () => error("net::ERR_INTERNET_DISCONNECTED"), "unreachable"],
  ["follow-redirects", () => error("Maximum number of redirects exceeded"), "unreachable"],
  ["node-fetch", () => error("maximum redirect reached at: https://x/"), "unreachable"],
  // Limits and signals.
  ["axios", () => error("canceled", { name: "CanceledError", code: "ERR_CANCELED" }), "timeout"],
  ["axios", () => error("timeout of 5000ms exceeded", { code: "ECONNABORTED" }), "timeout"],
  ["got", () => error("Promise was canceled", { name: "CancelError" }), "timeout"],
  ["fetch", () => new DOMException("This operation was aborted", "AbortError"), "timeout"],
  ["smithy", () => error("Request aborted", { name: "AbortError" }), "timeout"],
  ["undici", () => error("Headers Timeout Error", { code: "UND_ERR_HEADERS_TIMEOUT" }), "timeout"],
  [
    "smithy",
    () =>
      error(
        "@smithy/node-http-handler - the request socket timed out after 9 ms of inactivity (configured by client requestHandler).",
        { name: "TimeoutError" },
      ),
    "timeout",
  ],
  // Certificates, in OpenSSL's words alone.
  [
    "OpenSSL's words",
    () => error("unable to verify the first certificate"),
    "certificate-untrusted",
  ],
  ["OpenSSL's words", () => error("certificate has expired"), "certificate-dates"],
  [
    "Node's words",
    () =>
      error(
        "Hostname/IP does not match certificate's altnames: Host: x. is not in the cert's altnames",
      ),
    "certificate-name",
  ],
  ["Chromium", () => error("net::ERR_CERT_AUTHORITY_INVALID"), "certificate-untrusted"],
  ["Chromium", () => error("net::ERR_CERT_DATE_INVALID"), "certificate-dates"],
  ["OpenSSL's older words", () => error("self signed certificate"), "certificate-untrusted"],
  // By one sign alone.
  ["undici, by its code", () => error("x", { code: "UND_ERR_PRX_TLS" }), "proxy-failed"],
  ["undici, by its code", () => error("x", { code: "UND_ERR_SOCKS5_AUTH" }), "proxy-failed"],
  ["a SOCKS agent", () => error("SOCKS proxy error"), "proxy-failed"],
  [
    "got, by its code",
    () => error("x", { code: "ERR_NON_2XX_3XX_RESPONSE", statusCode: 503 }),
    "sts-error",
  ],
  [
    "undici, by another field",
    () => error("x", { code: "UND_ERR_RESPONSE", status: 503 }),
    "sts-error",
  ],
  [
    "a status at the lower bound",
    () => error("x", { response: { status: 300 } }),
    "response-hidden",
  ],
  ["a status at the upper bound", () => error("x", { response: { status: 599 } }), "sts-error"],
  ["words", () => error("the request time out"), "timeout"],
  ["words", () => error("timedout"), "timeout"],
  ["words", () => error("it timed out"), "timeout"],
  ["got, by its code", () => error("x", { code: "ERR_CANCELED" }), "timeout"],
  ["Node, by its code", () => error("x", { code: "ABORT_ERR" }), "timeout"],
  // What looks like it.
  ["a status above the bound", () => error("x", { response: { status: 600 } }), "thrown-here"],
  ["a status below the bound", () => error("x", { response: { status: 299 } }), "thrown-here"],
  ["a status that is text", () => error("x", { response: { status: "503" } }), "thrown-here"],
  ["a longer code", () => error("x", { code: "X_UND_ERR_SOCKS5" }), "thrown-here"],
  ["a longer code", () => error("x", { code: "X_ERR_CANCELED" }), "thrown-here"],
  ["a longer code", () => error("x", { code: "ERR_CANCELED_X" }), "thrown-here"],
  ["a longer name", () => error("x", { name: "MyTimeoutError" }), "thrown-here"],
  ["a longer name", () => error("x", { name: "AbortErrors" }), "thrown-here"],
  ["words of a plugin", () => error("no proxy connection ended here"), "thrown-here"],
  ["words of a plugin", () => error("my socks5 invalid colour"), "thrown-here"],
  ["words of a plugin", () => error("no socks proxy error"), "thrown-here"],
  ["words of a plugin", () => error("no secure proxy connection failed"), "thrown-here"],
  ["words of a plugin", () => error("a frame type id of mine has failed"), "thrown-here"],
  ["an empty code and name", () => error("x", { code: "", name: "" }), "thrown-here"],
  // Wrong use, and what has nothing to do with the network.
  ["undici", () => error("x", { code: "UND_ERR_REQ_CONTENT_LENGTH_MISMATCH" }), "thrown-here"],
  ["a plugin's status", () => error("x", { statusCode: 407 }), "thrown-here"],
  ["a plugin's status", () => error("x", { response: { status: 200 } }), "thrown-here"],
  ["a plugin's file", () => error("ENOENT: no such file or directory, open '/x'"), "thrown-here"],
];

describe("an error that a library throws", () => {
  test.each(THROWN)("by %s, is of the situation %s", (_, make, situation) => {
    const failure = readFailure(make(), "a.b.c", 0);
    expect(situationOf(failure), JSON.stringify(failure)).toBe(situation);
    expect(situationOf(read(new TypeError("fetch failed", { cause: make() })))).toBe(
      situation === "thrown-here" ? "unreachable" : situation,
    );
  });

  test("has the code of the proxy's fault, or its name if the code is empty", () => {
    expect(read(error("Proxy timeout", { code: "X" })).code).toBe("PROXY_FAILED");
    expect(read(error("x", { code: "" })).code).toBe("Error");
  });

  test("keeps the message and the number of a status", () => {
    const { cause: _, ...failure } = read(error("Request failed with status code 503"));
    expect(failure).toEqual({
      ...{ kind: "response", code: "HTTP_STATUS_503", httpStatus: 503 },
      message: "Request failed with status code 503",
    });
  });
});
