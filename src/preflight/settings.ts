import type { RequestTiming } from "../model/issuer-report.js";
import type { Clock } from "../runtime/clock.js";
import type { Environment } from "../runtime/environment.js";
import type { ResolveHost } from "./guarded-lookup.js";
import type { IssuerCache } from "./issuer-cache.js";

/** Whom the pre-flight may ask, and for how long. */
export interface PreflightSettings {
  /**
   * Limit of both requests together, in milliseconds; 1 to 60,000.
   * @default 5000, as STS waits
   */
  readonly timeoutMs?: number | undefined;
  /** The only issuers that are asked, letter for letter. @default every public one */
  readonly allowedIssuers?: readonly string[] | undefined;
  /**
   * Asks issuers at private, loopback and link-local addresses too, and http on this machine. A
   * token names its issuer: switch it on only where tokens do not come from strangers.
   * @default false; where the environment has `RESILIENT_STS_ALLOW_LOOPBACK_ISSUERS=true`, which
   * `resilient-sts emulate` sets, issuers on this machine are asked too, for documents on this
   * machine or at public addresses
   */
  readonly allowPrivateIssuers?: boolean | undefined;
}

/** What the pre-flight stands on. */
export interface PreflightRuntime {
  readonly clock: Clock;
  readonly env: Environment;
  /** @default one for all that share the clock, and so for the process */
  readonly issuers?: IssuerCache | undefined;
  /** @default the system's resolver */
  readonly resolve?: ResolveHost | undefined;
  /** PEM certificates to trust instead of Node's own. */
  readonly ca?: string | Buffer | undefined;
  /** Called with every request for a document that has ended. */
  readonly onRequest?: ((timing: RequestTiming) => void) | undefined;
}
