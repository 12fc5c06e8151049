import { systemClock } from "../../src/runtime/clock.js";
import { ClientPool, type PoolSeams } from "../../src/sts/client-pool.js";

/** A pool on the machine's clock, where no variable is set. */
export function makePool(seams: Partial<PoolSeams> = {}): ClientPool {
  return new ClientPool({ clock: systemClock, env: {}, random: Math.random, ...seams });
}
