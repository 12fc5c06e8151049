/**
 * The options by which every command that gets credentials names its role, its token and its
 * region. The doctor uses the same names. Loads nothing of the providers that are made from them.
 */
import type { CredentialStore } from "../model/credential-store.js";
import type { WebIdentityInit } from "../provider/options.js";
import { type Environment, readVariable } from "../runtime/environment.js";
import { safeText } from "../runtime/redact.js";
import { TOKEN_SOURCE_NAMES } from "../token-sources/source-names.js";
import { type CommandFailure, wrongUsage } from "./command-failure.js";
import type { OptionSpec } from "./command-spec.js";
import { parseDuration } from "./duration.js";

/** Values of `--token-source`. */
const TOKEN_SOURCES = ["auto", ...TOKEN_SOURCE_NAMES] as const;

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
    help: "File that holds the OIDC token. Default: AWS_WEB_IDENTITY_TOKEN_FILE.",
  },
  "token-source": {
    type: "string",
    value: "NAME",
    complete: TOKEN_SOURCES,
    help: "Where the token comes from: githubActions, gitlab, googleMetadata and others, or auto for the one that the environment names. Default: auto where no token file is configured.",
  },
  audience: {
    type: "string",
    value: "TEXT",
    help: "Audience to request from the token source. Default: sts.amazonaws.com where the platform lets a workload choose.",
  },
  profile: {
    type: "string",
    value: "NAME",
    help: "Profile whose role_arn, web_identity_token_file, role_session_name, duration_seconds and region are used. It comes before the environment; AWS_PROFILE comes after it.",
  },
  "role-session-name": {
    type: "string",
    value: "NAME",
    help: "Session name, as CloudTrail shows it. Default: AWS_ROLE_SESSION_NAME, or one with the time.",
  },
  duration: {
    type: "string",
    value: "TIME",
    help: "Length of a session, 15m to 12h. Default: 1h.",
  },
  region: {
    type: "string",
    value: "REGION",
    help: "Region whose STS is asked, and the region of the command. Default: AWS_REGION, AWS_DEFAULT_REGION, us-east-1 for STS.",
  },
  "failover-region": {
    type: "string",
    multiple: true,
    value: "REGION",
    help: "Region to ask when the first does not answer; may be repeated.",
  },
  "endpoint-url": {
    type: "string",
    value: "URL",
    help: "STS endpoint to use instead of AWS's own.",
  },
  timeout: {
    type: "string",
    value: "TIME",
    help: "Limit for one refresh with all its retries, 1s to 10m. Default: 60s.",
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

/** What all providers of one command have in common. */
export interface ProviderSettings {
  /** The role where none is named with a name of its own. */
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

/** 1 h, STS's default. */
const DEFAULT_DURATION_SECONDS = 3_600;

/**
 * How early to refresh, in seconds before the expiration. The AWS CLI and boto3 ask again when
 * 15 minutes are left, so credentials are new before that: 20 to 27 minutes before the end of a
 * session of one hour, 65 to 87 before the end of one of 90 minutes or more. The provider takes half
 * of a shorter lifetime.
 */
const EARLY_SECONDS = { usual: 1_200, long: 3_900, longFrom: 5_400 };

/** In seconds. Of a short session the half, or the window would be longer than the session. */
function earlySeconds(durationSeconds = DEFAULT_DURATION_SECONDS): number {
  const { usual, long, longFrom } = EARLY_SECONDS;
  const early = durationSeconds >= longFrom ? long : usual;
  return Math.min(early, Math.floor(durationSeconds / 2));
}

/** @throws CommandFailure for an option, a variable or a profile that can't be used. */
export async function readProviderSettings(
  values: ProviderValues,
  env: Environment,
): Promise<ProviderSettings> {
  for (const flag of ["token-source", "audience"] as const) {
    if (values["token-file"] === undefined || values[flag] === undefined) continue;
    throw wrongUsage(`--token-file and --${flag} exclude each other; leave one out`);
  }
  const named = {
    roleArn: optional("role-arn", values["role-arn"], notEmpty),
    tokenFile: optional("token-file", values["token-file"], notEmpty),
    tokenSource: optional("token-source", values["token-source"], tokenSourceName),
    audience: optional("audience", values.audience, notEmpty),
    roleSessionName: optional("role-session-name", values["role-session-name"], notEmpty),
    durationSeconds: readDuration(values.duration),
    region: optional("region", values.region, regionName),
    endpoint: optional("endpoint-url", values["endpoint-url"], httpUrl),
    failoverRegions: (values["failover-region"] ?? [])
      .flatMap((text) => text.split(","))
      .map((text) => regionName("failover-region", text)),
  };
  const profile = optional("profile", values.profile, notEmpty);
  const fromProfile = await readProfile(profile, values, env);
  const isTokenNamed = named.tokenSource !== undefined || named.audience !== undefined;
  const durationSeconds = named.durationSeconds ?? fromProfile.durationSeconds;
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
      ...(values.timeout !== undefined && {
        retry: { budgetMs: parseDuration("timeout", values.timeout, 1_000, 600_000) },
      }),
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
 * What the profile of the option says; or that of `AWS_PROFILE`, where nothing else names a role or a
 * token and the profile names both. Any other profile of `AWS_PROFILE` is for the programs that use it.
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
    ...{ roleArn, tokenFile, durationSeconds },
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

interface RoleValues {
  readonly role?: readonly string[] | undefined;
  readonly "role-arn"?: string | undefined;
}

const ROLE = /^(?!\.{1,2}=)([\w.-]{1,64})=(\S+)$/;

/** Role names and ARNs of `--role NAME=ARN`, or the one of the settings, which is `default`. */
export function readRoles(
  { role: roles = [], "role-arn": roleArn }: RoleValues,
  settings: ProviderSettings,
): ReadonlyMap<string, string | undefined> {
  if (roles.length === 0) return new Map([["default", settings.roleArn]]);
  if (roleArn !== undefined) {
    throw wrongUsage("--role and --role-arn exclude each other; name every role with --role");
  }
  const named = new Map<string, string>();
  for (const text of roles) {
    const [, name = "", arn = ""] = ROLE.exec(text) ?? [];
    if (name === "") {
      throw wrongUsage(
        "--role takes a name and a role, such as app=arn:aws:iam::123456789012:role/app",
      );
    }
    if (named.has(name)) throw wrongUsage(`--role names ${name} twice; choose another name`);
    named.set(name, arn);
  }
  return named;
}

function readDuration(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  return parseDuration("duration", text, 900_000, 43_200_000) / 1000;
}

function optional<T>(
  flag: string,
  text: string | undefined,
  read: (flag: string, text: string) => T,
): T | undefined {
  return text === undefined ? undefined : read(flag, text);
}

function notEmpty(flag: string, text: string): string {
  if (text.trim() === "") throw wrongUsage(`--${flag} is empty; give it a value or leave it out`);
  return text;
}

export function tokenSourceName(flag: string, text: string): (typeof TOKEN_SOURCES)[number] {
  const named = TOKEN_SOURCES.find((name) => name === text);
  if (named !== undefined) return named;
  throw wrongUsage(`--${flag} takes one of ${TOKEN_SOURCES.join(", ")}`);
}

/** Part of a host name, as the SDK has it. */
function regionName(flag: string, text: string): string {
  const region = text.trim();
  if (/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(region)) return region;
  throw wrongUsage(`--${flag} takes the name of an AWS region, such as eu-west-1`);
}

/** The text as it was given: an issuer is compared letter by letter. */
function httpUrl(flag: string, text: string): string {
  // `https:example.com` is a URL to a browser, and not to an issuer or an SDK.
  const url = /^https?:\/\//i.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  if (url?.username === "" && url.password === "") return text;
  throw wrongUsage(
    `--${flag} takes a URL with https:// and without a password, such as https://example.com`,
  );
}
