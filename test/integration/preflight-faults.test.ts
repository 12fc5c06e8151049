import { describe, expect, test } from "vitest";
import { until } from "../support/virtual-clock.js";
import { rejection } from "../support/world.js";
import {
  checkingIn,
  found,
  issuerRequests,
  PERMANENT_FAULTS,
  startPreflightWorld,
} from "./preflight-world.js";

describe.each(Object.entries(PERMANENT_FAULTS))("a permanent fault (%s)", (_, fault) => {
  const { make, token, id, code = "ERR_IDP_UNUSABLE" } = fault;
  const { callsInAdvisory = 1, callsInStrict = 0 } = fault;

  test.each([
    ["advisory", callsInAdvisory],
    ["strict", callsInStrict],
  ] as const)("ends a refresh in %s mode after at most %i STS calls", async (mode, calls) => {
    await using world = await startPreflightWorld();
    const source = () => token?.(world.idp) ?? world.idp.issueToken();
    await make(world.idp);
    const error = await world.fail(mode, source);
    expect(error.code).toBe(code);
    expect(found(error)).toContain(`fatal ${id}`);
    expect(world.calls()).toBeLessThanOrEqual(calls);
    const { detail = "", remedy } = error.findings[0] ?? {};
    expect(error.message).toContain(detail.replace(/\.$/, ""));
    expect(error.hint).toBe(remedy);
  });

  test("is reported in the words of STS without the issuer check", async () => {
    await using world = await startPreflightWorld();
    const source = () => token?.(world.idp) ?? world.idp.issueToken();
    await make(world.idp);
    world.idp.resetRequests();
    const error = await world.fail("off", source);
    expect(error.code).toBe(fault.isNamedBySts ? "ERR_TOKEN_REJECTED" : "ERR_IDP_UNREACHABLE");
    expect(error.findings).toEqual([]);
    expect(world.calls() > 8).toBe(!fault.isNamedBySts);
    expect(issuerRequests(world.idp)).toEqual([]);
  });
});

describe("a key that is not published", () => {
  test("is certain only after a second check, at least one second after the first", async () => {
    await using world = await startPreflightWorld();
    await world.idp.rotateKeys({ publish: false });
    const error = await world.fail("advisory");
    const [first, second] = issuerRequests(world.idp).filter(({ document }) => document === "jwks");
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(1_000);
    expect(error.findings[0]?.evidence).toMatchObject({ fetches: 2 });
  });

  test("is a rotation in progress when the second check finds it: the refresh succeeds", async () => {
    for (const mode of ["advisory", "strict"] as const) {
      await using world = await startPreflightWorld();
      const kid = await world.idp.rotateKeys({ publish: false });
      world.sts.failNext("idp-unreachable");
      const findings: string[][] = [];
      const provider = world.provide({
        ...checkingIn(mode),
        onEvent: (event) => {
          if (event.type !== "preflight.finished") return;
          findings.push(found(event));
          world.idp.publishKey(kid);
        },
      });
      await expect(provider(), mode).resolves.toHaveProperty("accessKeyId");
      expect(findings.slice(0, 2)).toEqual([["suspect jwks-key-not-found"], []]);
      expect(world.calls()).toBe(2);
      expect(provider.status().preflight).toMatchObject({
        ...{ issuer: world.idp.issuer, findings: [] },
      });
    }
  });

  test("is checked again by the next refresh, which succeeds when the key is published", async () => {
    await using world = await startPreflightWorld();
    const kid = await world.idp.rotateKeys({ publish: false });
    const provider = world.provide(checkingIn("strict"));
    expect(await rejection(provider())).toMatchObject({ code: "ERR_TOKEN_REJECTED" });
    world.idp.publishKey(kid);
    await world.clock.advance(30_001);
    await expect(provider()).resolves.toHaveProperty("accessKeyId");
  });
});

describe("a fault that is repaired", () => {
  test.each(["advisory", "strict"] as const)("is forgotten in %s mode", async (mode) => {
    await using world = await startPreflightWorld();
    world.idp.setDiscovery((right) => ({ ...right, subject_types_supported: undefined }));
    const provider = world.provide(checkingIn(mode));
    expect(await rejection(provider())).toMatchObject({ code: "ERR_IDP_UNUSABLE" });
    expect(provider.status().preflight?.findings).toMatchObject([{ severity: "fatal" }]);
    world.idp.setDiscovery();
    await world.clock.advance(30_001);
    await expect(provider()).resolves.toHaveProperty("accessKeyId");
    expect(provider.status().lastError).toBeUndefined();
    await until(() => provider.status().preflight?.findings.length === 0);
  });
});
