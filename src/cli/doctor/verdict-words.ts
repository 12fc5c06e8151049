import type { Diagnosis } from "../../doctor/diagnosis.js";

/** Each verdict in a sentence. */
export const VERDICT_WORDS: Readonly<Record<Diagnosis["verdict"], string>> = {
  healthy: "Nothing stands in the way of credentials.",
  degraded: "Something explains failures that come and go.",
  broken: "No credentials until somebody changes something.",
};
