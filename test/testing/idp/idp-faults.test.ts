import { describe, expect, test } from "vitest";
import {
  type IdpFault,
  type LocalIdp,
  startLocalIdp,
  startLocalSts,
} from "../../../src/testing/index.js";
import { assumeRole } from "../../support/call-sts.js";

const VERIFICATION_KEY =
  /^Couldn't retrieve verification key from your identity provider, {2}please/;

const startIdp = () => startLocalIdp({ algorithm: "ES256" });

async function failureOf(url: string): Promise<string> {
  const cause = await fetch(url).then(
    (response) =>
      response.text().then(
        () => `${response.status}`,
        (error: Error) => error.cause,
      ),
    (error: Error) => error.cause,
  );
  if (typeof cause === "string") return cause;
  return cause instanceof Error && "code" in cause ? String(cause.code) : "no code";
}

describe("a fault of the local IdP", () => {
  test.each<[string, IdpFault, string]>([
    ["a rate limit", { kind: "rate-limit" }, "429"],
    ["an outage with a status", { kind: "status", httpStatus: 503 }, "503"],
    ["a login wall", { kind: "html" }, "200"],
    ["a reset connection", { kind: "reset" }, "ECONNRESET"],
    ["a response cut in the middle", { kind: "truncate" }, "UND_ERR_SOCKET"],
  ])("such as %s reaches every client, and STS finds no key", async (_, fault, seen) => {
    await using idp = await startIdp();
    await using sts = await startLocalSts({ providers: [idp] });
    idp.setFault({ ...fault, on: "jwks" });
    expect(await failureOf(idp.jwksUrl)).toBe(seen);
    expect((await fetch(idp.discoveryUrl)).status).toBe(200);
    const token = await idp.issueToken();
    const reply = await assumeRole(sts, token);
    expect(reply).toMatchObject({ code: "InvalidIdentityToken", httpStatus: 400 });
    expect(reply.message).toMatch(VERIFICATION_KEY);
    idp.clearFaults();
    expect(await assumeRole(sts, token)).toMatchObject({ code: "ok" });
  });

  test.each<[string, IdpFault]>([
    ["a response that never comes", { kind: "hang" }],
    ["a response of one byte at a time", { kind: "trickle", intervalMs: 20 }],
    ["a late response", { kind: "slow", delayMs: 60_000 }],
  ])("such as %s can exceed the timeout of STS", async (_, fault) => {
    await using idp = await startIdp();
    await using sts = await startLocalSts({ providers: [idp], idpTimeoutMs: 100 });
    idp.setFault(fault);
    const reply = await assumeRole(sts, await idp.issueToken());
    expect(reply.message).toMatch(VERIFICATION_KEY);
  });

  test("in two documents counts against one timeout of STS", async () => {
    await using idp = await startIdp();
    await using sts = await startLocalSts({ providers: [idp], idpTimeoutMs: 1_000 });
    idp.setFault({ kind: "slow", delayMs: 600 });
    const reply = await assumeRole(sts, await idp.issueToken());
    expect(reply.message).toMatch(VERIFICATION_KEY);
    expect(idp.counts).toEqual({ discovery: 1, jwks: 1 });
  });

  test("that only trickles or is slow sends the whole document", async () => {
    await using idp = await startIdp();
    idp.failNext({ kind: "trickle", intervalMs: 0 });
    expect(await (await fetch(idp.discoveryUrl)).text()).toBe(idp.discoveryText);
    idp.failNext({ kind: "slow", delayMs: 1 });
    expect(await (await fetch(idp.discoveryUrl)).text()).toBe(idp.discoveryText);
  });

  test("that redirects is not followed by STS", async () => {
    await using idp = await startIdp();
    await using sts = await startLocalSts({ providers: [idp] });
    idp.setFault({ kind: "redirect", location: idp.jwksUrl, on: "discovery" });
    const response = await fetch(idp.discoveryUrl, { redirect: "manual" });
    expect([response.status, response.headers.get("location")]).toEqual([302, idp.jwksUrl]);
    const reply = await assumeRole(sts, await idp.issueToken());
    expect(reply.message).toMatch(VERIFICATION_KEY);
    expect(idp.counts).toEqual({ discovery: 2, jwks: 0 });
  });

  test("applies to the given number of requests, with Retry-After", async () => {
    await using idp = await startIdp();
    idp.setFault({ kind: "rate-limit", retryAfterSeconds: 2, times: 2, on: "jwks" });
    const first = await fetch(idp.jwksUrl);
    expect([first.status, first.headers.get("retry-after")]).toEqual([429, "2"]);
    expect(await statuses(idp, 2)).toEqual([429, 200]);
  });

  test("can apply to the requests over a limit in a window of time", async () => {
    let now = 0;
    await using idp = await startLocalIdp({ algorithm: "ES256", now: () => now });
    idp.setFault({ kind: "rate-limit", limit: { requests: 2, windowSeconds: 10 } });
    expect(await statuses(idp, 3)).toEqual([200, 200, 429]);
    now = 10_000;
    expect(await statuses(idp, 1)).toEqual([200]);
  });
});

describe("a local IdP that refuses connections", () => {
  test("accepts them again on the same port", async () => {
    await using idp = await startIdp();
    await using sts = await startLocalSts({ providers: [idp] });
    const { port } = idp;
    await idp.refuseConnections();
    expect(await failureOf(idp.jwksUrl)).toBe("ECONNREFUSED");
    const token = await idp.issueToken();
    expect((await assumeRole(sts, token)).message).toMatch(VERIFICATION_KEY);
    await idp.acceptConnections();
    expect(idp.port).toBe(port);
    expect(await assumeRole(sts, token)).toMatchObject({ code: "ok" });
  });
});

describe("closing a local IdP", () => {
  test("ends hanging requests, and may happen twice", async () => {
    const idp = await startIdp();
    idp.setFault({ kind: "hang" });
    const hung = failureOf(idp.jwksUrl);
    await expect.poll(() => idp.counts.jwks).toBe(1);
    await idp.close();
    expect(await hung).not.toBe("200");
    expect(idp.connections.open).toBe(0);
    await idp.close();
    await expect(idp.acceptConnections()).rejects.toThrow(TypeError);
  });
});

async function statuses(idp: LocalIdp, times: number): Promise<number[]> {
  const seen: number[] = [];
  for (let index = 0; index < times; index += 1) seen.push((await fetch(idp.jwksUrl)).status);
  return seen;
}
