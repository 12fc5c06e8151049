/**
 * The doctor answers one question: why does this workload get no credentials, and who must change what?
 *
 * A run has two halves. It gathers facts and measures times, by subject: the token, the issuer, STS with
 * one real call, and the shared store (`gather-*.ts`). Then it draws the conclusions: `conclude.ts` is pure,
 * turns the facts into findings by subject (`conclude-*.ts`) and chooses the root cause among them. Each
 * step has its own time limit, and so has the whole run (`run.ts`): it ends in time and reports what it has.
 * Finally, {@link mask} removes the token from every text. `diagnosis.ts` describes the result.
 */

import { decodeToken } from "../model/jwt.js";
import { STS_MAX_TOKEN_LENGTH } from "../model/sts-limits.js";
import { resolveHost, resolveStsHost } from "../preflight/guarded-lookup.js";
import { linkedController, throwIfAborted } from "../runtime/abort.js";
import { type Clock, systemClock } from "../runtime/clock.js";
import { redact, replaceSecrets, safeText } from "../runtime/redact.js";
import { ClientPool } from "../sts/client-pool.js";
import type { ServerClock } from "../sts/server-clock.js";
import type { StsTarget } from "../sts/target.js";
import { conclude, type Gathered } from "./conclude.js";
import { type Diagnosis, MASKED_ACCOUNT, type Setting, type Timing } from "./diagnosis.js";
import { gatherIssuer } from "./gather-issuer.js";
import { gatherStore } from "./gather-store.js";
import {
  chooseTargets,
  gatherAssumeRole,
  gatherEndpoint,
  requestFindings,
  sourceName,
} from "./gather-sts.js";
import {
  gatherToken,
  type LoadedToken,
  readMachineVendor,
  reportToken,
  tokenFindings,
} from "./gather-token.js";
import { type DiagnoseOptions, readSettings, setting, validateOptions } from "./options.js";
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
    signal: caller = new AbortController().signal,
    timeoutMs = DEFAULT_TIMEOUT_MS,
    onProgress,
  } = options;
  throwIfAborted(caller);
  // The caller's signal may be of an older library, whose signals lack members that Node uses.
  const { controller, unlink } = linkedController(caller);
  const { signal } = controller;
  const run = new Run({ runtime, signal, timeoutMs, onProgress });
  const release = runtime.clock.hold();
  try {
    const { gathered, token } = await gather(options, run);
    const isRedacted = options.redact ?? false;
    return mask(conclude(gathered), { token, isRedacted, subject: subjectOf(token) });
  } finally {
    unlink();
    release();
  }
}

/** Gathers every fact: token, issuer, STS and the one real call, in parallel where that is possible. */
async function gather(
  options: DiagnoseOptions,
  run: Run,
): Promise<{ readonly gathered: Gathered; readonly token?: string | undefined }> {
  const { allowPrivateIssuers: allowPrivate, redact: isRedacted = false } = options;
  if (options.issuer !== undefined) {
    return { gathered: await gatherIssuerAlone(options.issuer, allowPrivate, run) };
  }
  const { clock, pool } = run.runtime;
  pool.preload();
  const settings = await readSettings(options, run);
  const [loaded, { targets, findings: unchosen }] = await Promise.all([
    gatherToken(run, options, settings.tokenFile),
    chooseTargets(settings, run),
  ]);
  const target = targets[0]?.target;
  const request = target === undefined ? unchosen : await requestFindings(settings, target, loaded);
  const issuerName = issuerOf(loaded);
  const sent = options.assume !== false && request.length === 0 ? sendableToken(loaded) : undefined;
  const [sts, issuer, assumed, store] = await Promise.all([
    Promise.all(targets.map((each) => gatherEndpoint(run, each))),
    issuerName && gatherIssuer(run, { ...issuerName, allowPrivate }),
    target && sent !== undefined
      ? gatherAssumeRole(run, { token: sent, settings, target })
      : undefined,
    options.store && gatherStore(run, options.store),
  ]);
  // The next run of this process opens new connections, to measure them.
  for (const each of targets) pool.release(each.target);
  const serverClock = target && pool.serverClock(target);
  const clockSkewMs = skewOf(sts[0]?.clockSkewMs, serverClock, clock);
  // The token is checked at the time of STS.
  const skewMs = Math.abs(clockSkewMs ?? 0) < TRANSIT_MS ? 0 : (clockSkewMs ?? 0);
  const now = clock.now() + skewMs;
  const gathered: Gathered = {
    facts: {
      ...runFacts(run, [
        ...settings.shown,
        ...(target ? [regionSetting(target)] : []),
        ...(issuerName ? [issuerSetting(issuerName.issuer, "token")] : []),
      ]),
      token: reportToken(loaded, now, isRedacted),
      issuer: issuer?.facts,
      sts,
      clockSkewMs,
      assumeRole: assumed?.facts,
      store,
    },
    timings: inOrder(run),
    token: tokenFindings(loaded, now, clockSkewMs !== undefined),
    request,
    issuer: issuer?.findings ?? [],
    failure: assumed?.failure,
  };
  return { gathered, token: loaded.token };
}

async function gatherIssuerAlone(
  issuer: string,
  allowPrivate: boolean | undefined,
  run: Run,
): Promise<Gathered> {
  const { facts, findings } = await gatherIssuer(run, { issuer, input: { issuer }, allowPrivate });
  return {
    facts: { ...runFacts(run, [issuerSetting(issuer, "option")]), issuer: facts, sts: [] },
    timings: inOrder(run),
    token: [],
    request: [],
    issuer: findings,
  };
}

/** The issuer that the token names. The token check reports an `iss` that is not a string. */
function issuerOf({ token }: LoadedToken) {
  if (token === undefined || token.length > STS_MAX_TOKEN_LENGTH) return undefined;
  const decoded = decodeToken(token);
  if ("problem" in decoded || typeof decoded.claims.iss !== "string") return undefined;
  return { issuer: decoded.claims.iss, input: { token } };
}

const NOT_SENT = ["token-unreadable", "token-malformed", "token-too-large"];

/** A text that is not a JWT may be a secret of another kind: it is not sent. */
function sendableToken(loaded: LoadedToken): string | undefined {
  const isRefused = tokenFindings(loaded, 0, false).some(({ id }) => NOT_SENT.includes(id));
  return isRefused ? undefined : loaded.token;
}

/** A smaller difference may be the time that the response took, in milliseconds. */
const TRANSIT_MS = 30_000;

/** The clock of STS minus this machine's, as the session proves it, or else by the `Date` of a bare GET. */
function skewOf(
  byDateMs: number | undefined,
  serverClock: ServerClock | undefined,
  clock: Clock,
): number | undefined {
  const reading = serverClock?.read();
  if (reading?.isVerified !== true) return byDateMs;
  const provenMs = reading.now - clock.now();
  const isSame = Math.abs((byDateMs ?? Number.NaN) - provenMs) < TRANSIT_MS;
  return isSame ? byDateMs : provenMs;
}

function runFacts(run: Run, settings: readonly Setting[]) {
  const { startedAt, unfinished } = run;
  return { startedAt, elapsedMs: run.elapsedMs(), unfinished: [...unfinished], settings };
}

function inOrder({ timings }: Run): Timing[] {
  return timings.toSorted((a, b) => a.startMs - b.startMs);
}

function regionSetting({ region, regionSource }: StsTarget): Setting {
  return setting("region", { value: region, source: sourceName(regionSource) });
}

function issuerSetting(issuer: string, source: "option" | "token"): Setting {
  return { name: "issuer", value: safeText(issuer, 200), source };
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
  /** Masks account IDs and the subject too. */
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
