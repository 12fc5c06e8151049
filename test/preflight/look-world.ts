import type { IssuerReport } from "../../src/model/issuer-report.js";
import { IssuerCache } from "../../src/preflight/issuer-cache.js";
// Loaded before the first look, so that the fake clock waits for no module.
import "../../src/preflight/run-issuer-check.js";
import { createPreflight } from "../../src/preflight/issuer-check.js";
import type { PreflightRuntime, PreflightSettings } from "../../src/preflight/run-issuer-check.js";
import { FakeClock } from "../support/fake-clock.js";

/** A process of its own: its clock, its cache, and looks that may go to this machine. */
export function lookWorld(
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
    look: (token: string) => preflight.check(token, anySignal()),
    /** Looks as after a failure of STS, while `ms` milliseconds of fake time pass. */
    async lookFresh(token: string, ms = 0) {
      const looking = preflight.check(token, { ...anySignal(), fresh: true });
      if (ms > 0) await clock.advance(ms);
      return await looking;
    },
  };
}

/** The signal of somebody who waits for as long as it takes. */
export function anySignal() {
  return { signal: new AbortController().signal };
}

/** What was found, as `severity id`. */
export function found({ findings }: IssuerReport): string[] {
  return findings.map(({ id, severity }) => `${severity} ${id}`);
}
