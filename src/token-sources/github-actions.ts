import { DEFAULT_AUDIENCE } from "../model/jwt.js";
import type { Environment } from "../runtime/environment.js";
import { readVariable } from "../runtime/environment.js";
import { type ResponseRules, requestText, type TokenRequest, tokenIn } from "./bounded-request.js";
import {
  checkInit,
  defineSource,
  notConfigured,
  type PlatformTokenSource,
  parseUrl,
  type TokenSourceInit,
} from "./source.js";

/** Init of {@link githubActions}. */
export interface GithubActionsInit extends TokenSourceInit {
  /** The token's `aud`. @default "sts.amazonaws.com" */
  readonly audience?: string | undefined;
}

const URL_VARIABLE = "ACTIONS_ID_TOKEN_REQUEST_URL";
const BEARER_VARIABLE = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";

/**
 * Tokens of a GitHub Actions job. Each is valid for 5 minutes; the source requests a new one for each attempt,
 * for as long as the job runs.
 *
 * Required variables: `ACTIONS_ID_TOKEN_REQUEST_URL` and `ACTIONS_ID_TOKEN_REQUEST_TOKEN`. The runner
 * sets them when the job has `permissions: { id-token: write }`.
 *
 * @throws TypeError for an invalid option.
 *
 * @example
 * ```ts
 * import { fromWebIdentity } from "resilient-sts";
 * import { githubActions } from "resilient-sts/token-sources";
 *
 * const credentials = fromWebIdentity({
 *   token: githubActions(),
 *   roleArn: "arn:aws:iam::123456789012:role/deploy",
 * });
 * ```
 */
export function githubActions(init: GithubActionsInit = {}): PlatformTokenSource {
  checkInit("githubActions", init, ["audience"]);
  const { audience = DEFAULT_AUDIENCE } = init;
  return defineSource({
    name: "githubActions",
    renewable: true,
    init,
    async mint(signal, env) {
      const address = requireJobVariable(env, URL_VARIABLE);
      const bearer = requireJobVariable(env, BEARER_VARIABLE);
      // The URL already has a query, which stays.
      const separator = address.includes("?") ? "&" : "?";
      const query = `audience=${encodeURIComponent(audience)}`;
      const options: TokenRequest = {
        service: "GitHub's token service",
        url: parseUrl(`${address}${separator}${query}`, URL_VARIABLE),
        headers: { authorization: `Bearer ${bearer}`, accept: "application/json" },
        signal,
        secrets: [bearer],
        whenUnreachable: unreachable(env),
      };
      return tokenIn(await requestText(options, RULES), ["value"], options);
    },
  });
}

const RULES: ResponseRules = {
  // GitHub returns this for a moment after the job has started (aws-actions/configure-aws-credentials#469).
  isPassing: ({ status, text }) => status === 403 && /pending/i.test(text),
  hintFor: (status) =>
    status === 429 || status >= 500
      ? "GitHub: this is usually temporary; if it persists, see githubstatus.com."
      : "Workload: give the job `permissions: { id-token: write }`, and request tokens only while the job runs: its request token expires with it.",
};

const NO_PERMISSION =
  "Workload: give the job `permissions: { id-token: write }`, in a reusable workflow in the caller too. Runs of pull requests from forks never get it. A container or another machine gets the variables only if the step passes them on.";

function requireJobVariable(env: Environment, name: string): string {
  const value = readVariable(env, name);
  if (value !== undefined) return value;
  const isJob = readVariable(env, "GITHUB_ACTIONS") !== undefined;
  const message = isJob
    ? `${name} is not set: this job may not request tokens`
    : `${name} is not set: this is not a GitHub Actions job, or its variables were not passed on`;
  throw notConfigured(message, NO_PERMISSION);
}

function unreachable(env: Environment): string {
  const proxy = ["HTTPS_PROXY", "https_proxy"].find((name) => readVariable(env, name));
  if (proxy === undefined || readVariable(env, "NODE_USE_ENV_PROXY") === "1") {
    return "Network: let the runner reach GitHub's token service.";
  }
  return `Network: let the runner reach GitHub's token service. ${proxy} is set, but Node uses it only with NODE_USE_ENV_PROXY=1 (Node 24.5 or later).`;
}
