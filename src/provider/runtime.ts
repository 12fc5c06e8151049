import type { TokenSource } from "../model/token-source.js";
import { type Clock, systemClock } from "../runtime/clock.js";
import type { Environment } from "../runtime/environment.js";
import { ClientPool } from "../sts/client-pool.js";

/** The token and the role of a workload: the part in which the three factories differ. */
export interface Identity {
  readonly source: TokenSource;
  /** The name of the source in messages: `the token file /var/run/…`. */
  readonly sourceName: string;
  readonly roleArn: string;
  readonly roleSessionName: string | undefined;
  /** The SDK's marks on credentials obtained this way. */
  readonly marks: Readonly<Record<string, string>>;
}

/**
 * Settles the identity for one refresh: the environment may have changed since the last one.
 *
 * @throws WebIdentityError `ERR_NOT_CONFIGURED`
 */
export type IdentityResolver = () => Identity;

/** The seams of a provider to the world around it. Tests pass their own. */
export interface Runtime {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly env: Environment;
  readonly pool: ClientPool;
}

const seams = { clock: systemClock, random: Math.random, env: process.env };

/** The runtime of the process. All providers share its pool. */
export const processRuntime: Runtime = { ...seams, pool: new ClientPool(seams) };
