/**
 * The options for a role, its token and its region. Every command that gets credentials has them, and
 * so has the doctor. This file does not load the code of the providers.
 */
import type { CredentialStore } from "../model/credential-store.js";
import { STS_DURATION_SECONDS } from "../model/sts-limits.js";
import type { WebIdentityInit } from "../provider/options.js";
import { type Environment, readVariable } from "../runtime/environment.js";
import { safeText } from "../runtime/redact.js";
import { TOKEN_SOURCE_NAMES } from "../token-sources/source-names.js";
import { type CommandFailure, wrongUsage } from "./command.js";
import {
  durationFrom,
  httpUrl,
  notEmpty,
  type OptionSpec,
  readOption,
  regionName,
  regionNames,
} from "./command-spec.js";

/** Values of `--token-source`. */
export const TOKEN_SOURCES = ["auto", ...TOKEN_SOURCE_NAMES] as const;

/** Rows for {@link CommandSpec.options}. */
export const PROVIDER_OPTIONS = {
  "role-arn": {
    type: "string",
    value: "ARN",
    help: "Role to assume. Default: AWS_ROLE_ARN.",
  },
  "token-file": {
    type: "string",
    value: "FILE",
    complete: "file",
    help: "File with the OIDC token. Default: AWS_WEB_IDENTITY_TOKEN_FILE.",
  },
  "token-source": {
    type: "string",
    value: "NAME",
    complete: TOKEN_SOURCES,
    help: "Where the token comes from: githubActions, gitlab, googleMetadata and others, or auto to detect it from the environment. Default: auto, unless a token file is configured.",
  },
  audience: {
    type: "string",
    value: "TEXT",
    help: "Audience to request from the token source. Default: sts.amazonaws.com where the platform lets a workload choose.",
  },
  profile: {
    type: "string",
    value: "NAME",
    help: "Profile whose role_arn, web_identity_token_file, role_session_name, duration_seconds and region are used. It overrides the environment; AWS_PROFILE does not.",
  },
  "role-session-name": {
    type: "string",
    value: "NAME",
    help: "Session name that CloudTrail shows. Default: AWS_ROLE_SESSION_NAME, or a name that contains the time.",
  },
  duration: {
    type: "string",
    value: "TIME",
    help: "Duration of a session, 15m to 12h. Default: 1h.",
  },
  region: {
    type: "string",
    value: "REGION",
    complete: "region",
    help: "Region whose STS endpoint is called. Default: AWS_REGION, AWS_DEFAULT_REGION, the region of the profile, or us-east-1.",
  },
  "failover-region": {
    type: "string",
    multiple: true,
    value: "REGION",
    complete: "region",
    help: "Region to use when the first one does not respond; may be repeated.",
  },
  "endpoint-url": {
    type: "string",
    value: "URL",
    help: "STS endpoint to use instead of AWS's own.",
  },
  timeout: {
    type: "string",
    value: "TIME",
    help: "Time limit for one refresh with all its retries, 1s to 10m. Default: 60s.",
  },
} as const satisfies Readonly<Record<string, OptionSpec>>;

export const PROVIDER_OPTION_NAMES = Object.keys(
  PROVIDER_OPTIONS,
) as (keyof typeof PROVIDER_OPTIONS)[];

/** Values of {@link PROVIDER_OPTIONS}. */
export type ProviderValues = {
  readonly [Name in keyof typeof PROVIDER_OPTIONS]?:
    | ((typeof PROVIDER_OPTIONS)[Name] extends { multiple: true } ? string[] : string)
    | undefined;
};

/** The settings that all providers of one command share. */
export interface ProviderSettings {
  /** The role of a command without `--role`. */
  readonly roleArn: string | undefined;
  readonly tokenFile: string | undefined;
  readonly tokenSource: (typeof TOKEN_SOURCES)[number] | undefined;
  readonly audience: string | undefined;
  readonly init: WebIdentityInit;
  /** Where processes share credentials. */
  readonly store?: CredentialStore | undefined;
  readonly env: Environment;
  /** The region that an option or the environment names. */
  readonly region: string | undefined;
}

export function tokenSourceName(flag: string, text: string): (typeof TOKEN_SOURCES)[number] {
  const named = TOKEN_SOURCES.find((name) => name === text);
  if (named !== undefined) return named;
  throw wrongUsage(`--${flag} takes one of ${TOKEN_SOURCES.join(", ")}`);
}

/**
 * How early to refresh, in seconds before the expiration. The AWS CLI and boto3 request credentials
 * again when 15 minutes are left, so the refresh starts before that: 20 to 27 minutes before the end of a session
 * of one hour, 65 to 87 minutes before the end of a session of 90 minutes or more.
 */
const EARLY_SECONDS = { usual: 1_200, long: 3_900, longFrom: 5_400 };

/** At most half of the session, because the window must not be longer than the session. In seconds. */
function earlySeconds(durationSeconds: number = STS_DURATION_SECONDS.default): number {
  const { usual, long, longFrom } = EARLY_SECONDS;
  const early = durationSeconds >= longFrom ? long : usual;
  return Math.min(early, Math.floor(durationSeconds / 2));
}

const sessionLength = durationFrom(
  STS_DURATION_SECONDS.min * 1000,
  STS_DURATION_SECONDS.max * 1000,
);

/** @throws CommandFailure for an option, a variable or a profile that can't be used. */
export async function readProviderSettings(
  values: ProviderValues,
  env: Environment,
): Promise<ProviderSettings> {
  for (const flag of ["token-source", "audience"] as const) {
    if (values["token-file"] === undefined || values[flag] === undefined) continue;
    throw wrongUsage(`--token-file and --${flag} can't be used together; leave one out`);
  }
  const named = {
    roleArn: readOption(values, "role-arn", notEmpty),
    tokenFile: readOption(values, "token-file", notEmpty),
    tokenSource: readOption(values, "token-source", tokenSourceName),
    audience: readOption(values, "audience", notEmpty),
    roleSessionName: readOption(values, "role-session-name", notEmpty),
    durationMs: readOption(values, "duration", sessionLength),
    region: readOption(values, "region", regionName),
    endpoint: readOption(values, "endpoint-url", httpUrl),
    failoverRegions: regionNames("failover-region", values["failover-region"]),
    budgetMs: readOption(values, "timeout", durationFrom(1_000, 600_000)),
  };
  const profile = readOption(values, "profile", notEmpty);
  const fromProfile = await readProfile(profile, values, env);
  const isTokenNamed = named.tokenSource !== undefined || named.audience !== undefined;
  const durationSeconds =
    named.durationMs === undefined ? fromProfile.durationSeconds : named.durationMs / 1000;
  const region = named.region ?? fromProfile.region;
  return {
    env,
    roleArn: named.roleArn ?? fromProfile.roleArn,
    tokenFile: named.tokenFile ?? (isTokenNamed ? undefined : fromProfile.tokenFile),
    tokenSource: named.tokenSource,
    audience: named.audience,
    region: region ?? regionOf(env),
    init: {
      roleSessionName: named.roleSessionName ?? fromProfile.roleSessionName,
      durationSeconds,
      region,
      failoverRegions: named.failoverRegions,
      clientConfig: {
        ...(named.endpoint !== undefined && { endpoint: named.endpoint }),
        ...(profile !== undefined && { profile }),
      },
      refresh: { advisoryWindowSeconds: earlySeconds(durationSeconds) },
      ...(named.budgetMs !== undefined && { retry: { budgetMs: named.budgetMs } }),
    },
  };
}

const OPTIONS_BEFORE_PROFILE = ["role-arn", "token-file", "token-source", "audience"] as const;
const VARIABLES_BEFORE_PROFILE = ["AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"];

interface ProfileSettings {
  readonly roleArn?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly roleSessionName?: string | undefined;
  readonly durationSeconds?: number | undefined;
  readonly region?: string | undefined;
}

/**
 * The settings of the profile that the option names. Without the option, they come from the profile in
 * `AWS_PROFILE` if it has both a role and a token file, and if no other option or variable names a role
 * or a token. Any other profile in `AWS_PROFILE` is for the programs that this one runs.
 */
async function readProfile(
  named: string | undefined,
  values: ProviderValues,
  env: Environment,
): Promise<ProfileSettings> {
  const profile = named ?? readVariable(env, "AWS_PROFILE");
  const isConfigured =
    OPTIONS_BEFORE_PROFILE.some((name) => values[name] !== undefined) ||
    VARIABLES_BEFORE_PROFILE.some((name) => readVariable(env, name) !== undefined);
  if (profile === undefined || (named === undefined && isConfigured)) return {};
  const { profileReader } = await import("../sts/shared-config.js");
  const read = profileReader(profile);
  const [roleArn, tokenFile, roleSessionName, duration, region] = await Promise.all([
    read("role_arn"),
    read("web_identity_token_file"),
    read("role_session_name"),
    read("duration_seconds"),
    read("region"),
  ]).catch((error: unknown) => {
    const { message } = error as Error;
    throw wrongUsage(`the profile ${safeText(profile, 60)} can't be read: ${message}`);
  });
  const isByVariable = named === undefined;
  if (isByVariable && (roleArn === undefined || tokenFile === undefined)) return {};
  const durationSeconds = duration === undefined ? undefined : Number(duration);
  if (durationSeconds !== undefined && !Number.isInteger(durationSeconds)) {
    throw wrongUsage(`duration_seconds of the profile ${safeText(profile, 60)} is not a number`);
  }
  return {
    roleArn,
    tokenFile,
    durationSeconds,
    roleSessionName:
      (isByVariable ? readVariable(env, "AWS_ROLE_SESSION_NAME") : undefined) ?? roleSessionName,
    region: (isByVariable ? regionOf(env) : undefined) ?? region,
  };
}

function regionOf(env: Environment): string | undefined {
  return readVariable(env, "AWS_REGION") ?? readVariable(env, "AWS_DEFAULT_REGION");
}

/** The failure of a command that has no role to assume. */
export function noRole(profile: string | undefined): CommandFailure {
  const problem =
    profile === undefined
      ? "there is no role"
      : `the profile ${safeText(profile, 60)} has no role_arn`;
  return wrongUsage(`${problem}; name it with --role-arn, or set AWS_ROLE_ARN`);
}
