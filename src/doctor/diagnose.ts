/**
 * The doctor answers one question: why does this workload get no credentials, and who must change what?
 *
 * A run has two halves. `gather.ts` collects facts and measures times: settings, the token, the issuer
 * (`gather-issuer.ts`), the STS endpoints (`gather-sts.ts`) and one real call (`gather-assume-role.ts`).
 * `conclude.ts` is pure: it turns facts into findings by subject (`conclude-*.ts`) and lets `ranking.ts`
 * choose the root cause. Each step has a limit of its own and the run's (`run.ts`), so that a run ends in
 * time and reports what it has. At last `mask.ts` removes the token from every text.
 */
import { decodeToken } from "../model/jwt.js";
import { STS_MAX_TOKEN_LENGTH } from "../model/sts-limits.js";
import { resolveHost, resolveStsHost } from "../preflight/guarded-lookup.js";
import { systemClock } from "../runtime/clock.js";
import { ClientPool } from "../sts/client-pool.js";
import { conclude } from "./conclude.js";
import type { Diagnosis } from "./diagnosis.js";
import { gather } from "./gather.js";
import { mask } from "./mask.js";
import { type DiagnoseOptions, validateOptions } from "./options.js";
import { readMachineVendor } from "./other-credentials.js";
import { type DoctorRuntime, Run } from "./run.js";

/** The limit of the whole run, in milliseconds. */
const DEFAULT_TIMEOUT_MS = 18_000;

/**
 * Checks everything between a workload and its credentials (token, issuer, keys, network, STS) and names
 * the one cause that explains what it finds, with who must change what.
 *
 * Makes one real AssumeRoleWithWebIdentity call unless `assume` is false, and drops the credentials.
 * Ends within 20 s whatever hangs, unless `timeoutMs` is longer. Faults are findings, not errors. The
 * result never contains the token; it contains the token's subject unless `redact` is true.
 *
 * @throws TypeError for an invalid option; the signal's reason when it aborts.
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
  const env = options.env ?? process.env;
  const pool = new ClientPool({ clock: systemClock, env, random: Math.random });
  return await diagnoseWith(options, {
    clock: systemClock,
    env,
    resolve: resolveHost,
    resolveSts: resolveStsHost,
    pool,
    readMachineVendor,
  });
}

/** {@link diagnose} with the caller's clock, environment and network. */
export async function diagnoseWith(
  options: DiagnoseOptions,
  runtime: DoctorRuntime,
): Promise<Diagnosis> {
  validateOptions(options);
  const {
    signal = new AbortController().signal,
    timeoutMs = DEFAULT_TIMEOUT_MS,
    onProgress,
  } = options;
  signal.throwIfAborted();
  const run = new Run({ runtime, signal, timeoutMs, onProgress });
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
