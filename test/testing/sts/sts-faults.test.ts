import { describe, expect, test } from "vitest";
import {
  type LocalIdp,
  type LocalSts,
  type StsFault,
  startLocalIdp,
  startLocalSts,
} from "../../../src/testing/index.js";
import { assumeRole } from "../../support/call-sts.js";

async function outcomes(sts: LocalSts, idp: LocalIdp, times: number): Promise<string[]> {
  const token = await idp.issueToken();
  const seen: string[] = [];
  for (let index = 0; index < times; index += 1) seen.push((await assumeRole(sts, token)).code);
  return seen;
}

const startIdp = () => startLocalIdp({ algorithm: "ES256" });

describe("a fault of the local STS", () => {
  test.each<[StsFault, string, number | undefined, RegExp]>([
    ["idp-unreachable", "InvalidIdentityToken", 400, /provider, {2}please reference/],
    ["throttled", "Throttling", 400, /^Rate exceeded$/],
    ["sts-unavailable", "ServiceUnavailable", 503, /./],
    ["token-expired", "ExpiredTokenException", 400, /^Token expired: current date\/time \d+ must/],
    ["token-early", "InvalidIdentityToken", 400, /^Token issued in the future: \d+$/],
    ["token-rejected", "InvalidIdentityToken", 400, /could not be validated/],
    ["access-denied", "AccessDenied", 403, /^Not authorized to perform/],
    ["region-disabled", "RegionDisabledException", 403, /in this region for account:123456789012/],
    ["request-invalid", "ValidationError", 400, /^Request ARN is invalid$/],
    ["unknown", "InvalidIdentityToken", 400, /undocumented reason/],
    ["html", "Unknown", 502, /./],
    ["reset", "ECONNRESET", undefined, /./],
    ["empty-200", "ok", 200, /^$/],
    [{ code: "Odd", message: "a <b> & 'c'", httpStatus: 418 }, "Odd", 418, /^a <b> & 'c'$/],
  ])("such as %o applies to one request", async (fault, code, httpStatus, message) => {
    await using idp = await startIdp();
    await using sts = await startLocalSts({ providers: [idp] });
    const token = await idp.issueToken();
    sts.failNext(fault);
    const reply = await assumeRole(sts, token);
    expect(reply.code).toBe(code);
    expect(reply.httpStatus).toBe(httpStatus);
    expect(reply.message ?? "").toMatch(message);
    expect(reply.output?.Credentials).toBeUndefined();
    const named = typeof fault === "object" || code === "Unknown" || code === "ok" ? fault : code;
    if (typeof named === "string" && code !== "ECONNRESET") {
      expect(sts.requests[0]?.outcome).toBe(named);
    }
    expect((await assumeRole(sts, token)).output?.Credentials).toBeDefined();
  });

  test("sends its own Retry-After, headers and status", async () => {
    await using sts = await startLocalSts();
    sts.failNext("throttled", { retryAfterSeconds: 3 });
    expect(await assumeRole(sts, "token")).toMatchObject({ code: "Throttling", retryAfter: "3" });
    const headers = { "retry-after": "7" };
    sts.failNext({ code: "TooManyRequests", message: "", httpStatus: 429, headers });
    expect(await assumeRole(sts, "token")).toMatchObject({ httpStatus: 429, retryAfter: "7" });
    sts.failNext("html", { httpStatus: 403 });
    expect(await assumeRole(sts, "token")).toMatchObject({ code: "Unknown", httpStatus: 403 });
  });

  test("with a count applies in the order it was set, and then the newest fault without one", async () => {
    await using idp = await startIdp();
    await using sts = await startLocalSts({ providers: [idp] });
    sts.setFault("region-disabled");
    sts.setFault("access-denied");
    sts.failNext("throttled", { times: 2 });
    sts.failNext("sts-unavailable");
    expect(await outcomes(sts, idp, 5)).toEqual([
      "Throttling",
      "Throttling",
      "ServiceUnavailable",
      "AccessDenied",
      "AccessDenied",
    ]);
    sts.clearFaults();
    expect(await outcomes(sts, idp, 1)).toEqual(["ok"]);
  });

  test("with a probability applies to that share of the requests", async () => {
    const draws = [0.69, 0.7, 0, 0.99];
    await using idp = await startIdp();
    await using sts = await startLocalSts({ providers: [idp], random: () => draws.shift() ?? 1 });
    sts.setFault("throttled", { probability: 0.7 });
    expect(await outcomes(sts, idp, 4)).toEqual(["Throttling", "ok", "Throttling", "ok"]);
  });

  test("with a condition applies only to the requests that meet it", async () => {
    await using idp = await startIdp();
    await using sts = await startLocalSts({ providers: [idp] });
    const when = ({ parameters }: { parameters: Readonly<Record<string, string>> }) =>
      parameters.RoleSessionName === "unlucky";
    sts.setFault("access-denied", { when });
    const token = await idp.issueToken();
    const unlucky = await assumeRole(sts, token, { RoleSessionName: "unlucky" });
    expect([unlucky.code, (await assumeRole(sts, token)).code]).toEqual(["AccessDenied", "ok"]);
  });

  test("with a limit applies only to the requests over it", async () => {
    let now = Date.now();
    await using idp = await startIdp();
    await using sts = await startLocalSts({ providers: [idp], now: () => now });
    sts.setFault("throttled", { limit: { requests: 2, windowSeconds: 1 } });
    expect(await outcomes(sts, idp, 3)).toEqual(["ok", "ok", "Throttling"]);
    now += 1000;
    expect(await outcomes(sts, idp, 1)).toEqual(["ok"]);
  });

  test("can send the correct response late", async () => {
    await using idp = await startIdp();
    await using sts = await startLocalSts({ providers: [idp] });
    sts.failNext("slow", { delayMs: 1 });
    expect(await outcomes(sts, idp, 1)).toEqual(["ok"]);
  });

  test.each([
    { times: 0 },
    { times: 1.5 },
    { probability: 2 },
    { limit: { requests: 1, windowSeconds: 0 } },
  ])("with the invalid rule %o is a TypeError", async (options) => {
    await using sts = await startLocalSts();
    expect(() => sts.setFault("throttled", options)).toThrow(TypeError);
  });
});

describe("the local STS as a server", () => {
  test("reports an exception of a function that the test passed", async () => {
    await using sts = await startLocalSts();
    const when = () => {
      throw new RangeError("oops");
    };
    sts.setFault("throttled", { when });
    const response = await fetch(sts.url);
    expect([response.status, await response.text()]).toEqual([
      500,
      "The local server failed: RangeError: oops",
    ]);
    expect(sts.requests[0]?.outcome).toBe("failed");
  });

  test("closes immediately while a request hangs", async () => {
    const sts = await startLocalSts();
    sts.failNext("hang");
    const hung = assumeRole(sts, "token");
    await expect.poll(() => sts.requests[0]?.outcome).toBe("hang");
    await sts.close();
    expect(await hung).toMatchObject({ code: "ECONNRESET" });
    expect(sts.connections).toEqual({ total: 1, open: 0 });
  });

  test("closes immediately while it waits for an IdP", async () => {
    await using idp = await startIdp();
    idp.setFault({ kind: "hang" });
    const sts = await startLocalSts({ providers: [idp] });
    const hung = assumeRole(sts, await idp.issueToken());
    await expect.poll(() => idp.counts.discovery).toBe(1);
    await sts.close();
    expect(await hung).toMatchObject({ code: "ECONNRESET" });
    await expect.poll(() => idp.connections.open).toBe(0);
    expect(sts.requests[0]?.outcome).toBe("aborted");
  });

  test("refuses connections, and accepts them again on the same port", async () => {
    await using idp = await startIdp();
    await using sts = await startLocalSts({ providers: [idp] });
    await sts.refuseConnections();
    expect(await outcomes(sts, idp, 1)).toEqual(["ECONNREFUSED"]);
    await sts.acceptConnections();
    expect(await outcomes(sts, idp, 1)).toEqual(["ok"]);
  });

  test("listens on the given port, and reports when another process uses it", async () => {
    await using first = await startLocalSts();
    await expect(startLocalSts({ port: first.port })).rejects.toMatchObject({ code: "EADDRINUSE" });
    const { port } = first;
    await first.close();
    await using second = await startLocalSts({ port });
    expect(second.url).toBe(`http://127.0.0.1:${port}`);
  });
});

describe("the request log of the local STS", () => {
  test("contains no token and no secret", async () => {
    await using idp = await startIdp();
    await using sts = await startLocalSts({ providers: [idp] });
    const token = await idp.issueToken({ subject: "me" });
    const { output } = await assumeRole(sts, token, { DurationSeconds: 900 });
    await assumeRole(sts, `${token}x`);
    await fetch(`${sts.url}/?Action=AssumeRoleWithWebIdentity&WebIdentityToken=${token}`);
    const log = JSON.stringify(sts.requests);
    for (const secret of [...token.split("."), output?.Credentials?.SecretAccessKey]) {
      expect(log).not.toContain(secret);
    }
    expect(log).not.toContain(output?.Credentials?.SessionToken);
  });

  test("shows the parameters, the facts of the token and the outcome of each request", async () => {
    await using idp = await startIdp();
    await using sts = await startLocalSts({ providers: [idp], now: () => Date.now() });
    const token = await idp.issueToken({ subject: "me" });
    await assumeRole(sts, token, { DurationSeconds: 900 });
    expect(sts.requests[0]).toMatchObject({
      action: "AssumeRoleWithWebIdentity",
      host: `127.0.0.1:${sts.port}`,
      path: "/",
      region: undefined,
      parameters: { RoleSessionName: "test-session", DurationSeconds: "900" },
      token: {
        issuer: idp.issuer,
        subject: "me",
        audience: ["sts.amazonaws.com"],
        keyId: idp.kid,
        algorithm: "ES256",
        length: token.length,
      },
      connection: 1,
      outcome: "ok",
    });
    sts.resetRequests();
    expect(sts.requests).toEqual([]);
  });
});
