import { setTimeout as sleep } from "node:timers/promises";
import type { Issuer } from "./issuer.js";

/** How long each part of the outage lasts, in milliseconds. */
export const OUTAGE = { rateLimitMs: 3_000, outageMs: 4_000 } as const;

/** Limits the rate, takes the issuer down, and brings it back. Reports each change; ends early when the signal aborts. */
export async function causeOutage(
  issuer: Issuer,
  report: (what: string) => void,
  signal: AbortSignal,
): Promise<void> {
  try {
    await sleep(OUTAGE.rateLimitMs, undefined, { signal });
    await issuer.goDown();
    report("stops listening: connections are refused");
    await sleep(OUTAGE.outageMs, undefined, { signal });
    await issuer.comeBack();
    report("listens again");
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
