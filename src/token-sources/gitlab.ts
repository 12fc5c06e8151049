import { decodeToken } from "../model/jwt.js";
import { type Environment, readVariable } from "../runtime/environment.js";
import { checkString } from "../runtime/validators.js";
import {
  AWS_AUDIENCE,
  checkInit,
  defineSource,
  notConfigured,
  type PlatformTokenSource,
  requireVariable,
  type TokenSourceInit,
  withAudience,
} from "./source.js";

/** Init of {@link gitlab}. */
export interface GitlabInit extends TokenSourceInit {
  /**
   * Which of the job's ID tokens, by its `aud`. The audience itself is fixed in `.gitlab-ci.yml`.
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
    ...{ name: "gitlab", renewable: false, init },
    async mint(_signal, env) {
      if (variable === undefined) return findIdToken(env, audience);
      return withAudience(requireVariable(env, variable, NO_ID_TOKEN), audience, NO_ID_TOKEN);
    },
  });
}

const NO_ID_TOKEN =
  "Workload: add to the job in .gitlab-ci.yml `id_tokens: { AWS_ID_TOKEN: { aud: sts.amazonaws.com } }`.";

/** `id_tokens:` may give the variable any name: the token shows itself by who issued it. */
function findIdToken(env: Environment, audience: string | undefined): string {
  const all = idTokens(env);
  const wanted = all.filter(({ audiences }) =>
    audience === undefined ? true : audiences.includes(audience),
  );
  const forAws = wanted.filter(({ audiences }) => audiences.includes(AWS_AUDIENCE));
  const candidates = wanted.length > 1 && forAws.length > 0 ? forAws : wanted;
  const [first, ...others] = candidates;
  if (first === undefined) {
    const names = all.map(({ name }) => name).join(" and ");
    const which = audience === undefined ? "" : ` for the audience ${audience}`;
    const besides = names === "" ? "" : `, only ${names} for another one`;
    throw notConfigured(`this job has no ID token${which}${besides}`, NO_ID_TOKEN);
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

/** Whether the environment is a GitLab job's and holds an ID token. */
export function hasGitlabToken(env: Environment): boolean {
  return readVariable(env, "GITLAB_CI") !== undefined && idTokens(env).length > 0;
}

/** The variables that hold a token of this GitLab. A job token (`CI_JOB_TOKEN`) is for GitLab alone. */
function idTokens(env: Environment): IdToken[] {
  const server = readVariable(env, "CI_SERVER_URL") ?? "https://gitlab.com";
  const found: IdToken[] = [];
  for (const name of Object.keys(env)) {
    const token = readVariable(env, name);
    // Most variables are not tokens: decoding them all would cost more than this check.
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
