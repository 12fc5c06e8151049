import type { Failure } from "../model/failure.js";
import type { Finding, KeyRefusal } from "../model/findings.js";

/** The words of each refusal; spaces and case vary between the years. */
const WORDS: Readonly<Record<KeyRefusal, RegExp>> = {
  "verification-key": /verification\s+key/i,
  "not-validated": /could\s+not\s+be\s+validated/i,
};

/** Which of the refusals about keys an answer is, if it is one. */
export function keyRefusalOf({ kind, code = "", message }: Failure): KeyRefusal | undefined {
  if (kind !== "answer" || !/^invalididentitytoken/i.test(code)) return undefined;
  return (Object.keys(WORDS) as KeyRefusal[]).find((refusal) => WORDS[refusal].test(message));
}

/**
 * The findings in the light of what STS answered. A finding that rests on one report is only a
 * suspicion, so the call is made; STS's refusal in the reported words and the finding together are
 * certain.
 */
export function confirmedBy(findings: readonly Finding[], failure: Failure): readonly Finding[] {
  const refusal = keyRefusalOf(failure);
  return findings.map((finding) => {
    const { confirmedBy: reported, ...rest } = finding;
    return reported === undefined || reported !== refusal
      ? finding
      : { ...rest, severity: "fatal" };
  });
}
