import type { TokenFacts } from "../model/attempt.js";
import type { Failure } from "../model/failure.js";
import type { Finding, FindingId } from "../model/findings.js";
import { STS_ISSUER_TIMEOUT_MS } from "../model/sts-limits.js";
import { sentenceFor } from "../retry/sentences.js";
import { tryElsewhere, withCommands } from "./conclude-issuer.js";
import type { Facts } from "./facts.js";

/** The finding for the failed call: STS's own words, or what prevented an answer. */
export function answerFinding(failure: Failure, token?: TokenFacts): Finding {
  const { kind, code, message, httpStatus, requestId, region } = failure;
  const { id, severity, what, remedy } = sentenceFor(failure, token);
  const where = region === undefined ? "" : ` in ${region}`;
  const status = httpStatus === undefined ? "" : ` (HTTP ${httpStatus})`;
  const request = requestId === undefined ? "" : ` (request id ${requestId})`;
  const words = code === undefined ? message : `${code}: ${message}`;
  // The message of an answer without a code is not STS's, but this library's.
  const isFromSts = kind === "answer" && code !== undefined;
  const detail = isFromSts
    ? `STS${where} said${status}: ${words}${request}`
    : `The call to STS${where} failed: ${words}${request}`;
  const evidence = { kind, code, message, httpStatus, requestId, region };
  return { id, severity, title: `${what}.`, detail, remedy, evidence };
}

/** STS reports an issuer that does not answer by then: its limit and a second of transit, in milliseconds. */
const STS_ANSWERS_BY_MS = STS_ISSUER_TIMEOUT_MS + 1_000;

/**
 * Weakens the finding for a call that the end of the run cut off, if the path to STS works: STS may
 * have been waiting for the issuer.
 *
 * @param seen - the other findings.
 */
export function weakenCutOff(
  answer: Finding,
  { cutShort = false }: Failure,
  { facts, seen }: { readonly facts: AnswerFacts; readonly seen: readonly Finding[] },
): Finding {
  const { assumeRole } = facts;
  const [chosen] = facts.sts;
  const isEarly = cutShort && assumeRole !== undefined && assumeRole.ms < STS_ANSWERS_BY_MS;
  if (!isEarly || chosen?.status === undefined || chosen.failedIn !== undefined) return answer;
  const isExplained = seen.some(({ severity }) => severity === "fatal" || severity === "suspect");
  return {
    ...answer,
    severity: isExplained ? "advice" : "suspect",
    title: "STS had not answered when the time of this run was up.",
    detail: `${answer.detail}; ${chosen.host} answers a bare GET.`,
    remedy:
      "Workload: run the doctor again with a longer --timeout: STS waits up to 5 s for the identity provider.",
  };
}

type AnswerFacts = Pick<Facts, "sts" | "assumeRole">;

/** Adds to an answer that no other finding explains what helps to investigate it. */
export function answerInFull(answer: Finding, facts: Facts): Finding {
  const { issuer } = facts;
  if (answer.id !== "sts-verification-key" || issuer === undefined) {
    return inTrustPolicyTerms(answer, facts);
  }
  return { ...answer, remedy: withCommands(answer.remedy, tryElsewhere(issuer)) };
}

/** The claims that decide about a refusal, to be compared with the role's trust policy. */
const DECIDING: Readonly<Partial<Record<FindingId, readonly ("aud" | "sub")[]>>> = {
  "sts-access-denied": ["aud", "sub"],
  "sts-audience-refused": ["aud"],
  "sts-provider-missing": [],
};

/**
 * Adds the token's claims under the names that conditions of a trust policy use (IAM user guide,
 * "Available keys for AWS OIDC federation"): the issuer without its scheme, and as audience the
 * authorized party (`azp`) where there is one.
 */
function inTrustPolicyTerms(answer: Finding, { token, settings }: Facts): Finding {
  const claims = DECIDING[answer.id];
  if (claims === undefined || token?.issuer === undefined) return answer;
  const provider = token.issuer.replace(/^https?:\/\//, "");
  const values: Readonly<Record<string, string | undefined>> = {
    aud: token.azp ?? [token.audience ?? []].flat().join(", "),
    sub: token.subject,
  };
  const shown = claims.flatMap((claim) =>
    values[claim] ? [`${provider}:${claim} ${JSON.stringify(values[claim])}`] : [],
  );
  const role = settings.find(({ name }) => name === "roleArn")?.value;
  const sentences = [
    answer.detail.replace(/\.?$/, "."),
    ...(shown.length > 0 ? [`The token has ${shown.join(" and ")}.`] : []),
    ...(role === undefined ? [] : [`The role is ${role}.`]),
  ];
  return { ...answer, detail: sentences.join(" ") };
}
