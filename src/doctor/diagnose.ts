/**
 * The doctor answers one question: why does this workload get no credentials, and who must change what?
 *
 * A run has two halves. `gather.ts` collects facts and measures times, by subject: the token, the issuer,
 * STS with one real call, and the shared store (`gather-*.ts`). `conclude.ts` is pure: it turns facts into
 * findings by subject (`conclude-*.ts`) and chooses the root cause among them. Each step has its own time
 * limit, and so has the whole run (`run.ts`): it ends in time and reports what it has. Finally,
 * {@link mask} removes the token from every text. `diagnosis.ts` describes the result.
 */

import { decodeToken } from "../model/jwt.js";
import { STS_MAX_TOKEN_LENGTH } from "../model/sts-limits.js";
import { resolveHost, resolveStsHost } from "../preflight/guarded-lookup.js";
import { systemClock } from "../runtime/clock.js";
import { redact, replaceSecrets } from "../runtime/redact.js";
import { ClientPool } from "../sts/client-pool.js";
import { conclude } from "./conclude.js";
import { type Diagnosis, MASKED_ACCOUNT } from "./diagnosis.js";
import { gather } from "./gather.js";
import { readMachineVendor } from "./gather-token.js";
import { type DiagnoseOptions, validateOptions } from "./options.js";
import { type DoctorRuntime, Run } from "./run.js";

/** The limit of the whole run, in milliseconds. */
const DEFAULT_TIMEOUT_MS = 18_000;

/**
 * Checks everything between a workload and its credentials (token, issuer, keys, network, STS) and names
 * the one cause that explains what it finds, with who must change what.
 *
 * Makes one real AssumeRoleWithWebIdentity call unless `assume` is false, and drops the credentials. Ends
 * within 20 s even if something hangs, unless `timeoutMs` is longer. Faults are findings, not errors. The
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

interface MaskOptions {
  readonly token: string | undefined;
  /** Masks account ids and the subject too. */
  readonly isRedacted: boolean;
  readonly subject: string | undefined;
}

/** Twelve digits that are not part of a longer word, nor the last part of a UUID. */
const ACCOUNT = /(?<!\w)(?<!-[0-9a-f]{4}-)\d{12}(?!\w)/g;
/** A shorter subject may be an ordinary word, so it is not masked in texts. */
const MIN_SUBJECT = 6;

/** Removes the token from every text of the diagnosis: any party may have repeated it. */
export function mask(
  diagnosis: Diagnosis,
  { token = "", isRedacted, subject = "" }: MaskOptions,
): Diagnosis {
  const secrets = token === "" ? [] : [token];
  const subjects = isRedacted && subject.length >= MIN_SUBJECT ? [subject] : [];
  const clean = (text: string) => {
    const safe = redact(text, secrets);
    if (!isRedacted) return safe;
    const anonymous = safe.replace(ACCOUNT, MASKED_ACCOUNT);
    return replaceSecrets(anonymous, subjects, "[subject]");
  };
  return walk(diagnosis, clean) as Diagnosis;
}

/** Cleans every text of plain data, and leaves out what is undefined, as JSON does. */
function walk(value: unknown, clean: (text: string) => string): unknown {
  if (typeof value === "string") return clean(value);
  if (Array.isArray(value)) return value.map((each) => walk(each, clean));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, each]) =>
      each === undefined ? [] : [[name, walk(each, clean)]],
    ),
  );
}
