import type { ResolveHost } from "../preflight/guarded-lookup.js";
import type { Clock } from "../runtime/clock.js";
import type { Environment } from "../runtime/environment.js";
import type { ClientPool } from "../sts/client-pool.js";

/** What the doctor takes from the world around it. Tests put their own in its place. */
export interface DoctorRuntime {
  readonly clock: Clock;
  readonly env: Environment;
  readonly resolve: ResolveHost;
  /** The same for the names of STS endpoints. @default `resolve` */
  readonly resolveSts?: ResolveHost | undefined;
  /** PEM certificates to trust instead of Node's own. */
  readonly ca?: string | Buffer | undefined;
  readonly pool: ClientPool;
  /** What this machine's firmware calls its maker: `Amazon EC2`. */
  readonly readMachineVendor?: (() => Promise<string | undefined>) | undefined;
}
