import { type Finding, firstFatal } from "../model/findings.js";
import { type Clock, sleep } from "../runtime/clock.js";
import type { SharedIssuer } from "./issuer-cache.js";
import { judgeKey, kids } from "./judge-key.js";
import { keyNotFound } from "./key-findings.js";
import { LOOKS_APART_MS } from "./missing-kids.js";
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
const NEW_KEYS: MaxAge = { discoveryMs: RECENT_MS, jwksMs: LOOKS_APART_MS - 1 };

/**
 * Looks at an issuer for one token. What is kept serves as long as it speaks for the token; what
 * speaks against it is looked at again first, unless it was fetched a moment ago.
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
  const look = async (maxAge: MaxAge) => {
    const snapshot = issuer.kept(maxAge) ?? (await issuer.get(maxAge, signal));
    return await judge(snapshot, subject);
  };
  let judged = await look(fresh ? RECENT : ANY_AGE);
  const isOld = () => judged.snapshot.fetchedAt < askedAt - RECENT_MS;
  if (isOld() && firstDoubt(judged) !== undefined) judged = await look(RECENT);
  // The issuer has to be left alone, so nobody knows whether that still stands.
  if (isOld()) judged = { ...judged, findings: judged.findings.map(withoutCertainty) };

  const { missingKid, snapshot } = judged;
  if (missingKid === undefined || snapshot.keys === undefined) {
    if (typeof subject.kid === "string" && snapshot.keys) issuer.missingKids.forget(subject.kid);
    return judged;
  }
  const looks = issuer.missingKids.note(missingKid, snapshot.keys, askedAt);
  if (looks >= 2) return { ...judged, findings: withLooks(judged, looks) };
  const waitMs = snapshot.keys.fetchedAt + LOOKS_APART_MS - clock.now();
  if (waitMs > 0 && !fresh) return judged;
  if (waitMs > 0) await sleep(clock, waitMs, signal);

  const isShared = issuer.isBusy || issuer.kept(NEW_KEYS) !== undefined;
  if (!isShared && !issuer.missingKids.mayRefetch()) return judged;
  const again = await look(NEW_KEYS);
  if (again.missingKid === undefined || again.snapshot.keys === undefined) {
    if (again.snapshot.keys) issuer.missingKids.forget(missingKid);
    return again;
  }
  const agreed = issuer.missingKids.note(missingKid, again.snapshot.keys, askedAt);
  return { ...again, findings: withLooks(again, agreed) };
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

/** The findings with the number of looks that agree on the missing key. */
function withLooks({ findings, snapshot, missingKid }: JudgedSnapshot, looks: number): Finding[] {
  return findings.map((finding) =>
    finding.id === "jwks-key-not-found" && missingKid !== undefined && snapshot.keys
      ? keyNotFound(missingKid, kids(snapshot.keys.keySet), looks)
      : finding,
  );
}
