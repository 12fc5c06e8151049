import { type Environment, readVariable } from "../runtime/environment.js";
import { checkString, expected, word } from "../runtime/validators.js";
import {
  checkInit,
  defineSource,
  notConfigured,
  type PlatformTokenSource,
  requireVariable,
  type TokenSourceInit,
  withAudience,
} from "./source.js";

/** Init of {@link terraformCloud}. */
export interface TerraformCloudInit extends TokenSourceInit {
  /**
   * The audience that the token must have. The source refuses a token with another audience.
   * @default any; the workspace sets it by TFC_WORKLOAD_IDENTITY_AUDIENCE
   */
  readonly audience?: string | undefined;
  /**
   * The tag of the token, if the run has several: the variable is `TFC_WORKLOAD_IDENTITY_TOKEN_` followed by
   * the tag. Letters, digits and `_`.
   * @default the token without a tag; if there is none, the only token with one
   */
  readonly tag?: string | undefined;
}

/**
 * The workload identity token of an HCP Terraform run. It can't be renewed.
 *
 * Required variable: `TFC_WORKLOAD_IDENTITY_TOKEN`, or with `tag` `TFC_WORKLOAD_IDENTITY_TOKEN_TAG`. A run
 * has it when its workspace sets the environment variable `TFC_WORKLOAD_IDENTITY_AUDIENCE` (or
 * `TFC_WORKLOAD_IDENTITY_AUDIENCE_TAG`).
 *
 * @throws TypeError for an invalid option.
 *
 * @example
 * ```ts
 * import { fromWebIdentity } from "resilient-sts";
 * import { terraformCloud } from "resilient-sts/token-sources";
 *
 * const credentials = fromWebIdentity({
 *   token: terraformCloud(),
 *   roleArn: "arn:aws:iam::123456789012:role/deploy",
 * });
 * ```
 */
export function terraformCloud(init: TerraformCloudInit = {}): PlatformTokenSource {
  checkInit("terraformCloud", init, ["audience", "tag"]);
  checkString("tag", init.tag);
  const { audience, tag } = init;
  if (tag !== undefined && !/^\w+$/.test(tag)) {
    throw expected("tag", "to have letters, digits and `_` alone", word(tag));
  }
  const suffix = tag === undefined ? "" : `_${tag}`;
  const hint = `Workload: set the environment variable TFC_WORKLOAD_IDENTITY_AUDIENCE${suffix} of the workspace to the audience, such as aws.workload.identity.`;
  return defineSource({
    ...{ name: "terraformCloud", renewable: false, init },
    async mint(_signal, env) {
      const variable = tag === undefined ? ownVariable(env) : `${VARIABLE}_${tag}`;
      return withAudience(requireVariable(env, variable, hint), audience, hint);
    },
  });
}

const VARIABLE = "TFC_WORKLOAD_IDENTITY_TOKEN";

function ownVariable(env: Environment): string {
  const tagged = terraformVariables(env).filter((name) => name !== VARIABLE);
  if (readVariable(env, VARIABLE) !== undefined || tagged.length === 0) return VARIABLE;
  const [first = VARIABLE, ...others] = tagged;
  if (others.length === 0) return first;
  const tags = tagged.map((name) => name.slice(VARIABLE.length + 1)).join(" and ");
  throw notConfigured(
    `this run has tokens with the tags ${tags}, and none without`,
    "Workload: name the tag (terraformCloud({ tag })).",
  );
}

/** The variables that hold a token of the run. */
export function terraformVariables(env: Environment): string[] {
  return Object.keys(env).filter(
    (name) => /^TFC_WORKLOAD_IDENTITY_TOKEN(_\w+)?$/.test(name) && readVariable(env, name),
  );
}
