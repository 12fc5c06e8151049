import { AttemptError, type Failure } from "../model/failure.js";
import type { Finding } from "../model/findings.js";
import { judge } from "../retry/verdict.js";
import { assumeRole } from "../sts/assume-role.js";
import { checkRequest } from "../sts/check-request.js";
import type { IssuedCredentials } from "../sts/credentials.js";
import type { StsTarget } from "../sts/target.js";
import type { AssumeRoleFacts } from "./facts.js";
import type { LoadedToken } from "./gather-token.js";
import { type Run, round } from "./run.js";
import type { ResolvedSettings } from "./settings.js";

/** The limit of the call, in milliseconds: the provider's default for one attempt. */
const CALL_LIMIT_MS = 10_000;

/** Checks the request before it is sent. */
export async function requestFindings(
  settings: ResolvedSettings,
  target: StsTarget,
  { isElsewhere = false }: LoadedToken,
): Promise<Finding[]> {
  // A workload with credentials of another kind needs no role.
  if (settings.roleArn === undefined) return isElsewhere ? [] : [NO_ROLE];
  return await checkRequest(requestOf(settings), target);
}

const NO_ROLE: Finding = {
  id: "role-arn-invalid",
  severity: "fatal",
  title: "No role is configured.",
  detail: "There is neither an option that names the role nor AWS_ROLE_ARN.",
  remedy:
    "Workload: set AWS_ROLE_ARN; on EKS, annotate the service account with eks.amazonaws.com/role-arn and restart the pod.",
  evidence: { variable: "AWS_ROLE_ARN" },
};

function requestOf({ roleArn = "", roleSessionName, durationSeconds }: ResolvedSettings) {
  return {
    RoleArn: roleArn,
    RoleSessionName: roleSessionName,
    ...(durationSeconds !== undefined && { DurationSeconds: durationSeconds }),
  };
}

export interface Assumed {
  readonly facts: AssumeRoleFacts;
  /** Absent when the call succeeded. */
  readonly failure?: Failure | undefined;
}

interface CallOptions {
  readonly token: string;
  readonly settings: ResolvedSettings;
  readonly target: StsTarget;
}

/** Makes one real AssumeRoleWithWebIdentity call, and drops its credentials at once. */
export async function gatherAssumeRole(
  run: Run,
  { token, settings, target }: CallOptions,
): Promise<Assumed> {
  const { pool } = run.runtime;
  const { region } = target;
  const startMs = run.elapsedMs();
  const step = {
    step: "assume-role",
    label: `assuming the role in ${region}`,
    limitMs: CALL_LIMIT_MS + 500,
    late: () => cutShort(region),
  } as const;
  const outcome = await run.step<Failure | IssuedCredentials>(step, async (signal) => {
    const input = { ...requestOf(settings), WebIdentityToken: token };
    const limits = { signal, timeoutMs: CALL_LIMIT_MS, deadline: run.deadline };
    try {
      return await assumeRole(input, { target, pool, ...limits });
    } catch (error) {
      if (error instanceof AttemptError) return error.failure;
      throw error;
    }
  });
  const issued = "credentials" in outcome ? outcome : undefined;
  const failure = "credentials" in outcome ? undefined : outcome;
  const { code, message, httpStatus, requestId } = failure ?? {};
  const ms = round(run.elapsedMs() - startMs);
  run.timings.push({
    step: "assume-role",
    party: "sts",
    label: `AssumeRoleWithWebIdentity in ${region}`,
    startMs,
    totalMs: ms,
    status: failure === undefined ? 200 : httpStatus,
    error: failure?.httpStatus === undefined ? code : undefined,
  });
  return {
    facts: {
      region,
      outcome: failure === undefined ? "ok" : judge(failure),
      code,
      message,
      httpStatus,
      requestId,
      ms,
      expiresAt: issued?.credentials.expiration?.toISOString(),
      rejectedDate: issued?.rejectedDate,
    },
    failure,
  };
}

function cutShort(region: string): Failure {
  return {
    kind: "timeout",
    code: "TimeoutError",
    message: "no answer from STS before the run ended",
    cutShort: true,
    region,
  };
}
