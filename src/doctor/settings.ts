import { type Environment, readVariable } from "../runtime/environment.js";
import { safeText } from "../runtime/redact.js";
import type { StsSettings } from "../sts/client-config.js";
import { configuredEndpoint } from "../sts/configured-endpoint.js";
import { profileReader } from "../sts/profile.js";
import type { Setting } from "./facts.js";
import type { DiagnoseOptions } from "./options.js";
import type { Run } from "./run.js";

/** What the run works with, and where each part of it came from. */
export interface ResolvedSettings {
  readonly tokenFile: string | undefined;
  readonly roleArn: string | undefined;
  readonly roleSessionName: string;
  readonly sts: StsSettings;
  /** As they are told; the region joins them when it is chosen. */
  readonly told: readonly Setting[];
}

/** Tells the doctor's session from the workload's in CloudTrail. */
const SESSION_NAME = "resilient-sts-doctor";

/** A home directory may be on a mount that hangs, and the SDK's first load takes a while. */
const PROFILE_LIMIT_MS = 5_000;

interface Found {
  readonly value: string | undefined;
  readonly source: string;
}

/** Every setting by option, environment, profile or default, in this order. */
export async function readSettings(options: DiagnoseOptions, run: Run): Promise<ResolvedSettings> {
  const { env } = run.runtime;
  const find = (option: string | undefined, ...variables: string[]): Found => {
    if (option !== undefined) return { value: option, source: "option" };
    const source = variables.find((name) => readVariable(env, name) !== undefined);
    return source === undefined
      ? { value: undefined, source: "none" }
      : { value: readVariable(env, source), source };
  };
  const profile = readVariable(env, "AWS_PROFILE");
  const tokenFile = find(options.tokenFile, "AWS_WEB_IDENTITY_TOKEN_FILE");
  const roleArn = find(options.roleArn, "AWS_ROLE_ARN");
  const named = find(options.roleSessionName, "AWS_ROLE_SESSION_NAME");
  const sessionName =
    named.value === undefined ? { value: SESSION_NAME, source: "default" } : named;
  const endpoint = find(options.endpointUrl, "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL");
  const mode = find(undefined, "AWS_STS_REGIONAL_ENDPOINTS");
  // A profile that cannot be read to its end is told where the region is chosen.
  const [endpointUrl, regionalMode] = await run.within(
    PROFILE_LIMIT_MS,
    () => [endpoint, mode],
    async () => await Promise.all([endpointOf(options, env), modeOf(mode, profile)]),
  );
  const failoverRegions = options.failoverRegions ?? [];

  return {
    tokenFile: tokenFile.value,
    roleArn: roleArn.value,
    roleSessionName: sessionName.value ?? SESSION_NAME,
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
    told: [
      options.token === undefined
        ? setting("token", tokenFile)
        : { name: "token", source: "option" },
      setting("roleArn", roleArn),
      setting("roleSessionName", sessionName),
      setting("endpointUrl", endpointUrl),
      setting("stsRegionalEndpoints", regionalMode),
      ...(failoverRegions.length > 0
        ? [setting("failoverRegions", { value: failoverRegions.join(", "), source: "option" })]
        : []),
    ],
  };
}

async function endpointOf({ endpointUrl }: DiagnoseOptions, env: Environment): Promise<Found> {
  if (endpointUrl !== undefined) return { value: endpointUrl, source: "option" };
  const configured = await configuredEndpoint(env);
  return { value: configured?.url, source: configured?.source ?? "none" };
}

async function modeOf(mode: Found, profile: string | undefined): Promise<Found> {
  if (mode.value !== undefined) return mode;
  // A profile that cannot be read is told where the region is chosen.
  const value = await profileReader(profile)("sts_regional_endpoints").catch(() => undefined);
  return { value, source: value === undefined ? "none" : "profile" };
}

export function setting(name: Setting["name"], { value, source }: Found): Setting {
  if (value === undefined) return { name, source };
  // A token may stand where a path or an ARN belongs.
  return { name, value: safeText(value, 300), source };
}

/** The SDK reads these of the process; a run may have an environment of its own. */
function endpointFlags(env: Environment) {
  const isOn = (name: string) => readVariable(env, name)?.toLowerCase() === "true";
  return {
    ...(isOn("AWS_USE_FIPS_ENDPOINT") && { useFipsEndpoint: true }),
    ...(isOn("AWS_USE_DUALSTACK_ENDPOINT") && { useDualstackEndpoint: true }),
  };
}
