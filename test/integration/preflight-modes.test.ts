import { describe, expect, test } from "vitest";
import type { WebIdentityEvent } from "../../src/index.js";
import type { WebIdentityInit } from "../../src/provider/options.js";
import { until, VirtualClock } from "../support/virtual-clock.js";
import { rejection, startWorld } from "../support/world.js";
import { checkingIn, found, issuerRequests, startPreflightWorld } from "./preflight-world.js";

const finished = (events: readonly WebIdentityEvent[]) =>
  events.flatMap((event) => (event.type === "preflight.finished" ? [event] : []));

/** STS has the keys, and the IdP says nothing any more. */
async function silentIssuer(init: WebIdentityInit) {
  const world = await startWorld({ clock: new VirtualClock(0) });
  await world.provide()();
  world.idp.setFault({ kind: "hang" });
  world.idp.resetRequests();
  return Object.assign(world, { provider: world.provide(init) });
}

describe("advisory mode", () => {
  test("sends no request to an issuer while STS succeeds", async () => {
    await using world = await startWorld({ clock: new VirtualClock(0) });
    const provider = world.provide(checkingIn("advisory"));
    await provider();
    await world.clock.advance(5_000);
    expect(issuerRequests(world.idp)).toEqual([]);
    expect(provider.status().preflight).toBeUndefined();
  });

  test("checks the issuer when STS has not responded for a second, and does not wait for the result", async () => {
    await using world = await silentIssuer(checkingIn("advisory"));
    let respond = () => {};
    const responded = new Promise<void>((resolve) => {
      respond = resolve;
    });
    const roleAssumerWithWebIdentity = async () => {
      await responded;
      return { accessKeyId: "ASIA", secretAccessKey: "secret" };
    };
    const provider = world.provide({ ...checkingIn("advisory"), roleAssumerWithWebIdentity });
    const credentials = provider();
    await world.clock.advance(999);
    expect(issuerRequests(world.idp)).toEqual([]);
    await world.clock.advance(1);
    await until(() => issuerRequests(world.idp).length === 1);
    respond();
    await expect(credentials).resolves.toHaveProperty("accessKeyId");
    expect(world.clock.monotonic()).toBe(1_000);
    expect(provider.status().preflight).toBeUndefined();
    await world.clock.advance(5_000);
    await until(() => provider.status().preflight !== undefined);
  });

  test("is the default, and sends no request to a private issuer", async () => {
    await using world = await startPreflightWorld();
    const events: WebIdentityEvent[] = [];
    const onEvent = (event: WebIdentityEvent) => events.push(event);
    const provider = world.provide({ preflight: undefined, onEvent });
    await expect(provider()).resolves.toHaveProperty("accessKeyId");
    await until(() => finished(events).length === 1);
    expect(finished(events).map(found)).toEqual([["suspect issuer-private"]]);
    expect(issuerRequests(world.idp)).toEqual([]);
  });

  test("names a private issuer when STS can't get the key, and continues to retry", async () => {
    await using world = await startPreflightWorld();
    world.sts.setFault("idp-unreachable");
    const error = await rejection(world.provide({ preflight: undefined })());
    expect(error).toMatchObject({
      code: "ERR_IDP_UNREACHABLE",
      findings: [{ id: "issuer-private", severity: "suspect" }],
    });
    expect(world.calls()).toBeGreaterThan(8);
    expect(issuerRequests(world.idp)).toEqual([]);
  });
});

describe("strict mode", () => {
  test("calls STS only after the issuer check", async () => {
    await using world = await silentIssuer(checkingIn("strict"));
    const credentials = world.provider();
    await until(() => issuerRequests(world.idp).length === 1);
    await world.clock.advance(4_998);
    expect(world.calls()).toBe(1);
    await world.clock.advance(2);
    await expect(credentials).resolves.toHaveProperty("accessKeyId");
    expect(world.calls()).toBe(2);
  });

  test("ends with the provider during the issuer check", async () => {
    await using world = await silentIssuer(checkingIn("strict"));
    const credentials = rejection(world.provider());
    await until(() => issuerRequests(world.idp).length === 1);
    world.provider.close();
    expect(await credentials).toMatchObject({ code: "ERR_CLOSED" });
    expect(world.calls()).toBe(1);
  });

  test("checks for at most half of the retry budget, and calls STS in the other half", async () => {
    await using world = await silentIssuer({ ...checkingIn("strict"), retry: { budgetMs: 2_000 } });
    const credentials = world.provider();
    await until(() => issuerRequests(world.idp).length === 1);
    await world.clock.advance(999);
    expect(world.calls()).toBe(1);
    await world.clock.advance(1);
    await expect(credentials).resolves.toHaveProperty("accessKeyId");
    expect(world.clock.monotonic()).toBe(1_000);
  });

  test("checks once for all refreshes while the cached documents support the token", async () => {
    await using world = await startPreflightWorld();
    const provider = world.provide(checkingIn("strict"));
    for (let round = 0; round < 5; round += 1) await provider({ forceRefresh: true });
    expect(issuerRequests(world.idp).map(({ document }) => document)).toEqual([
      "discovery",
      "jwks",
    ]);
    expect(world.calls()).toBe(5);
  });
});

describe("the mode off", () => {
  test.each<[string, WebIdentityInit]>([
    ["as a string", { preflight: "off" }],
    ["as a mode", checkingIn("off")],
    ["by validateToken: false", { validateToken: false, preflight: { allowPrivateIssuers: true } }],
  ])("sends no request and reports nothing: %s", async (_, init) => {
    await using world = await startPreflightWorld();
    const events: WebIdentityEvent[] = [];
    world.sts.failNext("idp-unreachable", { times: 2 });
    const provider = world.provide({ ...init, onEvent: (event) => events.push(event) });
    await provider();
    expect(issuerRequests(world.idp)).toEqual([]);
    expect([finished(events), provider.status().preflight]).toEqual([[], undefined]);
  });

  test("applies to an access token without an issuer", async () => {
    await using world = await startPreflightWorld();
    const provider = world.provide({ ...checkingIn("strict"), providerId: "www.amazon.com" });
    await rejection(provider());
    expect(issuerRequests(world.idp)).toEqual([]);
  });
});

describe("the result of the issuer check", () => {
  test("is reported once in an event, and is in the status", async () => {
    await using world = await startPreflightWorld();
    world.idp.setHeaders({ "cache-control": "no-cache" });
    const events: WebIdentityEvent[] = [];
    const provider = world.provide({
      ...checkingIn("strict"),
      onEvent: (event) => events.push(event),
    });
    world.sts.failNext("throttled", { times: 2 });
    const start = world.clock.now();
    await provider();
    const [event, ...more] = finished(events);
    expect(more).toEqual([]);
    expect(event).toMatchObject({
      issuer: world.idp.issuer,
      findings: [{ id: "jwks-not-cacheable", severity: "advice" }],
      requests: [
        { document: "discovery", status: 200, fromCache: false },
        { document: "jwks", status: 200, fromCache: false },
      ],
    });
    const { preflight } = provider.status();
    expect(preflight).toMatchObject({ issuer: world.idp.issuer, findings: event?.findings });
    expect(preflight?.at).toBeGreaterThanOrEqual(start);
  });

  test("is in the final error, even if the budget ends during another check", async () => {
    await using world = await startPreflightWorld(new VirtualClock(600));
    world.idp.setFault({ kind: "hang" });
    world.sts.setFault("idp-unreachable");
    const retry = { budgetMs: 12_000, maxDelayMs: 500, maxAttempts: 100 };
    const credentials = rejection(world.provide({ ...checkingIn("advisory"), retry })());
    await until(() => issuerRequests(world.idp).length === 1);
    await world.clock.advance(5_000);
    await until(() => issuerRequests(world.idp).length === 2);
    await world.clock.advance(2_000);
    expect(await credentials).toMatchObject({
      code: "ERR_IDP_UNREACHABLE",
      findings: [{ id: "discovery-slow", severity: "suspect" }],
    });
  });

  test("is not reported when STS fails for another reason", async () => {
    await using world = await startPreflightWorld();
    world.idp.setDiscovery((right) => ({ ...right, issuer: "https://elsewhere.invalid" }));
    world.sts.setFault("access-denied");
    const error = await world.fail("advisory");
    expect([error.code, error.findings]).toEqual(["ERR_ACCESS_DENIED", []]);
  });

  test("is a finding, without a request, for an issuer that is not allowed", async () => {
    await using world = await startPreflightWorld();
    const allowedIssuers = ["https://issuer.example.com"];
    const preflight = { mode: "strict", allowedIssuers, allowPrivateIssuers: true } as const;
    const provider = world.provide({ preflight });
    await provider();
    expect(issuerRequests(world.idp)).toEqual([]);
    expect(provider.status().preflight?.findings).toMatchObject([{ id: "issuer-not-allowed" }]);
  });
});
