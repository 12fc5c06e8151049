import type { Failure } from "../model/failure.js";
import type { Finding } from "../model/findings.js";
import { STS_ISSUER_TIMEOUT_MS } from "../model/sts-limits.js";
import type { Facts } from "./facts.js";

/** STS reports by then that the issuer did not answer: its limit and a second for the way, in milliseconds. */
const STS_ANSWERS_BY_MS = STS_ISSUER_TIMEOUT_MS + 1_000;

/**
 * A call that the end of the run cut off, on a way to STS that is seen to work: STS may have been
 * waiting for the issuer. It is not what anything else is explained by.
 */
export function cutOff(
  answer: Finding,
  { cutShort = false }: Failure,
  { sts: [chosen], assumeRole }: Pick<Facts, "sts" | "assumeRole">,
  seen: readonly Finding[],
): Finding {
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
