import { EXPLAINED_BY } from "../../doctor/ranking.js";
import type { Finding } from "../../model/findings.js";

/** Whether the cause brings a finding about: who mends the one need do nothing for the other. */
export function followsFrom(finding: Finding, cause: Finding | null): boolean {
  return cause !== null && (EXPLAINED_BY[finding.id]?.includes(cause.id) ?? false);
}
