import type { Failure } from "../model/failure.js";
import type { Finding } from "../model/findings.js";
import { confirmedBy } from "../retry/confirmation.js";
import { answerFinding, answerInFull, weakenCutOff } from "./conclude-answer.js";
import { certificateFindings } from "./conclude-certificates.js";
import { issuerFindings, unreadFindings } from "./conclude-issuer.js";
import { storeFindings } from "./conclude-store.js";
import { stsFindings } from "./conclude-sts.js";
import type { Diagnosis } from "./diagnosis.js";
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
