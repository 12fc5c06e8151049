// One check: which documents it must fetch again, and which findings are certain. The first check of a
// process loads this file, and with it most of the folder.

import {
  bySeverity,
  type Finding,
  firstFatal,
  type IssuerReport,
  type RequestTiming,
} from "../model/findings.js";
import { STS_ISSUER_TIMEOUT_MS } from "../model/sts-limits.js";
import { sleep } from "../runtime/abort.js";
import type { Clock } from "../runtime/clock.js";
import type { Environment } from "../runtime/environment.js";
import { safeText } from "../runtime/redact.js";
import { type ResolveHost, reachOf, resolveHost } from "./guarded-lookup.js";
import { IssuerCache, type MaxAge, type SharedIssuer, type Snapshot } from "./issuer-cache.js";
import { FETCHES_APART_MS, RESPONSES_THAT_AGREE } from "./key-history.js";
import type { Subject } from "./subject.js";
import { judgeKey, keyNotFound, keyTable, kids } from "./token-key.js";

/** Which issuers the issuer check may send requests to, and for how long it waits. */
export interface PreflightSettings {
  /**
   * Limit of both requests together, in milliseconds; 1 to 60,000.
   * @default 5000, as STS waits
   */
  readonly timeoutMs?: number | undefined;
  /** The only issuers whose documents are requested, compared exactly. @default every public issuer */
  readonly allowedIssuers?: readonly string[] | undefined;
  /**
   * Allows requests to private, loopback and link-local addresses, and http requests to this machine. A
   * token names its issuer, so set this only where every token comes from a trusted party.
   * @default false; where the environment has `RESILIENT_STS_ALLOW_LOOPBACK_ISSUERS=true`, which
   * `resilient-sts emulate` sets, issuers on this machine are allowed too, with documents on this
   * machine or at public addresses
   */
  readonly allowPrivateIssuers?: boolean | undefined;
}

/** The issuer check's access to the machine and the network. */
export interface PreflightRuntime {
  readonly clock: Clock;
  readonly env: Environment;
  /** @default one for each clock, and so one for the process */
  readonly issuers?: IssuerCache | undefined;
  /** @default the system's resolver */
  readonly resolve?: ResolveHost | undefined;
  /** PEM certificates to trust instead of Node's own. */
  readonly ca?: string | Buffer | undefined;
  /** Called with every request for a document that has ended. */
  readonly onRequest?: ((timing: RequestTiming) => void) | undefined;
}

export interface IssuerCheckRequest {
  readonly subject: Subject;
  readonly settings: PreflightSettings;
  readonly runtime: PreflightRuntime;
  readonly signal: AbortSignal;
  /** Whether cached documents may be no older than {@link RECENT_MS}. */
  readonly fresh: boolean;
  /** See `PreflightCheckOptions.mustAgree`. */
  readonly mustAgree: boolean;
  /** Whether the report lists the issuer's keys. */
  readonly listKeys: boolean;
}

/**
 * Checks one issuer for one token, or without a token.
 *
 * @throws the signal's reason, and nothing else.
 */
export async function runIssuerCheck(request: IssuerCheckRequest): Promise<IssuerReport> {
  const { subject, settings, runtime, signal, fresh, mustAgree, listKeys } = request;
  const name = safeText(subject.issuer, 200);
  const { allowedIssuers } = settings;
  if (allowedIssuers && !allowedIssuers.includes(subject.issuer)) {
    return { issuer: name, findings: [notAllowed(name)], requests: [] };
  }
  const issuer = sharedIssuer(subject, settings, runtime);
  if (issuer === undefined) return { issuer: name, findings: [], requests: [] };
  const { clock } = runtime;
  const check = new IssuerCheck({ issuer, subject, clock, signal, fresh, mustAgree });
  const { findings, snapshot } = await check.run();
  return {
    issuer: name,
    findings: findings.toSorted(bySeverity),
    requests: snapshot.requests,
    ...(listKeys && snapshot.keys && { keys: await keyTable(snapshot.keys.keySet, subject) }),
  };
}

/** One cache for each clock: a process has one clock, and a test has its own. */
const caches = new WeakMap<Clock, IssuerCache>();

function sharedIssuer(
  subject: Subject,
  settings: PreflightSettings,
  runtime: PreflightRuntime,
): SharedIssuer | undefined {
  const { clock, env, ca, resolve = resolveHost, onRequest } = runtime;
  const { timeoutMs = STS_ISSUER_TIMEOUT_MS } = settings;
  const reach = reachOf(subject.issuer, settings.allowPrivateIssuers, env);
  const issuers = runtime.issuers ?? caches.get(clock) ?? new IssuerCache();
  if (runtime.issuers === undefined) caches.set(clock, issuers);
  const transport = { env, resolve, ca, onRequest };
  return issuers.of(subject.issuer, { clock, transport, reach, timeoutMs });
}

/** A finding about documents that are older than this, in milliseconds, is never fatal. */
const RECENT_MS = 30_000;

const ANY_AGE: MaxAge = {
  discoveryMs: Number.POSITIVE_INFINITY,
  jwksMs: Number.POSITIVE_INFINITY,
};
const RECENT: MaxAge = { discoveryMs: RECENT_MS, jwksMs: RECENT_MS };
const NEW_KEYS: MaxAge = { discoveryMs: RECENT_MS, jwksMs: FETCHES_APART_MS - 1 };
/** Fetches the document again, however new the cached one is. */
const OTHER_KEYS: MaxAge = { discoveryMs: RECENT_MS, jwksMs: -1 };
const OTHER_DOCUMENTS: MaxAge = { discoveryMs: -1, jwksMs: -1 };

/**
 * Larger documents are not fetched repeatedly, in bytes: a fault in them stays a suspicion. Entra's
 * have 22 KiB together, and 101 RSA keys with a certificate each 200 KiB.
 */
const MAX_REPEATED_BYTES = 256 * 1024;

const OF_KEYS = /^(jwks|signature)-/;

/** Whether a finding may apply to one replica of the issuer and not to another. */
function isOfOneReplica({ id, confirmedBy }: Finding): boolean {
  return OF_KEYS.test(id) || id.startsWith("discovery-") || confirmedBy !== undefined;
}

/** What one state of the documents means for the token. */
interface Judgement {
  readonly findings: readonly Finding[];
  readonly snapshot: Snapshot;
  /** The kid that the token names and the JWKS does not have. */
  readonly missingKid?: string | undefined;
}

interface IssuerCheckInit {
  readonly issuer: SharedIssuer;
  readonly subject: Subject;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly fresh: boolean;
  readonly mustAgree: boolean;
}

/**
 * One check. Cached documents are enough while nothing in them is wrong for the token. A fault in
 * cached documents is checked again with new ones, unless they were fetched a moment ago. A fault of
 * the documents or keys is certain only when several responses in a row agree.
 */
class IssuerCheck {
  readonly #issuer: SharedIssuer;
  readonly #subject: Subject;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #fresh: boolean;
  readonly #mustAgree: boolean;
  readonly #startedAt: number;
  readonly #startedMonotonic: number;

  constructor({ issuer, subject, clock, signal, fresh, mustAgree }: IssuerCheckInit) {
    this.#issuer = issuer;
    this.#subject = subject;
    this.#clock = clock;
    this.#signal = signal;
    this.#fresh = fresh;
    this.#mustAgree = mustAgree;
    this.#startedAt = clock.now();
    this.#startedMonotonic = clock.monotonic();
  }

  async run(): Promise<Judgement> {
    let judged = await this.#judge(this.#fresh ? RECENT : ANY_AGE);
    if (this.#isOld(judged) && hasDoubt(judged)) judged = await this.#judge(RECENT);
    // No request was possible during the pause after a failure: whether the fault still exists is not known.
    if (this.#isOld(judged)) {
      judged = { ...judged, findings: judged.findings.map(withoutCertainty) };
    }
    judged = await this.#confirmMissingKey(judged);
    judged = await this.#fetchUntilResponsesAgree(judged);
    const { missingKid, snapshot } = judged;
    const { kid } = this.#subject;
    if (missingKid === undefined && typeof kid === "string" && snapshot.keys) {
      this.#issuer.missingKids.forget(kid);
    }
    return { ...judged, findings: this.#withReplicas(judged) };
  }

  async #judge(maxAge: MaxAge): Promise<Judgement> {
    const issuer = this.#issuer;
    const snapshot = issuer.cached(maxAge) ?? (await issuer.get(maxAge, this.#signal));
    const { keys, findings } = snapshot;
    if (keys === undefined) return { findings, snapshot };
    const judged = await judgeKey(keys.keySet, this.#subject);
    return { findings: [...findings, ...judged.findings], snapshot, missingKid: judged.missingKid };
  }

  #isOld({ snapshot }: Judgement): boolean {
    return snapshot.fetchedAt < this.#startedAt - RECENT_MS;
  }

  /** Fetches the JWKS a second time for a missing key, some time after the first. */
  async #confirmMissingKey(first: Judgement): Promise<Judgement> {
    const { missingKids, keySets } = this.#issuer;
    const { missingKid, snapshot } = first;
    if (missingKid === undefined || snapshot.keys === undefined) return first;
    const fetches = missingKids.note(missingKid, snapshot.keys, this.#startedMonotonic);
    if (fetches >= 2) return withFetches(first, fetches);
    // Nothing can become certain when replicas differ: the next attempt need not wait.
    if (keySets.doDiffer) return first;
    const waitMs = FETCHES_APART_MS - (this.#clock.monotonic() - snapshot.keys.fetchedMonotonic);
    if (waitMs > 0 && !this.#fresh) return first;
    if (waitMs > 0) await sleep(this.#clock, waitMs, this.#signal);

    const isShared = this.#issuer.isBusy || this.#issuer.cached(NEW_KEYS) !== undefined;
    if (!isShared && !missingKids.mayRefetch()) return first;
    const second = await this.#judge(NEW_KEYS);
    const { keys } = second.snapshot;
    if (second.missingKid === undefined || keys === undefined) return second;
    return withFetches(second, missingKids.note(missingKid, keys, this.#startedMonotonic));
  }

  /** Fetches the documents on new connections until enough responses agree, or one differs. */
  async #fetchUntilResponsesAgree(first: Judgement): Promise<Judgement> {
    const { missingKids, keySets } = this.#issuer;
    let judged = first;
    for (let responses = 1; responses < RESPONSES_THAT_AGREE; responses += 1) {
      const grave = judged.findings.filter(isGrave);
      const isOpen = grave.length > 0 || this.#isSuspected;
      const isSettled = keySets.doAgree || keySets.doDiffer || judged.snapshot.isFailure;
      if (!isOpen || isSettled || this.#issuer.bytes > MAX_REPEATED_BYTES) break;
      const { missingKid } = judged;
      const isOfDiscovery = grave.some(({ id }) => !OF_KEYS.test(id));
      const again = await this.#judge(isOfDiscovery ? OTHER_DOCUMENTS : OTHER_KEYS);
      const isSame = again.missingKid !== undefined && again.missingKid === missingKid;
      judged = isSame ? withFetches(again, missingKids.fetchesWithout(missingKid)) : again;
    }
    return judged;
  }

  /**
   * Whether another replica may be at fault, although these documents are not. Not after an agreement: the
   * token is probably at fault then, and each refused refresh would cause as many requests again. Not when
   * the caller has waited for long.
   */
  get #isSuspected(): boolean {
    const waitedMs = this.#clock.monotonic() - this.#startedMonotonic;
    const isInTime = waitedMs < STS_ISSUER_TIMEOUT_MS;
    return this.#mustAgree && isInTime && !this.#issuer.keySets.haveAgreed;
  }

  /** The findings. While responses differ, a finding that may apply to one replica only is not certain. */
  #withReplicas({ findings, missingKid }: Judgement): readonly Finding[] {
    const { keySets } = this.#issuer;
    const inconsistent = keySets.finding(missingKid !== undefined);
    const all = inconsistent ? [inconsistent, ...findings] : findings;
    return all.map((finding) =>
      isOfOneReplica(finding) && !keySets.doAgree ? withoutCertainty(finding) : finding,
    );
  }
}

/** Whether a finding ends the attempts, by itself or together with the refusal of STS. */
function isGrave(finding: Finding): boolean {
  const { severity, confirmedBy } = finding;
  return isOfOneReplica(finding) && (severity === "fatal" || confirmedBy !== undefined);
}

function hasDoubt({ findings, missingKid }: Judgement): boolean {
  return firstFatal(findings) !== undefined || missingKid !== undefined;
}

/** The finding as a suspicion that no refusal of STS can make certain. */
function withoutCertainty({ confirmedBy: _, ...finding }: Finding): Finding {
  return finding.severity === "fatal" ? { ...finding, severity: "suspect" } : finding;
}

/** The same judgement, with the number of fetches that did not have the key. */
function withFetches(judged: Judgement, fetches: number): Judgement {
  const { findings, snapshot, missingKid } = judged;
  const counted = findings.map((finding) =>
    finding.id === "jwks-key-not-found" && missingKid !== undefined && snapshot.keys
      ? keyNotFound(missingKid, kids(snapshot.keys.keySet), fetches)
      : finding,
  );
  return { ...judged, findings: counted };
}

function notAllowed(issuer: string): Finding {
  return {
    id: "issuer-not-allowed",
    severity: "info",
    title: "The issuer is not in `allowedIssuers`, so its documents were not requested.",
    detail: `\`allowedIssuers\` does not contain ${JSON.stringify(issuer)}.`,
    remedy: "Workload: add the issuer to `allowedIssuers` if you expect tokens from it.",
    evidence: { issuer },
  };
}
