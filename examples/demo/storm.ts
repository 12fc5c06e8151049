import { setTimeout as sleep } from "node:timers/promises";
import type { Issuer } from "./issuer.js";

/** How long each part of the storm lasts, in milliseconds. */
export const STORM = { rateLimitMs: 3_000, outageMs: 4_000 } as const;

/** Rate limits, then an outage, then neither. Reports each change; ends early when the signal aborts. */
export async function rageOver(
  issuer: Issuer,
  report: (what: string) => void,
  signal: AbortSignal,
): Promise<void> {
  try {
    await sleep(STORM.rateLimitMs, undefined, { signal });
    await issuer.goDown();
    report("stops listening: connections are refused");
    await sleep(STORM.outageMs, undefined, { signal });
    await issuer.comeBack();
    report("listens again and answers");
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
