import { STS_DURATION_SECONDS, STS_MAX_TOKEN_LENGTH } from "../../model/sts-limits.js";
import { StsRefusal, WIRE_ERRORS } from "./wire-error.js";

/** The input of AssumeRoleWithWebIdentity, checked against the limits of the API model. */
export interface AssumeRoleRequest {
  readonly role: RoleArn;
  readonly sessionName: string;
  readonly token: string;
  readonly durationSeconds: number;
  readonly providerId: string | undefined;
  readonly policies: SessionPolicies;
}

/** The parts of a role ARN. */
export interface RoleArn {
  readonly arn: string;
  readonly partition: string;
  readonly accountId: string;
  /** Without its path: the ARN of an assumed role doesn't contain it. */
  readonly name: string;
}

/** Limits of the API model of 2011-06-15. */
const MEMBERS = [
  { parameter: "RoleArn", required: true, min: 20, max: 2048 },
  { parameter: "RoleSessionName", required: true, min: 2, max: 64, pattern: "[\\w+=,.@-]*" },
  {
    parameter: "WebIdentityToken",
    required: true,
    min: 4,
    max: STS_MAX_TOKEN_LENGTH,
    sensitive: true,
  },
  { parameter: "ProviderId", min: 4, max: 2048 },
  { parameter: "Policy", min: 1, max: 2048 },
] as const satisfies readonly Member[];

interface Member {
  readonly parameter: string;
  readonly required?: boolean;
  readonly min: number;
  readonly max: number;
  readonly pattern?: string;
  /** STS never prints its value. */
  readonly sensitive?: boolean;
}

/** @throws StsRefusal that names every broken limit, as STS does. */
export function readAssumeRoleRequest(parameters: ReadonlyMap<string, string>): AssumeRoleRequest {
  const broken = [
    ...MEMBERS.flatMap((member) => brokenLimits(member, parameters.get(member.parameter))),
    ...brokenDuration(parameters.get("DurationSeconds")),
  ];
  if (broken.length > 0) {
    const count = `${broken.length} validation error${broken.length === 1 ? "" : "s"} detected`;
    throw new StsRefusal(WIRE_ERRORS.validation(`${count}: ${broken.join("; ")}`));
  }
  const duration = parameters.get("DurationSeconds");
  return {
    role: readRoleArn(parameters.get("RoleArn") ?? ""),
    sessionName: parameters.get("RoleSessionName") ?? "",
    token: parameters.get("WebIdentityToken") ?? "",
    durationSeconds: duration === undefined ? STS_DURATION_SECONDS.default : Number(duration),
    providerId: parameters.get("ProviderId"),
    policies: readSessionPolicies(parameters),
  };
}

function brokenLimits(member: Member, value: string | undefined): string[] {
  const { parameter, min, max, pattern } = member;
  if (value === undefined) {
    return member.required ? [failed(parameter, "null", "Member must not be null")] : [];
  }
  const shown = member.sensitive ? undefined : `'${value}'`;
  const broken: string[] = [];
  if (value.length < min) {
    broken.push(`Member must have length greater than or equal to ${min}`);
  }
  if (value.length > max) broken.push(`Member must have length less than or equal to ${max}`);
  if (pattern !== undefined && !new RegExp(`^${pattern}$`).test(value)) {
    broken.push(`Member must satisfy regular expression pattern: ${pattern}`);
  }
  return broken.map((constraint) => failed(parameter, shown, constraint));
}

function brokenDuration(value: string | undefined): string[] {
  if (value === undefined) return [];
  const seconds = /^-?\d+$/.test(value) ? Number(value) : Number.NaN;
  const shown = `'${value}'`;
  if (Number.isNaN(seconds)) {
    return [failed("DurationSeconds", shown, "Member must be an integer")];
  }
  const { min, max } = STS_DURATION_SECONDS;
  if (seconds < min) {
    const limit = `Member must have value greater than or equal to ${min}`;
    return [failed("DurationSeconds", shown, limit)];
  }
  if (seconds > max) {
    const limit = `Member must have value less than or equal to ${max}`;
    return [failed("DurationSeconds", shown, limit)];
  }
  return [];
}

function failed(parameter: string, shown: string | undefined, constraint: string): string {
  const member = parameter.charAt(0).toLowerCase() + parameter.slice(1);
  const value = shown === undefined ? "Value" : `Value ${shown}`;
  return `${value} at '${member}' failed to satisfy constraint: ${constraint}`;
}

function readRoleArn(arn: string): RoleArn {
  const parts = /^arn:(aws[a-z-]*):iam::(\d{12}):role\/(?:[!-~]+\/)?([\w+=,.@-]+)$/.exec(arn);
  const [, partition, accountId, name] = parts ?? [];
  if (partition === undefined || accountId === undefined || name === undefined) {
    throw new StsRefusal(WIRE_ERRORS.validation("Request ARN is invalid"));
  }
  return { arn, partition, accountId, name };
}

/** The session policies of a request. */
export interface SessionPolicies {
  readonly inline: string | undefined;
  readonly arns: readonly string[];
}

const MAX_POLICY_ARNS = 10;

/** In place of the real packed limit, which AWS doesn't publish. */
const PACKED_LIMIT = 2048;

/** @throws StsRefusal for an invalid policy document, and for too many policy ARNs. */
function readSessionPolicies(parameters: ReadonlyMap<string, string>): SessionPolicies {
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
 * The `PackedPolicySize` of a response, in percent.
 *
 * @throws StsRefusal above 100 %.
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
