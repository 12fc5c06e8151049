import type { Failure } from "../model/failure.js";
import type { Finding } from "../model/findings.js";
import { confirmedBy } from "../retry/confirmation.js";
import { tryElsewhere, withCommands } from "./another-network.js";
import { answerFinding } from "./conclude-answer.js";
import { certificateFindings } from "./conclude-certificates.js";
import { cutOff } from "./conclude-cut-off.js";
import { endpointFindings } from "./conclude-endpoint.js";
import { issuerFindings } from "./conclude-issuer.js";
import { unreadFindings } from "./conclude-unread.js";
import type { Diagnosis } from "./diagnosis.js";
import type { Facts } from "./facts.js";
import type { Gathered } from "./gathered.js";
import { rank } from "./ranking.js";
import { inTrustPolicyTerms } from "./trust-policy-terms.js";

/** Draws the conclusions. Pure: the same facts always give the same diagnosis. */
export function conclude(gathered: Gathered): Diagnosis {
  const { facts, timings, failure } = gathered;
  const isAccepted = facts.assumeRole?.outcome === "ok";
  const issuer = failure ? confirmedBy(gathered.issuer, failure) : gathered.issuer;
  const seen = [
    ...gathered.token.map((each) => (isAccepted ? overruled(each) : each)),
    ...gathered.request,
    ...endpointFindings(facts),
    ...issuerFindings([...issuer, ...unreadFindings(facts)], facts),
    ...certificateFindings(facts),
  ];
  const answer = failure && cutOff(answerFinding(failure, facts.token), failure, facts, seen);
  // Where no answer came, nobody refused: the way to STS is one finding among others.
  const isSaid = failure?.kind === "answer" || failure?.kind === "bad-answer";
  const isSeen = seen.some(({ id, severity }) => id === answer?.id && severity === "fatal");
  const findings = withoutRepeats(
    answer === undefined || (isSeen && !isSaid) ? seen : [...seen, answer],
  );
  const refusal = isSaid ? answer : undefined;
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

/** An answer that nothing else explains, with what is of use to whoever looks into it. */
function answerInFull(answer: Finding, facts: Facts): Finding {
  const { issuer } = facts;
  if (answer.id !== "sts-verification-key" || issuer === undefined) {
    return inTrustPolicyTerms(answer, facts);
  }
  return { ...answer, remedy: withCommands(answer.remedy, tryElsewhere(issuer)) };
}

function verdictOf(
  rootCause: Finding | null,
  findings: readonly Finding[],
  failure: Failure | undefined,
): Diagnosis["verdict"] {
  if (rootCause === null) return "healthy";
  const isFatal = findings.some(({ severity }) => severity === "fatal");
  // The only call failed, whether or not the cause passes; the end of the run alone is no failure.
  const isRefused = failure !== undefined && failure.cutShort !== true;
  return isFatal || isRefused ? "broken" : "degraded";
}

/** A rule of ours that STS has just overruled, as emulators and other implementations may. */
function overruled(finding: Finding): Finding {
  if (finding.severity !== "fatal") return finding;
  const detail = `${finding.detail} This STS accepted the token anyway.`;
  return { ...finding, severity: "advice", detail };
}

/** The pre-flight and the token check may say the same of an issuer. */
function withoutRepeats(findings: readonly Finding[]): Finding[] {
  const told = new Set<string>();
  return findings.filter(({ id, evidence }) => {
    const key = `${id} ${JSON.stringify(evidence.claim ?? evidence.keyType ?? evidence.region ?? "")}`;
    if (told.has(key)) return false;
    told.add(key);
    return true;
  });
}
