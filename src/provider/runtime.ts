import { type Clock, systemClock } from "../runtime/clock.js";
import type { Environment } from "../runtime/environment.js";
import { ClientPool } from "../sts/client-pool.js";

/** What a provider takes from the world around it. Tests put their own in its place. */
export interface Runtime {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly env: Environment;
  readonly pool: ClientPool;
}

const seams = { clock: systemClock, random: Math.random, env: process.env };

/** The process itself: every provider shares its pool. */
export const processRuntime: Runtime = { ...seams, pool: new ClientPool(seams) };
