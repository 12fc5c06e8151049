// Draws the conclusions from all facts: findings by subject, certificates that expire soon, and the verdict.

import type { Failure } from "../model/failure.js";
import type { Finding } from "../model/findings.js";
import { confirmedBy } from "../retry/verdict.js";
import { issuerFindings, unreadFindings } from "./conclude-issuer.js";
import { storeFindings } from "./conclude-store.js";
import { answerFinding, answerInFull, stsFindings, weakenCutOff } from "./conclude-sts.js";
import type { Diagnosis, Facts } from "./diagnosis.js";
import type { Gathered } from "./gather.js";
import { rank } from "./ranking.js";

/** Draws the conclusions. A pure function: the same facts always give the same diagnosis. */
export function conclude(gathered: Gathered): Diagnosis {
  const { facts, timings, failure } = gathered;
  const isAccepted = facts.assumeRole?.outcome === "ok";
  const issuer = failure ? confirmedBy(gathered.issuer, failure) : gathered.issuer;
  const seen = [
    ...gathered.token.map((each) => (isAccepted ? overruled(each) : each)),
    ...gathered.request,
    ...stsFindings(facts),
    ...issuerFindings([...issuer, ...unreadFindings(facts)], facts),
    ...certificateFindings(facts),
    ...storeFindings(facts),
  ];
  const answer =
    failure && weakenCutOff(answerFinding(failure, facts.token), failure, { facts, seen });
  // Without an answer nothing was refused: what prevents one is a finding among others.
  const isAnswered = failure?.kind === "answer" || failure?.kind === "bad-answer";
  const isSeen = seen.some(({ id, severity }) => id === answer?.id && severity === "fatal");
  const findings = withoutRepeats(
    answer === undefined || (isSeen && !isAnswered) ? seen : [...seen, answer],
  );
  const refusal = isAnswered ? answer : undefined;
  const { rootCause, ranked } = rank(findings, refusal);
  const inFull = <Each extends Finding | null>(each: Each) =>
    each !== null && each === rootCause && each === answer ? answerInFull(each, facts) : each;
  return {
    schemaVersion: 1,
    verdict: verdictOf(rootCause, findings, failure),
    rootCause: inFull(rootCause),
    findings: ranked.map(inFull),
    timings,
    facts,
  };
}

function verdictOf(
  rootCause: Finding | null,
  findings: readonly Finding[],
  failure: Failure | undefined,
): Diagnosis["verdict"] {
  if (rootCause === null) return "healthy";
  const isFatal = findings.some(({ severity }) => severity === "fatal");
  // The only call failed, even if the cause may pass. A call that the end of the run cut off did not fail.
  const isRefused = failure !== undefined && failure.cutShort !== true;
  return isFatal || isRefused ? "broken" : "degraded";
}

/** A rule of this library that an STS has just overruled. Emulators and other implementations may. */
function overruled(finding: Finding): Finding {
  if (finding.severity !== "fatal") return finding;
  const detail = `${finding.detail} This STS accepted the token anyway.`;
  return { ...finding, severity: "advice", detail };
}

/** The issuer check and the token check may find the same. */
function withoutRepeats(findings: readonly Finding[]): Finding[] {
  const known = new Set<string>();
  return findings.filter(({ id, evidence }) => {
    const key = `${id} ${JSON.stringify(evidence.claim ?? evidence.keyType ?? evidence.region ?? evidence.keyId ?? "")}`;
    if (known.has(key)) return false;
    known.add(key);
    return true;
  });
}

const HOUR_MS = 3_600_000;
/** Automatic renewal has happened by then. */
const RENEWED_BY_MS = 14 * 24 * HOUR_MS;
/** Certificates that are valid for a few days are renewed later, but before their last quarter. */
const RENEWED_BY_SHARE = 1 / 4;

/** A certificate, and its host. */
interface Served {
  readonly host: string;
  readonly validFrom: string;
  readonly validTo: string;
  /** What distinguishes it from the host's other certificates. */
  readonly mark: { readonly subject: string } | { readonly region: string };
  readonly remedy: string;
}

/** Finds certificates that expire soon: the first in the issuer's chain, and those of the STS endpoints. */
export function certificateFindings({ issuer, sts, startedAt, clockSkewMs = 0 }: Facts): Finding[] {
  const now = Date.parse(startedAt) + clockSkewMs;
  const chain = (issuer?.tls?.chain ?? []).map(({ validFrom, validTo, subject }): Served => {
    const host = issuer?.host ?? "the issuer";
    return { host, validFrom, validTo, mark: { subject }, remedy: OF_THE_ISSUER };
  });
  const own = sts.flatMap(({ host, region, certificate }): Served[] =>
    certificate === undefined ? [] : [{ host, ...certificate, mark: { region }, remedy: OF_STS }],
  );
  const [first] = chain
    .filter((each) => endsSoon(each, now))
    .toSorted((a, b) => Date.parse(a.validTo) - Date.parse(b.validTo));
  return [...(first ? [first] : []), ...own.filter((each) => endsSoon(each, now))].map((each) =>
    ending(each, now),
  );
}

const OF_THE_ISSUER =
  "IdP: renew the certificate, and find out why it was not renewed automatically. When it expires, STS may get no keys.";
const OF_STS =
  "Network: have the operator of this endpoint (VPC endpoint, TLS inspection, an STS of your own) renew its certificate.";

/** An expired certificate is not trusted, which is another finding. */
function endsSoon({ validFrom, validTo }: Served, now: number): boolean {
  const left = Date.parse(validTo) - now;
  const life = Date.parse(validTo) - Date.parse(validFrom);
  return left > 0 && left < Math.min(RENEWED_BY_MS, life * RENEWED_BY_SHARE);
}

function ending({ host, validTo, mark, remedy }: Served, now: number): Finding {
  const hoursLeft = Math.floor((Date.parse(validTo) - now) / HOUR_MS);
  const left = hoursLeft < 48 ? `${hoursLeft} h` : `${Math.floor(hoursLeft / 24)} days`;
  const whose = "subject" in mark ? `the certificate of ${mark.subject}` : "its certificate";
  return {
    id: "certificate-expires-soon",
    severity: "advice",
    title: "A TLS certificate expires soon.",
    detail: `${host}: ${whose} expires at ${validTo}, in ${left}.`,
    remedy,
    evidence: { host, ...mark, validTo, hoursLeft },
  };
}
