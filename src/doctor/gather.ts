import type { Failure } from "../model/failure.js";
import type { Finding } from "../model/findings.js";
import { decodeToken } from "../model/jwt.js";
import { STS_MAX_TOKEN_LENGTH } from "../model/sts-limits.js";
import type { Clock } from "../runtime/clock.js";
import { safeText } from "../runtime/redact.js";
import type { ServerClock } from "../sts/server-clock.js";
import type { StsTarget } from "../sts/target.js";
import type { Facts, Setting, Timing } from "./diagnosis.js";
import { gatherIssuer } from "./gather-issuer.js";
import { gatherStore } from "./gather-store.js";
import {
  chooseTargets,
  gatherAssumeRole,
  gatherEndpoint,
  requestFindings,
  sourceName,
} from "./gather-sts.js";
import { gatherToken, type LoadedToken, reportToken, tokenFindings } from "./gather-token.js";
import { type DiagnoseOptions, readSettings, setting } from "./options.js";
import type { Run } from "./run.js";

/** Everything from which the conclusions are drawn. */
export interface Gathered {
  readonly facts: Facts;
  readonly timings: readonly Timing[];
  /** Findings about the token. */
  readonly token: readonly Finding[];
  /** Findings about the request to STS, before it is sent. */
  readonly request: readonly Finding[];
  /** Findings of the issuer check. */
  readonly issuer: readonly Finding[];
  /** Why the real call failed, if it did. */
  readonly failure?: Failure | undefined;
}

/** Gathers every fact: token, issuer, STS and the one real call, in parallel where that is possible. */
export async function gather(
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

/** A smaller difference may be the time that the answer took, in milliseconds. */
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
