import { AttemptError, type Failure } from "../model/failure.js";
import { judge } from "../retry/verdict.js";
import { type AssumeRoleInput, assumeRole } from "../sts/assume-role.js";
import type { IssuedCredentials } from "../sts/credentials.js";
import type { StsTarget } from "../sts/target.js";
import type { AssumeRoleFacts } from "./facts.js";
import { type Run, round } from "./run.js";

/** As an attempt of the provider's has it, in milliseconds. */
const CALL_LIMIT_MS = 10_000;

export interface Assumed {
  readonly facts: AssumeRoleFacts;
  /** Absent when it went well. */
  readonly failure?: Failure | undefined;
}

/** One real AssumeRoleWithWebIdentity. Its credentials are dropped at once. */
export async function gatherAssumeRole(
  run: Run,
  input: AssumeRoleInput,
  target: StsTarget,
): Promise<Assumed> {
  const { pool, env, clock } = run.runtime;
  const { region } = target;
  const startMs = run.elapsedMs();
  const finish = (failure?: Failure, issued?: IssuedCredentials): Assumed => {
    const ms = round(run.elapsedMs() - startMs);
    const { code, message, httpStatus, requestId } = failure ?? {};
    run.timings.push({
      step: "assume-role",
      party: "sts",
      label: `AssumeRoleWithWebIdentity in ${region}`,
      startMs,
      totalMs: ms,
      status: failure === undefined ? 200 : httpStatus,
      error: failure?.httpStatus === undefined ? code : undefined,
    });
    const outcome = failure === undefined ? "ok" : judge(failure);
    const expiresAt = issued?.credentials.expiration?.toISOString();
    const rejectedDate = issued?.rejectedDate;
    return {
      facts: { region, outcome, code, message, httpStatus, requestId, ms, expiresAt, rejectedDate },
      failure,
    };
  };
  const late: Failure = {
    kind: "timeout",
    code: "TimeoutError",
    message: "no answer from STS before the run ended",
    cutShort: true,
    region,
  };
  const label = `assuming the role in ${region}`;
  const outcome = await run.step<Failure | IssuedCredentials>(
    "assume-role",
    label,
    CALL_LIMIT_MS + 500,
    late,
    async (signal) => {
      const limits = { signal, timeoutMs: CALL_LIMIT_MS, deadline: run.deadline };
      try {
        return await assumeRole(input, { target, pool, env, clock, ...limits });
      } catch (error) {
        if (error instanceof AttemptError) return error.failure;
        throw error;
      }
    },
  );
  return "credentials" in outcome ? finish(undefined, outcome) : finish(outcome);
}
