import { type Finding, type FindingId, firstFatal } from "../model/findings.js";
import { type Clock, sleep } from "../runtime/clock.js";
import type { SharedIssuer } from "./issuer-cache.js";
import { judgeKey, keyNotFound, kids } from "./key-findings.js";
import { ANSWERS_THAT_AGREE, FETCHES_APART_MS } from "./key-history.js";
import type { Snapshot } from "./snapshot.js";
import type { Subject } from "./subject.js";
import type { MaxAge } from "./visit-issuer.js";

export interface LookContext {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Whether what is kept may be no older than {@link RECENT_MS}. */
  readonly fresh: boolean;
}

export interface Looked {
  readonly findings: readonly Finding[];
  readonly snapshot: Snapshot;
}

/** Nothing fatal is said of documents that are older than this, in milliseconds. */
const RECENT_MS = 30_000;

const ANY_AGE: MaxAge = {
  discoveryMs: Number.POSITIVE_INFINITY,
  jwksMs: Number.POSITIVE_INFINITY,
};
const RECENT: MaxAge = { discoveryMs: RECENT_MS, jwksMs: RECENT_MS };
const NEW_KEYS: MaxAge = { discoveryMs: RECENT_MS, jwksMs: FETCHES_APART_MS - 1 };
/** The keys are fetched however new those are that are kept. */
const ANOTHER_ANSWER: MaxAge = { discoveryMs: RECENT_MS, jwksMs: -1 };

/** What one replica of the issuer may say and another one not. */
const OF_ONE_REPLICA: readonly FindingId[] = [
  "jwks-empty",
  "jwks-key-not-found",
  "signature-invalid",
];

/**
 * Looks at an issuer for one token. What is kept serves as long as it speaks for the token; what
 * speaks against it is looked at again first, unless it was fetched a moment ago. What the keys
 * alone say against it is certain only when several answers in a row show the same keys.
 *
 * @throws the signal's reason, and nothing else.
 */
export async function lookAt(
  issuer: SharedIssuer,
  subject: Subject,
  context: LookContext,
): Promise<Looked> {
  const { clock, signal, fresh } = context;
  const askedAt = clock.now();
  const look: Look = async (maxAge) => {
    const snapshot = issuer.kept(maxAge) ?? (await issuer.get(maxAge, signal));
    return await judge(snapshot, subject);
  };
  let judged = await look(fresh ? RECENT : ANY_AGE);
  const isOld = () => judged.snapshot.fetchedAt < askedAt - RECENT_MS;
  if (isOld() && firstDoubt(judged) !== undefined) judged = await look(RECENT);
  // The issuer has to be left alone, so nobody knows whether that still stands.
  if (isOld()) judged = { ...judged, findings: judged.findings.map(withoutCertainty) };
  judged = await lookTwice(judged, look, issuer, { ...context, askedAt });
  judged = await untilAgreed(judged, look, issuer);
  const { missingKid, snapshot } = judged;
  if (missingKid === undefined && typeof subject.kid === "string" && snapshot.keys) {
    issuer.missingKids.forget(subject.kid);
  }
  return { snapshot, findings: amongReplicas(judged, issuer) };
}

type Look = (maxAge: MaxAge) => Promise<JudgedSnapshot>;

/** Looks again for a key that is missing, a while after the first look. */
async function lookTwice(
  first: JudgedSnapshot,
  look: Look,
  issuer: SharedIssuer,
  { clock, signal, fresh, askedAt }: LookContext & { readonly askedAt: number },
): Promise<JudgedSnapshot> {
  const { missingKid, snapshot } = first;
  if (missingKid === undefined || snapshot.keys === undefined) return first;
  const looks = issuer.missingKids.note(missingKid, snapshot.keys, askedAt);
  if (looks >= 2) return withLooks(first, looks);
  // Nothing can become certain where replicas differ: the next attempt need not wait.
  if (issuer.keySets.doDiffer) return first;
  // A clock that was set back meanwhile makes it no longer.
  const waitMs = FETCHES_APART_MS - Math.max(0, clock.now() - snapshot.keys.fetchedAt);
  if (waitMs > 0 && !fresh) return first;
  if (waitMs > 0) await sleep(clock, waitMs, signal);

  const isShared = issuer.isBusy || issuer.kept(NEW_KEYS) !== undefined;
  if (!isShared && !issuer.missingKids.mayRefetch()) return first;
  const again = await look(NEW_KEYS);
  if (again.missingKid === undefined || again.snapshot.keys === undefined) return again;
  return withLooks(again, issuer.missingKids.note(missingKid, again.snapshot.keys, askedAt));
}

/** Asks for the keys on connections of their own, until their answers agree or one differs. */
async function untilAgreed(
  first: JudgedSnapshot,
  look: Look,
  issuer: SharedIssuer,
): Promise<JudgedSnapshot> {
  let judged = first;
  for (let answers = 1; answers < ANSWERS_THAT_AGREE; answers += 1) {
    const isOfOne = judged.findings.some(
      ({ id, severity }) => severity === "fatal" && OF_ONE_REPLICA.includes(id),
    );
    if (!isOfOne || issuer.keySets.doAgree || issuer.keySets.doDiffer) break;
    const { missingKid } = judged;
    const again = await look(ANOTHER_ANSWER);
    const isSame = again.missingKid !== undefined && again.missingKid === missingKid;
    judged = isSame ? withLooks(again, issuer.missingKids.fetchesWithout(missingKid)) : again;
  }
  return judged;
}

/** Where the answers differ, nothing is certain that rests on one of them. */
function amongReplicas({ findings, missingKid }: JudgedSnapshot, { keySets }: SharedIssuer) {
  const isMissing = missingKid !== undefined;
  const inconsistent = keySets.finding(isMissing);
  const told = inconsistent ? [inconsistent, ...findings] : findings;
  return told.map((finding) => {
    const isOfKeys = /^(jwks|signature)-/.test(finding.id);
    const isOfOne = OF_ONE_REPLICA.includes(finding.id) && !keySets.doAgree;
    return isOfOne || (isOfKeys && keySets.doDiffer) ? withoutCertainty(finding) : finding;
  });
}

interface JudgedSnapshot extends Looked {
  readonly missingKid?: string | undefined;
}

async function judge(snapshot: Snapshot, subject: Subject): Promise<JudgedSnapshot> {
  const { keys, findings } = snapshot;
  if (keys === undefined) return { findings, snapshot };
  const judged = await judgeKey(keys.keySet, subject);
  return { findings: [...findings, ...judged.findings], snapshot, missingKid: judged.missingKid };
}

function firstDoubt({ findings, missingKid }: JudgedSnapshot): Finding | string | undefined {
  return firstFatal(findings) ?? missingKid;
}

function withoutCertainty(finding: Finding): Finding {
  return finding.severity === "fatal" ? { ...finding, severity: "suspect" } : finding;
}

/** The same with the number of looks that agree on the missing key. */
function withLooks(judged: JudgedSnapshot, looks: number): JudgedSnapshot {
  const { findings, snapshot, missingKid } = judged;
  const counted = findings.map((finding) =>
    finding.id === "jwks-key-not-found" && missingKid !== undefined && snapshot.keys
      ? keyNotFound(missingKid, kids(snapshot.keys.keySet), looks)
      : finding,
  );
  return { ...judged, findings: counted };
}
