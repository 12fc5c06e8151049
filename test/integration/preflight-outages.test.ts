import { describe, expect, test } from "vitest";
import { isWebIdentityError, type WebIdentityEvent } from "../../src/index.js";
import type { IdpFault, LocalIdp } from "../../src/testing/index.js";
import { until, VirtualClock } from "../support/virtual-clock.js";
import { rejection, startWorld } from "../support/world.js";
import { checkingIn, found, startPreflightWorld } from "./preflight-world.js";

type Strike = (idp: LocalIdp) => unknown;
const fault =
  (scripted: IdpFault): Strike =>
  (idp) =>
    idp.setFault(scripted);

/** Outages, with what is suspected; in the silent ones a check takes its whole 5 s. */
const OUTAGES: readonly (readonly [name: string, strike: Strike, suspect: string])[] = [
  ["429 for discovery", fault({ kind: "rate-limit", on: "discovery" }), "discovery-http-status"],
  ["429 for the JWKS", fault({ kind: "rate-limit", on: "jwks" }), "jwks-rate-limited"],
  ["500", fault({ kind: "status", httpStatus: 500 }), "discovery-http-status"],
  ["404 for the JWKS", fault({ kind: "status", httpStatus: 404, on: "jwks" }), "jwks-http-status"],
  ["refused connections", (idp) => idp.refuseConnections(), "issuer-connection-refused"],
  ["resets", fault({ kind: "reset" }), "issuer-connection-refused"],
  ["a page", fault({ kind: "html" }), "discovery-not-json"],
  ["a page for the JWKS", fault({ kind: "html", on: "jwks" }), "jwks-not-json"],
  ["half a JWKS", fault({ kind: "truncate", on: "jwks" }), "issuer-connection-refused"],
];
const SILENT_OUTAGES: typeof OUTAGES = [
  ["silence", fault({ kind: "hang" }), "discovery-slow"],
  ["a trickle", fault({ kind: "trickle", intervalMs: 1_000 }), "discovery-slow"],
];

const MODES = ["advisory", "strict"] as const;

/** Severities of everything that any check has found. */
const severities = (events: readonly WebIdentityEvent[]) =>
  events.flatMap((event) =>
    event.type === "preflight.finished" ? event.findings.map(({ severity }) => severity) : [],
  );

async function inOutage(isSilent: boolean) {
  // Under this clock the 5 s of a check pass immediately, as waits do; STS's own 5 s are real ones.
  const world = await (isSilent
    ? startPreflightWorld(new VirtualClock(), { idpTimeoutMs: 50 })
    : startPreflightWorld());
  const events: WebIdentityEvent[] = [];
  return Object.assign(world, { events, onEvent: (event: WebIdentityEvent) => events.push(event) });
}

describe.each([
  ...OUTAGES.map((outage) => [...outage, false] as const),
  ...SILENT_OUTAGES.map((outage) => [...outage, true] as const),
])("an outage: %s", (_, strike, suspect, isSilent) => {
  test.each(MODES)(
    "is retried until the budget ends, and named in the error, in %s mode",
    async (mode) => {
      await using world = await inOutage(isSilent);
      const provider = world.provide({ ...checkingIn(mode), onEvent: world.onEvent });
      await strike(world.idp);
      const error = await rejection(provider());
      expect(error).toMatchObject({
        code: "ERR_IDP_UNREACHABLE",
        message: expect.stringContaining("; seen from here: "),
      });
      expect(isWebIdentityError(error) && found(error)).toContain(`suspect ${suspect}`);
      expect(severities(world.events)).not.toContain("fatal");
      expect(world.calls()).toBeGreaterThan(5);
      expect(world.clock.monotonic()).toBeLessThanOrEqual(60_000);
    },
  );

  test.each(MODES)("that ends lets the refresh succeed in %s mode", async (mode) => {
    await using world = await inOutage(isSilent);
    let failures = 0;
    const provider = world.provide({
      ...checkingIn(mode),
      onEvent: (event) => {
        world.events.push(event);
        if (event.type !== "attempt.failed") return;
        failures += 1;
        // Only once: a later failure may be reported after the server has closed.
        if (failures !== 3) return;
        world.idp.clearFaults();
        void world.idp.acceptConnections();
      },
    });
    await strike(world.idp);
    await expect(provider()).resolves.toHaveProperty("accessKeyId");
    expect(world.calls()).toBeGreaterThanOrEqual(4);
    expect(severities(world.events)).not.toContain("fatal");
  });
});

describe("an issuer that only this machine can't reach", () => {
  test.each(MODES)("costs one call, and the refresh succeeds in %s mode", async (mode) => {
    // STS keeps the keys that it has got once.
    await using world = await startWorld({ clock: new VirtualClock(4_999) });
    await world.provide()();
    await world.idp.refuseConnections();
    const provider = world.provide(checkingIn(mode));
    await expect(provider()).resolves.toHaveProperty("accessKeyId");
    expect(world.calls()).toBe(2);
    await until(() => provider.status().preflight !== undefined);
    expect(provider.status().preflight?.findings).toMatchObject([
      { id: "issuer-connection-refused", severity: "suspect" },
    ]);
  });
});
