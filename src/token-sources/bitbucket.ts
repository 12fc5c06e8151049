import {
  checkInit,
  defineSource,
  type PlatformTokenSource,
  requireVariable,
  type TokenSourceInit,
  withAudience,
} from "./source.js";

/** Init of {@link bitbucket}. */
export interface BitbucketInit extends TokenSourceInit {
  /**
   * The audience that the token must have. The source refuses a token with another audience.
   * @default any; Bitbucket sets ari:cloud:bitbucket::workspace/WORKSPACE_UUID
   */
  readonly audience?: string | undefined;
}

/**
 * The token of a Bitbucket Pipelines step. It can't be renewed.
 *
 * Required variable: `BITBUCKET_STEP_OIDC_TOKEN`, which a step with `oidc: true` has.
 *
 * @throws TypeError for an invalid option.
 *
 * @example
 * ```ts
 * import { fromWebIdentity } from "resilient-sts";
 * import { bitbucket } from "resilient-sts/token-sources";
 *
 * const credentials = fromWebIdentity({
 *   token: bitbucket(),
 *   roleArn: "arn:aws:iam::123456789012:role/deploy",
 * });
 * ```
 */
export function bitbucket(init: BitbucketInit = {}): PlatformTokenSource {
  checkInit("bitbucket", init, ["audience"]);
  return defineSource({
    ...{ name: "bitbucket", renewable: false, init },
    async mint(_signal, env) {
      const hint = "Workload: add `oidc: true` to the step in bitbucket-pipelines.yml.";
      return withAudience(
        requireVariable(env, "BITBUCKET_STEP_OIDC_TOKEN", hint),
        init.audience,
        "Workload: Bitbucket fixes the audience to the workspace; use that one in IAM.",
      );
    },
  });
}
