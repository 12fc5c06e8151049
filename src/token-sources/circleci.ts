import { readVariable } from "../runtime/environment.js";
import { checkString } from "../runtime/validators.js";
import { runProgram } from "./run-program.js";
import {
  AWS_AUDIENCE,
  checkInit,
  defineSource,
  type PlatformTokenSource,
  requireVariable,
  type TokenSourceInit,
  withAudience,
} from "./source.js";

/** Init of {@link circleci}. */
export interface CircleciInit extends TokenSourceInit {
  /**
   * The token's `aud`. With `variable` it is fixed, to the organization's id, and only checked.
   * @default "sts.amazonaws.com"; any with `variable`
   */
  readonly audience?: string | undefined;
  /**
   * The variable with the token that the job started with, such as `CIRCLE_OIDC_TOKEN_V2`. The source then
   * does not run the CLI, and the token can't be renewed.
   * @default none
   */
  readonly variable?: string | undefined;
}

/**
 * Tokens of a CircleCI job, by `circleci run oidc get`. Each lives for an hour.
 *
 * Required: the `circleci` program on the PATH, as every job on CircleCI has it; or with `variable` that
 * variable.
 *
 * @throws TypeError for an invalid option.
 *
 * @example
 * ```ts
 * import { fromWebIdentity } from "resilient-sts";
 * import { circleci } from "resilient-sts/token-sources";
 *
 * const credentials = fromWebIdentity({
 *   token: circleci(),
 *   roleArn: "arn:aws:iam::123456789012:role/deploy",
 * });
 * ```
 */
export function circleci(init: CircleciInit = {}): PlatformTokenSource {
  checkInit("circleci", init, ["audience", "variable"]);
  checkString("variable", init.variable);
  const { audience, variable } = init;
  return defineSource({
    ...{ name: "circleci", renewable: variable === undefined, init },
    async mint(signal, env) {
      if (variable !== undefined) {
        const token = requireVariable(env, variable, "Workload: run this in a CircleCI job.");
        return withAudience(
          token,
          audience,
          "Workload: leave `variable` out to choose the audience.",
        );
      }
      const claims = JSON.stringify({ aud: audience ?? AWS_AUDIENCE });
      const secrets = ["CIRCLE_OIDC_TOKEN", "CIRCLE_OIDC_TOKEN_V2"].map((name) =>
        readVariable(env, name),
      );
      return await runProgram({
        file: "circleci",
        args: ["run", "oidc", "get", "--claims", claims],
        ...{ env, signal, secrets: secrets.filter((secret) => secret !== undefined) },
        whenMissing:
          "Workload: run this in a CircleCI job, whose PATH has the `circleci` program; in a container of your own, read CIRCLE_OIDC_TOKEN_V2 with `variable`.",
        whenFailed: "Workload: run `circleci run oidc get` in the job, and do what it says.",
      });
    },
  });
}
