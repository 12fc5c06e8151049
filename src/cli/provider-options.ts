/**
 * The options by which every command that gets credentials names its role, its token and its
 * region, and the providers made from them. The doctor uses the same names.
 */
import { isWebIdentityError } from "../model/errors.js";
import type { WebIdentityEvent } from "../model/events.js";
import type { TokenSource } from "../model/token-source.js";
import { fromTokenFile } from "../provider/from-token-file.js";
import { fromWebIdentity } from "../provider/from-web-identity.js";
import type { WebIdentityInit } from "../provider/options.js";
import type { WebIdentityProvider } from "../provider/web-identity-provider.js";
import { type Environment, readVariable } from "../runtime/environment.js";
import { detectTokenSource, matchingSources, TOKEN_SOURCE_NAMES } from "../token-sources/detect.js";
import { CommandFailure, EXIT, wrongUsage } from "./command-failure.js";
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
  readonly tokenFile: string | undefined;
  readonly tokenSource: (typeof TOKEN_SOURCES)[number] | undefined;
  readonly audience: string | undefined;
  readonly init: WebIdentityInit;
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

export function readProviderSettings(values: ProviderValues, env: Environment): ProviderSettings {
  const durationSeconds = readDuration(values.duration);
  const regions = (values["failover-region"] ?? []).flatMap((text) => text.split(","));
  const region = optional("region", values.region, regionName);
  const endpoint = optional("endpoint-url", values["endpoint-url"], httpUrl);
  const isLong = (durationSeconds ?? DEFAULT_DURATION_SECONDS) >= EARLY_SECONDS.longFrom;
  for (const flag of ["token-source", "audience"] as const) {
    if (values["token-file"] === undefined || values[flag] === undefined) continue;
    throw wrongUsage(`--token-file and --${flag} exclude each other; leave one out`);
  }
  return {
    env,
    tokenFile: optional("token-file", values["token-file"], notEmpty),
    tokenSource: optional("token-source", values["token-source"], tokenSourceName),
    audience: optional("audience", values.audience, notEmpty),
    region: region ?? readVariable(env, "AWS_REGION") ?? readVariable(env, "AWS_DEFAULT_REGION"),
    init: {
      roleSessionName: optional("role-session-name", values["role-session-name"], notEmpty),
      durationSeconds,
      region,
      failoverRegions: regions.map((text) => regionName("failover-region", text)),
      clientConfig: endpoint === undefined ? {} : { endpoint },
      refresh: {
        advisoryWindowSeconds: isLong ? EARLY_SECONDS.long : EARLY_SECONDS.usual,
      },
      ...(values.timeout !== undefined && {
        retry: { budgetMs: parseDuration("timeout", values.timeout, 1_000, 600_000) },
      }),
    },
  };
}

/** A provider for one role. What is wrong with it ends the command. */
export function createRoleProvider(
  role: string | undefined,
  settings: ProviderSettings,
  onEvent: (event: WebIdentityEvent) => void,
): WebIdentityProvider {
  const { tokenFile, init, env } = settings;
  const roleArn = role ?? readVariable(env, "AWS_ROLE_ARN");
  if (roleArn === undefined) {
    throw wrongUsage("there is no role; name it with --role-arn, or set AWS_ROLE_ARN");
  }
  const token = tokenFile === undefined ? createSource(settings) : undefined;
  if (token === undefined) {
    return fromTokenFile({ ...init, webIdentityTokenFile: tokenFile, roleArn, onEvent });
  }
  const roleSessionName = init.roleSessionName ?? readVariable(env, "AWS_ROLE_SESSION_NAME");
  return fromWebIdentity({ ...init, token, roleArn, roleSessionName, onEvent });
}

/** The token source, unless the token file of the environment is to be used. */
function createSource({ tokenSource, audience, env }: ProviderSettings): TokenSource | undefined {
  if (tokenSource !== undefined || audience !== undefined) {
    return detectTokenSource({ source: tokenSource, audience, env });
  }
  if (readVariable(env, "AWS_WEB_IDENTITY_TOKEN_FILE") !== undefined) return undefined;
  if (matchingSources(env).length > 0) return detectTokenSource({ env });
  throw new CommandFailure(
    "there is no token; name its file with --token-file or its source with --token-source, or set AWS_WEB_IDENTITY_TOKEN_FILE",
    EXIT.noToken,
  );
}

const ROLE = /^(?!\.{1,2}=)([\w.-]{1,64})=(\S+)$/;

/** Role names and ARNs of `--role NAME=ARN`, or the one of `--role-arn`. */
export function readRoles(
  roles: readonly string[] = [],
  roleArn: string | undefined,
): ReadonlyMap<string, string | undefined> {
  if (roles.length === 0) {
    return new Map([["default", optional("role-arn", roleArn, notEmpty)]]);
  }
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

/**
 * Exit code of a command that could not get credentials: 1 for a refusal by STS or the issuer, 3
 * for a missing token, 4 when time ran out.
 */
export function credentialsFailure(error: unknown): unknown {
  if (!isWebIdentityError(error)) return error;
  const exitCode = EXIT_CODES[error.code] ?? EXIT.refused;
  return new CommandFailure(`${error.code}: ${error.message}`, exitCode);
}

const EXIT_CODES: Readonly<Record<string, number>> = {
  ERR_NOT_CONFIGURED: EXIT.noToken,
  ERR_TOKEN_UNAVAILABLE: EXIT.noToken,
  ERR_IDP_UNREACHABLE: EXIT.outOfTime,
  ERR_THROTTLED: EXIT.outOfTime,
  ERR_STS_UNAVAILABLE: EXIT.outOfTime,
};

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
export function regionName(flag: string, text: string): string {
  const region = text.trim();
  if (/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(region)) return region;
  throw wrongUsage(`--${flag} takes the name of an AWS region, such as eu-west-1`);
}

/** The text as it was given: an issuer is compared letter by letter. */
export function httpUrl(flag: string, text: string): string {
  // `https:example.com` is a URL to a browser, and not to an issuer or an SDK.
  const url = /^https?:\/\//i.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  if (url?.username === "" && url.password === "") return text;
  throw wrongUsage(
    `--${flag} takes a URL with https:// and without a password, such as https://example.com`,
  );
}
