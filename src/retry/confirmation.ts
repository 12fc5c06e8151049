import type { Failure } from "../model/failure.js";
import type { Finding, KeyRefusal } from "../model/findings.js";

/** The words of each refusal; spaces and case vary between the years. */
const WORDS: Readonly<Record<KeyRefusal, RegExp>> = {
  "verification-key": /verification\s+key/i,
  "not-validated": /could\s+not\s+be\s+validated/i,
};

/**
 * The findings in the light of what STS answered. A finding that rests on one report is only a
 * suspicion, so the call is made; STS's refusal in the reported words and the finding together are
 * certain.
 */
export function confirmedBy(
  findings: readonly Finding[],
  { kind, code = "", message }: Failure,
): readonly Finding[] {
  if (kind !== "answer" || !/^invalididentitytoken/i.test(code)) return findings;
  return findings.map((finding) => {
    const { confirmedBy: refusal, ...rest } = finding;
    if (refusal === undefined || !WORDS[refusal].test(message)) return finding;
    return { ...rest, severity: "fatal" };
  });
}
