import { DEFAULT_AUDIENCE } from "../model/jwt.js";
import { TokenSourceError } from "../model/token-source.js";
import { type Environment, readVariable } from "../runtime/environment.js";
import { rememberSecret } from "../runtime/known-secrets.js";
import { safeCause, safeText } from "../runtime/redact.js";
import { checkNumber, checkString } from "../runtime/validators.js";
import {
  checkInit,
  defineSource,
  MAX_READ_BYTES,
  notConfigured,
  type PlatformTokenSource,
  requireVariable,
  type TokenSourceInit,
  withAudience,
} from "./source.js";

/* Platforms whose own program prints a token: Buildkite and CircleCI. */

/** Init of {@link buildkite}. */
export interface BuildkiteInit extends TokenSourceInit {
  /** The token's `aud`. @default "sts.amazonaws.com" */
  readonly audience?: string | undefined;
  /** How long a token is valid, in seconds; 0 to 86,400. @default chosen by Buildkite: 5 minutes */
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
  const { audience = DEFAULT_AUDIENCE, lifetimeSeconds } = init;
  return defineSource({
    name: "buildkite",
    renewable: true,
    init,
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
        env,
        signal,
        secrets: [readVariable(env, "BUILDKITE_AGENT_ACCESS_TOKEN") ?? ""],
        whenMissing:
          "Workload: run this where the `buildkite-agent` program is on the PATH; in a container, mount it (docker plugin: mount-buildkite-agent: true).",
        whenFailed:
          "Workload: run `buildkite-agent oidc request-token` in the job, and follow its error message.",
      });
    },
  });
}

/** Init of {@link circleci}. */
export interface CircleciInit extends TokenSourceInit {
  /**
   * The token's `aud`. With `variable`, CircleCI fixes it to the organization's ID, and the source only
   * checks it.
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
 * Tokens of a CircleCI job, by `circleci run oidc get`. Each is valid for an hour.
 *
 * Required: the `circleci` program on the PATH, which every CircleCI job has; with `variable`, that
 * variable instead.
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
    name: "circleci",
    renewable: variable === undefined,
    init,
    async mint(signal, env) {
      if (variable !== undefined) {
        const token = requireVariable(env, variable, "Workload: run this in a CircleCI job.");
        return withAudience(
          token,
          audience,
          "Workload: leave `variable` out to choose the audience.",
        );
      }
      const claims = JSON.stringify({ aud: audience ?? DEFAULT_AUDIENCE });
      const secrets = ["CIRCLE_OIDC_TOKEN", "CIRCLE_OIDC_TOKEN_V2"].map((name) =>
        readVariable(env, name),
      );
      return await runProgram({
        file: "circleci",
        args: ["run", "oidc", "get", "--claims", claims],
        env,
        signal,
        secrets: secrets.filter((secret) => secret !== undefined),
        whenMissing:
          "Workload: run this in a CircleCI job, whose PATH has the `circleci` program; in a container of your own, read CIRCLE_OIDC_TOKEN_V2 with `variable`.",
        whenFailed:
          "Workload: run `circleci run oidc get` in the job, and follow its error message.",
      });
    },
  });
}

/** The output of a program whose same call can never work: wrong options, no permission. */
const PERMANENT =
  /\b(40[0134]|422)\b|unauthori[sz]ed|forbidden|not (authorized|allowed|defined|permitted)|permission denied|unknown (flag|command|option)|invalid/i;

interface Program {
  /** The name of a program on the PATH. */
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Environment;
  readonly signal: AbortSignal;
  readonly secrets: readonly string[];
  /** The hint when there is no such program: who must do what. */
  readonly whenMissing: string;
  /** The hint when the program fails: who must do what. */
  readonly whenFailed: string;
}

/**
 * Runs a program without a shell, and returns its standard output, at most 64 KiB. Kills the program when
 * the signal aborts.
 *
 * @throws TokenSourceError when the program can't be started or fails.
 */
async function runProgram(program: Program): Promise<string> {
  const { file, args, env, signal, secrets, whenMissing, whenFailed } = program;
  for (const secret of secrets) rememberSecret(secret);
  const { execFile } = await import("node:child_process");
  return await new Promise<string>((resolve, reject) => {
    const options = { env, signal, maxBuffer: MAX_READ_BYTES, windowsHide: true } as const;
    execFile(file, args, { ...options, killSignal: "SIGKILL" }, (error, stdout, stderr) => {
      if (error === null && stdout.trim() !== "") {
        resolve(stdout);
        return;
      }
      if (error === null) {
        const message = `${file} printed no token`;
        reject(new TokenSourceError(message, { retryable: true, hint: whenFailed }));
        return;
      }
      const code: unknown = error.code;
      if (code === "ENOENT" || code === "EACCES") {
        reject(notConfigured(`${file} can't be started: ${code}`, whenMissing));
        return;
      }
      if (code === "ERR_CHILD_PROCESS_STDIO_MAXBUFFER") {
        const message = `${file} printed more than 64 KiB`;
        reject(new TokenSourceError(message, { retryable: true, hint: whenFailed }));
        return;
      }
      const how =
        typeof code === "number" ? `with exit code ${code}` : `by ${error.signal ?? code}`;
      const words = stderr.trim() === "" ? "" : `: ${safeText(stderr.trim(), 200, secrets)}`;
      const retryable = !PERMANENT.test(stderr);
      // Not the error itself: its message and `cmd` contain the arguments, and `stdout` may contain the token.
      const cause = safeCause(new Error(`${file} ended ${how}`));
      reject(
        new TokenSourceError(`${file} ended ${how}${words}`, {
          retryable,
          hint: whenFailed,
          cause,
        }),
      );
    });
  });
}
