import type { Finding } from "../model/findings.js";
import { STS_DURATION_SECONDS } from "../model/sts-limits.js";
import { safeText } from "../runtime/redact.js";
import type { AssumeRoleInput } from "./assume-role.js";
import { loadSdk } from "./load-sdk.js";
import type { StsTarget } from "./target.js";

/** AWS STS API reference, AssumeRoleWithWebIdentity: RoleArn, 20 to 2048 characters. */
const ROLE_ARN = /^arn:(aws[\w-]*):iam::\d{12}:role\/[\u0021-\u007f]+$/;
const MAX_ROLE_ARN_LENGTH = 2048;
/** Ibid.: RoleSessionName, 2 to 64 of these characters. */
const SESSION_NAME = /^[\w+=,.@-]{2,64}$/;

/**
 * Finds what STS is certain to refuse in a request, apart from the token. It checks nothing for a custom
 * endpoint: other implementations of STS have other ARNs and other limits.
 */
export async function checkRequest(
  input: Omit<AssumeRoleInput, "WebIdentityToken">,
  target: StsTarget,
): Promise<Finding[]> {
  if (target.customEndpoint) return [];
  return [
    ...(await checkRoleArn(input.RoleArn, target)),
    ...checkSessionName(input.RoleSessionName),
    ...checkDuration(input.DurationSeconds),
  ];
}

async function checkRoleArn(roleArn: string, { region }: StsTarget): Promise<Finding[]> {
  // The value may be a token that was set as the role by mistake.
  const shown = safeText(roleArn, 200);
  const partition = ROLE_ARN.exec(roleArn)?.[1];
  if (partition === undefined || roleArn.length > MAX_ROLE_ARN_LENGTH) {
    return [
      {
        id: "role-arn-invalid",
        severity: "fatal",
        title: "The role ARN is not the ARN of an IAM role.",
        detail: `The role ARN is ${JSON.stringify(shown)}.`,
        remedy:
          "Workload: set roleArn (or AWS_ROLE_ARN) to arn:PARTITION:iam::ACCOUNT:role/NAME, without quotes or spaces.",
        evidence: { roleArn: shown },
      },
    ];
  }
  const regionPartition = await partitionOf(region);
  if (regionPartition === undefined || partition === regionPartition) return [];
  return [
    {
      id: "role-partition-mismatch",
      severity: "fatal",
      title: "The role and the region are in different AWS partitions.",
      detail: `The role ${shown} is in ${partition}; the region ${region} is in ${regionPartition}.`,
      remedy: `Workload: choose a region of ${partition}, or a role of ${regionPartition}.`,
      evidence: { roleArn: shown, rolePartition: partition, region, regionPartition },
    },
  ];
}

/**
 * The partition in the SDK's own table of regions. The SDK assumes that an unknown region is a commercial
 * one. That may be wrong, so an unknown region is not refused, and STS is called as the SDK would call it.
 */
async function partitionOf(region: string): Promise<string | undefined> {
  const { partition } = await loadSdk();
  const { name } = partition(region);
  return name === "aws" ? partitionByName(region) : name;
}

function checkSessionName(sessionName: string): Finding[] {
  if (SESSION_NAME.test(sessionName)) return [];
  const shown = safeText(sessionName, 100);
  return [
    {
      id: "session-name-invalid",
      severity: "fatal",
      title: "STS does not accept this role session name.",
      detail: `The role session name is ${JSON.stringify(shown)} (${sessionName.length} characters).`,
      remedy:
        "Workload: set roleSessionName (or AWS_ROLE_SESSION_NAME) to 2–64 letters, digits or _+=,.@-",
      evidence: { sessionName: shown, length: sessionName.length },
    },
  ];
}

function checkDuration(durationSeconds: number | undefined): Finding[] {
  if (durationSeconds === undefined) return [];
  const { min, max } = STS_DURATION_SECONDS;
  const valid =
    Number.isInteger(durationSeconds) && durationSeconds >= min && durationSeconds <= max;
  if (valid) return [];
  return [
    {
      id: "duration-invalid",
      severity: "fatal",
      title: "STS does not accept this session duration.",
      detail: `durationSeconds is ${durationSeconds}; STS accepts whole seconds from ${min} to ${max}.`,
      remedy: `Workload: set durationSeconds to ${min}–${max}, and no more than the role's maximum.`,
      evidence: { durationSeconds, min, max },
    },
  ];
}

/**
 * How the names of the regions of each partition begin, pseudo regions included (the SDK's
 * partitions.json). They show a mistake when a provider is created, without loading the SDK. At the
 * first call, the SDK's own table decides.
 */
const PARTITIONS: readonly (readonly [RegExp, string])[] = [
  [/^(aws-)?cn-/, "aws-cn"],
  [/^(aws-)?us-gov-/, "aws-us-gov"],
  [/^(aws-)?(us-isob|iso-b)-/, "aws-iso-b"],
  [/^(aws-)?(us-isof|iso-f)-/, "aws-iso-f"],
  [/^(aws-)?(us-iso|iso)-/, "aws-iso"],
  [/^(aws-)?(eu-isoe|iso-e)-/, "aws-iso-e"],
  [/^(aws-)?eusc-/, "aws-eusc"],
  [/^(aws-global|[a-z]{2}-[a-z]+-\d+)$/, "aws"],
];

/**
 * The partition of a region, by its name; `undefined` for a name that AWS does not use. The SDK
 * accepts those, as commercial regions.
 */
export function partitionByName(region: string): string | undefined {
  // To the SDK, a FIPS name means the region and its FIPS endpoint.
  const name = region.toLowerCase().replace(/^fips-|-fips$/, "");
  return PARTITIONS.find(([pattern]) => pattern.test(name))?.[1];
}

/** Whether regions are certain to be in different partitions. */
export function spanPartitions(regions: readonly string[]): boolean {
  const groups = new Set(regions.map(partitionByName));
  groups.delete(undefined);
  return groups.size > 1;
}
