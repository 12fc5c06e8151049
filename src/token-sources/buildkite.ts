import { readVariable } from "../runtime/environment.js";
import { checkNumber } from "../runtime/validators.js";
import { runProgram } from "./run-program.js";
import {
  AWS_AUDIENCE,
  checkInit,
  defineSource,
  type PlatformTokenSource,
  requireVariable,
  type TokenSourceInit,
} from "./source.js";

/** Init of {@link buildkite}. */
export interface BuildkiteInit extends TokenSourceInit {
  /** The token's `aud`. @default "sts.amazonaws.com" */
  readonly audience?: string | undefined;
  /** How long a token lives, in seconds; 0 to 86,400. @default chosen by Buildkite: 5 minutes */
  readonly lifetimeSeconds?: number | undefined;
}

/**
 * Tokens of a Buildkite job, by `buildkite-agent oidc request-token`.
 *
 * Required: the `buildkite-agent` program on the PATH, and `BUILDKITE_JOB_ID` and
 * `BUILDKITE_AGENT_ACCESS_TOKEN`, which the agent sets for every job.
 *
 * @throws TypeError for an invalid option.
 *
 * @example
 * ```ts
 * import { fromWebIdentity } from "resilient-sts";
 * import { buildkite } from "resilient-sts/token-sources";
 *
 * const credentials = fromWebIdentity({
 *   token: buildkite(),
 *   roleArn: "arn:aws:iam::123456789012:role/deploy",
 * });
 * ```
 */
export function buildkite(init: BuildkiteInit = {}): PlatformTokenSource {
  checkInit("buildkite", init, ["audience", "lifetimeSeconds"]);
  checkNumber("lifetimeSeconds", init.lifetimeSeconds, { min: 0, max: 86_400 });
  const { audience = AWS_AUDIENCE, lifetimeSeconds } = init;
  return defineSource({
    ...{ name: "buildkite", renewable: true, init },
    async mint(signal, env) {
      for (const name of ["BUILDKITE_JOB_ID", "BUILDKITE_AGENT_ACCESS_TOKEN"]) {
        requireVariable(
          env,
          name,
          `Workload: run this in a Buildkite job; a container gets ${name} only if the step passes it on (docker plugin: mount-buildkite-agent: true).`,
        );
      }
      const lifetime = lifetimeSeconds === undefined ? [] : ["--lifetime", String(lifetimeSeconds)];
      return await runProgram({
        file: "buildkite-agent",
        args: ["oidc", "request-token", "--audience", audience, ...lifetime],
        ...{ env, signal },
        secrets: [readVariable(env, "BUILDKITE_AGENT_ACCESS_TOKEN") ?? ""],
        whenMissing:
          "Workload: run this where the `buildkite-agent` program is on the PATH; in a container, mount it (docker plugin: mount-buildkite-agent: true).",
        whenFailed:
          "Workload: run `buildkite-agent oidc request-token` in the job, and do what it says.",
      });
    },
  });
}
