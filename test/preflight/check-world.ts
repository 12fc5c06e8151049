import type { IssuerReport } from "../../src/model/findings.js";
import { IssuerCache } from "../../src/preflight/issuer-cache.js";
// Loaded before the first check, so that the fake clock waits for no module.
import "../../src/preflight/run-issuer-check.js";
import { createPreflight } from "../../src/preflight/issuer-check.js";
import type { PreflightRuntime, PreflightSettings } from "../../src/preflight/run-issuer-check.js";
import { FakeClock } from "../support/fake-clock.js";

/** A process of its own: its clock, its cache, and checks that may send requests to this machine. */
export function checkWorld(
  settings: PreflightSettings = {},
  runtime: Partial<PreflightRuntime> = {},
) {
  const clock = new FakeClock();
  const complete = { clock, env: {}, issuers: new IssuerCache(), ...runtime };
  const preflight = createPreflight({ allowPrivateIssuers: true, ...settings }, complete);
  return {
    clock,
    preflight,
    runtime: complete,
    check: (token: string) => preflight.check(token, anySignal()),
    /** Checks as after a failure of STS, while `ms` milliseconds of fake time pass. */
    async checkFresh(token: string, ms = 0) {
      const checking = preflight.check(token, { ...anySignal(), fresh: true });
      if (ms > 0) await clock.advance(ms);
      return await checking;
    },
  };
}

/** The signal of a caller that waits without a limit. */
export function anySignal() {
  return { signal: new AbortController().signal };
}

/** What was found, as `severity id`. */
export function found({ findings }: IssuerReport): string[] {
  return findings.map(({ id, severity }) => `${severity} ${id}`);
}
