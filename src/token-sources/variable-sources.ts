import { DEFAULT_AUDIENCE, decodeToken } from "../model/jwt.js";
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

/*
 * Platforms that put the token into a variable before the job starts: Bitbucket, GitLab and HCP
 * Terraform. Nothing can renew such a token, and the platform's configuration fixes its audience.
 */

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
    name: "bitbucket",
    renewable: false,
    init,
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

/** Init of {@link gitlab}. */
export interface GitlabInit extends TokenSourceInit {
  /**
   * Selects one of the job's ID tokens by its `aud`, which `.gitlab-ci.yml` fixes.
   * @default sts.amazonaws.com where there are several, else any
   */
  readonly audience?: string | undefined;
  /**
   * The variable that `id_tokens:` names.
   * @default the variable that holds a token of this GitLab (`CI_SERVER_URL`) for the audience
   */
  readonly variable?: string | undefined;
}

/**
 * An ID token of a GitLab CI job. It can't be renewed: it expires with the job's `timeout`, or after
 * 5 minutes where the job has none.
 *
 * Required variable: the one that the job's `id_tokens:` names. Optional: `CI_SERVER_URL`, to find it.
 *
 * @throws TypeError for an invalid option.
 *
 * @example
 * ```ts
 * import { fromWebIdentity } from "resilient-sts";
 * import { gitlab } from "resilient-sts/token-sources";
 *
 * const credentials = fromWebIdentity({
 *   token: gitlab({ variable: "AWS_ID_TOKEN" }),
 *   roleArn: "arn:aws:iam::123456789012:role/deploy",
 * });
 * ```
 */
export function gitlab(init: GitlabInit = {}): PlatformTokenSource {
  checkInit("gitlab", init, ["audience", "variable"]);
  checkString("variable", init.variable);
  const { audience, variable } = init;
  return defineSource({
    name: "gitlab",
    renewable: false,
    init,
    async mint(_signal, env) {
      if (variable === undefined) return findIdToken(env, audience);
      return withAudience(requireVariable(env, variable, NO_ID_TOKEN), audience, NO_ID_TOKEN);
    },
  });
}

const NO_ID_TOKEN =
  "Workload: add to the job in .gitlab-ci.yml `id_tokens: { AWS_ID_TOKEN: { aud: sts.amazonaws.com } }`.";

/** The job chooses the variable's name in `id_tokens:`, so the issuer identifies the token. */
function findIdToken(env: Environment, audience: string | undefined): string {
  const all = idTokens(env);
  const wanted = all.filter(({ audiences }) =>
    audience === undefined ? true : audiences.includes(audience),
  );
  const forAws = wanted.filter(({ audiences }) => audiences.includes(DEFAULT_AUDIENCE));
  const candidates = wanted.length > 1 && forAws.length > 0 ? forAws : wanted;
  const [first, ...others] = candidates;
  if (first === undefined) {
    const names = all.map(({ name }) => name).join(" and ");
    const which = audience === undefined ? "" : ` for the audience ${audience}`;
    const others = names === "" ? "" : `, only ${names} with another audience`;
    throw notConfigured(`this job has no ID token${which}${others}`, NO_ID_TOKEN);
  }
  if (others.some(({ token }) => token !== first.token)) {
    const names = candidates.map(({ name }) => name).join(" and ");
    throw notConfigured(
      `this job has several ID tokens: ${names}`,
      "Workload: name the variable (gitlab({ variable })) or the audience.",
    );
  }
  return first.token;
}

interface IdToken {
  readonly name: string;
  readonly token: string;
  readonly audiences: readonly unknown[];
}

/** Whether this is a GitLab job that has an ID token. */
export function hasGitlabToken(env: Environment): boolean {
  return readVariable(env, "GITLAB_CI") !== undefined && idTokens(env).length > 0;
}

/** The variables that hold a token of this GitLab. Only GitLab accepts a job token (`CI_JOB_TOKEN`). */
function idTokens(env: Environment): IdToken[] {
  const server = readVariable(env, "CI_SERVER_URL") ?? "https://gitlab.com";
  const found: IdToken[] = [];
  for (const name of Object.keys(env)) {
    const token = readVariable(env, name);
    // Most variables aren't tokens, and this check is cheaper than decoding them.
    if (name.startsWith("CI_") || token === undefined || !token.startsWith("ey")) continue;
    const decoded = decodeToken(token);
    if ("problem" in decoded) continue;
    const { iss, aud } = decoded.claims;
    if (typeof iss !== "string" || withoutSlash(iss) !== withoutSlash(server)) continue;
    found.push({ name, token, audiences: [aud].flat() });
  }
  return found;
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, "");
}

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
    throw expected("tag", "to have only letters, digits and `_`", word(tag));
  }
  const suffix = tag === undefined ? "" : `_${tag}`;
  const hint = `Workload: set the environment variable TFC_WORKLOAD_IDENTITY_AUDIENCE${suffix} of the workspace to the audience, such as aws.workload.identity.`;
  return defineSource({
    name: "terraformCloud",
    renewable: false,
    init,
    async mint(_signal, env) {
      const variable = tag === undefined ? terraformVariable(env) : `${TERRAFORM_VARIABLE}_${tag}`;
      return withAudience(requireVariable(env, variable, hint), audience, hint);
    },
  });
}

const TERRAFORM_VARIABLE = "TFC_WORKLOAD_IDENTITY_TOKEN";

function terraformVariable(env: Environment): string {
  const tagged = terraformVariables(env).filter((name) => name !== TERRAFORM_VARIABLE);
  if (readVariable(env, TERRAFORM_VARIABLE) !== undefined || tagged.length === 0)
    return TERRAFORM_VARIABLE;
  const [first = TERRAFORM_VARIABLE, ...others] = tagged;
  if (others.length === 0) return first;
  const tags = tagged.map((name) => name.slice(TERRAFORM_VARIABLE.length + 1)).join(" and ");
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
