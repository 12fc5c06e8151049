import type { Diagnosis } from "../../doctor/diagnosis.js";

/** Each verdict in a sentence. */
const VERDICT_WORDS: Readonly<Record<Diagnosis["verdict"], string>> = {
  healthy: "Nothing stands in the way of credentials.",
  degraded: "Something explains failures that come and go.",
  broken: "No credentials until somebody changes something.",
};

/** The verdict in a sentence that says no more than what was looked at. */
export function verdictSentence({ verdict, rootCause, facts }: Diagnosis): string {
  // STS refused, for something that comes and goes: an outage, a rate limit.
  if (verdict === "broken" && rootCause?.severity === "suspect") {
    return "No credentials now. The cause may pass by itself, and come back.";
  }
  if (facts.token === undefined && verdict !== "degraded") {
    return verdict === "healthy"
      ? "Nothing is wrong with this issuer, as seen from here."
      : "STS cannot use this issuer until somebody changes something.";
  }
  return verdict === "healthy" && facts.assumeRole === undefined
    ? "Nothing wrong was found; STS was not asked for credentials."
    : VERDICT_WORDS[verdict];
}
