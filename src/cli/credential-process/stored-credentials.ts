/**
 * Reads a `credential-process` command line, and the credentials that another process of this user
 * stored for it. Most calls end here, so this file loads no package and little else.
 */
import { resolve } from "node:path";
import { STS_DURATION_SECONDS } from "../../model/sts-limits.js";
import { type Environment, readVariable } from "../../runtime/environment.js";
import { fileStore } from "../../stores/file-store.js";
import { credentialsText, wrongUsage } from "../command.js";
import { COMMON_OPTIONS, type CommandSpec, durationFrom, readOptions } from "../command-spec.js";
import {
  noRole,
  PROVIDER_OPTION_NAMES,
  PROVIDER_OPTIONS,
  type ProviderSettings,
  readProviderSettings,
} from "../provider-options.js";
import { SharedCache, sharingKey } from "./shared-cache.js";

/** The table of `resilient-sts credential-process`. */
export const SPEC = {
  name: "credential-process",
  usage: "[options]",
  about: `
Gets AWS credentials from an OIDC token, and prints them in the format that the AWS SDKs and the AWS
CLI expect from a credential_process. All processes of this user share the credentials: one process
calls STS, the others read the result. While credentials are valid, a failed refresh only prints a
line on standard error.

Exit codes: 0 credentials were printed, 1 STS or the issuer refused, 2 wrong usage, 3 there is no
token, 4 out of time.`,
  groups: {
    Credentials: [...PROVIDER_OPTION_NAMES],
    "Cache and output": ["cache", "min-ttl", "print-config", "help", "version"],
  },
  options: {
    ...PROVIDER_OPTIONS,
    timeout: {
      type: "string",
      value: "TIME",
      default: "50s",
      help: "Time limit for the whole command, 1s to 10m. Default: 50s, because the SDK for Go stops it after 60s.",
    },
    cache: {
      type: "string",
      value: "DIR",
      complete: "directory",
      help: "Private directory for the credentials that processes share, or off to share nothing. Default: $XDG_RUNTIME_DIR/resilient-sts, or the user's cache directory.",
    },
    "min-ttl": {
      type: "string",
      value: "TIME",
      default: "16m",
      help: "Refresh credentials that are valid for less than this, or for less than half of their lifetime if that is shorter. Default: 16m, because the AWS CLI and boto3 run the command again when 15 minutes are left.",
    },
    "print-config": {
      type: "boolean",
      help: "Print the lines of a profile that runs this command with these options, and exit.",
    },
    ...COMMON_OPTIONS,
  },
  examples: [
    [
      "A profile for the AWS CLI, boto3, Terraform and every SDK",
      "resilient-sts credential-process --print-config \\\n    --role-arn arn:aws:iam::123456789012:role/dev \\\n    --token-file ~/.oidc/token >> ~/.aws/config",
    ],
    [
      "The command that the profile runs",
      "resilient-sts credential-process --role-arn ARN --token-file FILE",
    ],
  ],
} as const satisfies CommandSpec;

/** Set for the programs that a token source runs. One that uses the same profile would call itself forever. */
const INSIDE = "RESILIENT_STS_CREDENTIAL_PROCESS";

/** Values of the options, as the command gets them. */
export type CredentialProcessValues = ReturnType<typeof readOptions<typeof SPEC.options>>["values"];

/** The credentials that a command line requests. */
export interface CredentialRequest {
  readonly settings: ProviderSettings & { readonly roleArn: string };
  /** All processes whose requests have this key share credentials; empty if nothing can be shared. */
  readonly key: string;
  readonly minTtlMs: number;
}

/** @throws CommandFailure for values that can't be used, and when the program of its own token source calls it. */
export async function readRequest(
  values: CredentialProcessValues,
  env: Environment,
): Promise<CredentialRequest> {
  const minTtlMs = durationFrom(0, STS_DURATION_SECONDS.max * 1000)("min-ttl", values["min-ttl"]);
  const { timeout: _, ...providerValues } = values;
  const settings = await readProviderSettings(providerValues, env);
  const roleArn = settings.roleArn ?? readVariable(env, "AWS_ROLE_ARN");
  if (roleArn === undefined) throw noRole(values.profile);
  const key = await sharingKey(settings, roleArn);
  if (key !== "" && env[INSIDE] === key) {
    // The token source reads this error. It does not run its program again after "not allowed".
    throw wrongUsage(
      "the profile calls itself, which is not allowed: the program of its token source uses the same profile; set another AWS_PROFILE for that program",
    );
  }
  return { settings: { ...settings, roleArn, env: { ...env, [INSIDE]: key } }, key, minTtlMs };
}

/** The cache that all processes with this request share. */
export function sharedCache(
  { key, minTtlMs, settings: { roleArn } }: CredentialRequest,
  cache: string | undefined,
  onTrouble: (message: string) => void,
): SharedCache {
  const directory = cache === undefined ? undefined : resolve(cache);
  const store = cache === "off" || key === "" ? undefined : fileStore({ directory });
  return new SharedCache({ key, roleArn, minTtlMs, store, onTrouble });
}

/**
 * The credentials for a command line, as it prints them, if fresh ones are stored. If not, or after any
 * error, the command itself starts from the beginning and reports what is wrong.
 */
export async function storedCredentials(
  args: readonly string[],
  env: Environment,
): Promise<string | undefined> {
  try {
    const { values } = readOptions(SPEC, args);
    if (values.help || values.version || values["print-config"]) return undefined;
    // The command reports a limit that can't be used, even if credentials are stored.
    timeoutOf(values);
    const request = await readRequest(values, env);
    const { credentials, isFresh } = await sharedCache(request, values.cache, () => {}).read();
    return isFresh && credentials !== undefined ? credentialsText(credentials) : undefined;
  } catch {
    return undefined;
  }
}

/** The time limit of the whole command, in milliseconds. */
export function timeoutOf(values: CredentialProcessValues): number {
  return durationFrom(1_000, 600_000)("timeout", values.timeout);
}
