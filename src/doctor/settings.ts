import { type Environment, readVariable } from "../runtime/environment.js";
import { safeText } from "../runtime/redact.js";
import { configuredEndpoint, profileReader } from "../sts/shared-config.js";
import type { StsSettings } from "../sts/target.js";
import type { Setting } from "./diagnosis.js";
import type { DiagnoseOptions } from "./options.js";
import type { Run } from "./run.js";

/** The settings of a run, and the source of each. */
export interface ResolvedSettings {
  readonly tokenFile: string | undefined;
  readonly roleArn: string | undefined;
  readonly roleSessionName: string;
  readonly durationSeconds: number | undefined;
  readonly sts: StsSettings;
  /** As the report shows them. The region and the issuer are added when they are known. */
  readonly shown: readonly Setting[];
}

/** Distinguishes the doctor's session from the workload's in CloudTrail. */
const SESSION_NAME = "resilient-sts-doctor";

/** A home directory may be on a mount that hangs, and loading the SDK takes a while. In milliseconds. */
const PROFILE_LIMIT_MS = 5_000;

interface Found {
  readonly value: string | undefined;
  readonly source: string;
}

const NOWHERE: Found = { value: undefined, source: "none" };

const PROFILE_KEYS = [
  "role_arn",
  "web_identity_token_file",
  "role_session_name",
  "duration_seconds",
] as const;

type Profile = Readonly<Record<(typeof PROFILE_KEYS)[number], string | undefined>>;

/** Reads each setting from the option, the environment, the profile or the default, in this order. */
export async function readSettings(options: DiagnoseOptions, run: Run): Promise<ResolvedSettings> {
  const { env } = run.runtime;
  const find = (option: string | undefined, ...variables: string[]): Found => {
    if (option !== undefined) return { value: option, source: "option" };
    const source = variables.find((name) => readVariable(env, name) !== undefined);
    return source === undefined ? NOWHERE : { value: readVariable(env, source), source };
  };
  const profileName = find(options.profile, "AWS_PROFILE");
  const profile = profileName.value;
  const read = profileReader(profile);
  const inProfile: Partial<Profile> = await run.within(
    { limitMs: PROFILE_LIMIT_MS, late: () => ({}) },
    // A profile that cannot be read is reported where the region is chosen.
    async () => {
      const values = await Promise.all(PROFILE_KEYS.map((key) => read(key).catch(() => undefined)));
      return Object.fromEntries(PROFILE_KEYS.map((key, index) => [key, values[index]]));
    },
  );
  /** A profile that an option names comes before the environment, as in the AWS CLI. */
  const choose = (option: string | undefined, variable: string, key: keyof Profile): Found => {
    const named = find(option, variable);
    const value = inProfile[key];
    const isProfileFirst = options.profile !== undefined && option === undefined;
    if (value === undefined || (named.value !== undefined && !isProfileFirst)) return named;
    return { value, source: "profile" };
  };
  const tokenFile = choose(
    options.tokenFile,
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "web_identity_token_file",
  );
  const roleArn = choose(options.roleArn, "AWS_ROLE_ARN", "role_arn");
  const named = choose(options.roleSessionName, "AWS_ROLE_SESSION_NAME", "role_session_name");
  const sessionName =
    named.value === undefined ? { value: SESSION_NAME, source: "default" } : named;
  const duration = inProfile.duration_seconds;
  const endpoint = find(options.endpointUrl, "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL");
  const mode = find(undefined, "AWS_STS_REGIONAL_ENDPOINTS");
  // A profile that cannot be read to its end is reported where the region is chosen.
  const [endpointUrl, regionalMode] = await run.within(
    { limitMs: PROFILE_LIMIT_MS, late: () => [endpoint, mode] },
    async () => await Promise.all([endpointOf(options, env), modeOf(mode, profile)]),
  );
  const failoverRegions = options.failoverRegions ?? [];

  return {
    tokenFile: tokenFile.value,
    roleArn: roleArn.value,
    roleSessionName: sessionName.value ?? SESSION_NAME,
    durationSeconds: duration === undefined ? undefined : Number(duration),
    sts: {
      clientConfig: {
        ...(endpointUrl.value !== undefined && { endpoint: endpointUrl.value }),
        ...(profile !== undefined && { profile }),
        ...(endpointUrl.value === undefined && endpointFlags(env)),
      },
      clientPlugins: [],
      region: options.region,
      failoverRegions,
      parentClientConfig: {},
    },
    shown: [
      tokenSetting(options, tokenFile),
      ...(options.audience === undefined
        ? []
        : [setting("audience", { value: options.audience, source: "option" })]),
      ...(profile === undefined ? [] : [setting("profile", profileName)]),
      setting("roleArn", roleArn),
      setting("roleSessionName", sessionName),
      ...(duration === undefined
        ? []
        : [setting("durationSeconds", { value: duration, source: "profile" })]),
      setting("endpointUrl", endpointUrl),
      setting("stsRegionalEndpoints", regionalMode),
      ...(failoverRegions.length > 0
        ? [setting("failoverRegions", { value: failoverRegions.join(", "), source: "option" })]
        : []),
    ],
  };
}

function tokenSetting({ token, tokenSource }: DiagnoseOptions, tokenFile: Found): Setting {
  if (token !== undefined) return { name: "token", source: "option" };
  if (tokenSource !== undefined) return { name: "token", value: tokenSource, source: "option" };
  return setting("token", tokenFile);
}

async function endpointOf({ endpointUrl }: DiagnoseOptions, env: Environment): Promise<Found> {
  if (endpointUrl !== undefined) return { value: endpointUrl, source: "option" };
  const configured = await configuredEndpoint(env);
  return { value: configured?.url, source: configured?.source ?? "none" };
}

async function modeOf(mode: Found, profile: string | undefined): Promise<Found> {
  if (mode.value !== undefined) return mode;
  // A profile that cannot be read is reported where the region is chosen.
  const value = await profileReader(profile)("sts_regional_endpoints").catch(() => undefined);
  return { value, source: value === undefined ? "none" : "profile" };
}

export function setting(name: Setting["name"], { value, source }: Found): Setting {
  if (value === undefined) return { name, source };
  // The value may be a token, given where a path or an ARN belongs.
  return { name, value: safeText(value, 300), source };
}

/** The SDK reads these from the process, but a run can have its own environment. */
function endpointFlags(env: Environment) {
  const isOn = (name: string) => readVariable(env, name)?.toLowerCase() === "true";
  return {
    ...(isOn("AWS_USE_FIPS_ENDPOINT") && { useFipsEndpoint: true }),
    ...(isOn("AWS_USE_DUALSTACK_ENDPOINT") && { useDualstackEndpoint: true }),
  };
}
