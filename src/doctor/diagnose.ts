import { decodeToken } from "../model/jwt.js";
import { STS_MAX_TOKEN_LENGTH } from "../model/sts-limits.js";
import { resolveHost, resolveStsHost } from "../preflight/guarded-lookup.js";
import { systemClock } from "../runtime/clock.js";
import { ClientPool } from "../sts/client-pool.js";
import { conclude } from "./conclude.js";
import type { Diagnosis } from "./diagnosis.js";
import { gather } from "./gather.js";
import { mask } from "./mask.js";
import type { DiagnoseOptions } from "./options.js";
import { readMachineVendor } from "./other-credentials.js";
import { Run } from "./run.js";
import type { DoctorRuntime } from "./runtime.js";
import { validateOptions } from "./validate-options.js";

/** The whole run, in milliseconds. */
const DEFAULT_TIMEOUT_MS = 18_000;

/**
 * Looks at everything between a workload and its credentials — token, issuer, keys, network, STS —
 * and names the one cause that explains what it finds, with who must do what.
 *
 * Makes one real AssumeRoleWithWebIdentity call unless `assume` is false, and drops what it gets.
 * Ends within 20 s whatever hangs, unless `timeoutMs` is longer. The world's faults are findings;
 * the result holds no token, but the token's subject unless `redact` is true.
 *
 * @throws TypeError when an option makes no sense; the signal's reason.
 *
 * @example
 * ```ts
 * import { diagnose } from "resilient-sts/doctor";
 *
 * const { verdict, rootCause } = await diagnose();
 * if (rootCause) console.error(verdict, rootCause.title, rootCause.remedy);
 * ```
 */
export async function diagnose(options: DiagnoseOptions = {}): Promise<Diagnosis> {
  validateOptions(options);
  const pool = new ClientPool();
  const env = options.env ?? process.env;
  return await diagnoseWith(options, {
    ...{ clock: systemClock, env, resolve: resolveHost, resolveSts: resolveStsHost, pool },
    readMachineVendor,
  });
}

/** {@link diagnose} with the clock, the environment and the network of the caller. */
export async function diagnoseWith(
  options: DiagnoseOptions,
  runtime: DoctorRuntime,
): Promise<Diagnosis> {
  validateOptions(options);
  const { signal = new AbortController().signal, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  signal.throwIfAborted();
  const run = new Run(runtime, signal, timeoutMs, options.onProgress);
  const release = runtime.clock.hold();
  try {
    const { gathered, token } = await gather(options, run);
    const isRedacted = options.redact ?? false;
    return mask(conclude(gathered), { token, isRedacted, subject: subjectOf(token) });
  } finally {
    release();
  }
}

function subjectOf(token: string | undefined): string | undefined {
  const decoded =
    token === undefined || token.length > STS_MAX_TOKEN_LENGTH ? undefined : decodeToken(token);
  if (decoded === undefined || "problem" in decoded) return undefined;
  const { sub } = decoded.claims;
  return typeof sub === "string" ? sub : undefined;
}
