import { StsRefusal, WIRE_ERRORS } from "./wire-error.js";

/** The session policies of a request. */
export interface SessionPolicies {
  readonly inline: string | undefined;
  readonly arns: readonly string[];
}

const MAX_POLICY_ARNS = 10;

/** Stands for the real packed limit, which AWS does not publish. */
const PACKED_LIMIT = 2048;

/** @throws StsRefusal for a policy that is no policy document, and for too many policy ARNs. */
export function readSessionPolicies(parameters: ReadonlyMap<string, string>): SessionPolicies {
  const inline = parameters.get("Policy");
  if (inline !== undefined) checkPolicy(inline);
  const arns = [...parameters]
    .filter(([name]) => /^PolicyArns\.member\.\d+\.arn$/.test(name))
    .map(([, arn]) => arn);
  if (arns.length > MAX_POLICY_ARNS) {
    const limit = `Member must have length less than or equal to ${MAX_POLICY_ARNS}`;
    throw new StsRefusal(
      WIRE_ERRORS.validation(
        `1 validation error detected: Value '[${arns.join(", ")}]' at 'policyArns' failed to satisfy constraint: ${limit}`,
      ),
    );
  }
  return { inline, arns };
}

/**
 * The `PackedPolicySize` of an answer, in percent.
 *
 * @throws StsRefusal over 100 %.
 */
export function packedPolicySize(
  policies: SessionPolicies,
  tags: Readonly<Record<string, string>>,
): number {
  const parts = [policies.inline ?? "", ...policies.arns, ...Object.entries(tags).flat()];
  const characters = parts.reduce((sum, part) => sum + part.length, 0);
  const percent = Math.max(1, Math.ceil((characters / PACKED_LIMIT) * 100));
  if (percent > 100) throw new StsRefusal(WIRE_ERRORS.packedPolicyTooLarge(percent));
  return percent;
}

function checkPolicy(text: string): void {
  let policy: unknown;
  try {
    policy = JSON.parse(text);
  } catch {
    throw new StsRefusal(WIRE_ERRORS.malformedPolicy("This policy contains invalid Json"));
  }
  if (typeof policy !== "object" || policy === null || !("Statement" in policy)) {
    throw new StsRefusal(WIRE_ERRORS.malformedPolicy("Syntax errors in policy."));
  }
}
