import type { Failure } from "../model/failure.js";
import type { Finding } from "../model/findings.js";
import type { Facts } from "./facts.js";

/** By then STS has given up on the issuer, and says so: 5 s and the way, in milliseconds. */
const STS_ANSWERS_BY_MS = 6_000;

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
      "Workload: look again with more time for the run: STS waits up to 5 s for the identity provider.",
  };
}
