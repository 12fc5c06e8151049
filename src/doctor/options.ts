// The options of a run, and the settings that follow from them: the option, else the environment, else the
// profile, else the default.

import { type CredentialStore, checkStore } from "../model/credential-store.js";
import { type Environment, readVariable } from "../runtime/environment.js";
import { safeText } from "../runtime/redact.js";
import {
  checkKeys,
  checkNumber,
  checkRegion,
  checkSignal,
  checkString,
  checkStrings,
  checkType,
  expected,
  word,
} from "../runtime/validators.js";
import { configuredEndpoint, profileReader } from "../sts/shared-config.js";
import type { StsSettings } from "../sts/target.js";
import { TOKEN_SOURCE_NAMES, type TokenSourceName } from "../token-sources/source-names.js";
import type { Progress, Setting } from "./diagnosis.js";
import type { Run } from "./run.js";

/** Options of {@link diagnose}. What is left out is read from the environment. */
export interface DiagnoseOptions {
  /** Path of the token file. @default AWS_WEB_IDENTITY_TOKEN_FILE, the profile's */
  readonly tokenFile?: string | undefined;
  /** The token itself; takes precedence over `tokenFile`. */
  readonly token?: string | undefined;
  /**
   * The source from `resilient-sts/token-sources` that provides the token, or `"auto"`: the one that
   * the environment names.
   * @default the token file; if none is configured, `"auto"`
   */
  readonly tokenSource?: TokenSourceName | "auto" | undefined;
  /** The audience to request from the source. @default the source's own default */
  readonly audience?: string | undefined;
  /**
   * The profile whose `role_arn`, `web_identity_token_file`, `role_session_name`, `duration_seconds` and
   * `region` apply. As an option, the profile comes before the environment; as AWS_PROFILE, after it.
   * @default AWS_PROFILE, else "default"
   */
  readonly profile?: string | undefined;
  /** ARN of the role to assume. @default AWS_ROLE_ARN, the profile's `role_arn` */
  readonly roleArn?: string | undefined;
  /** Name of the session. @default AWS_ROLE_SESSION_NAME, the profile's, `resilient-sts-doctor` */
  readonly roleSessionName?: string | undefined;
  /** Region whose STS is called. @default AWS_REGION, AWS_DEFAULT_REGION, the profile, us-east-1 */
  readonly region?: string | undefined;
  /** Regions whose STS is measured too. @default [] */
  readonly failoverRegions?: readonly string[] | undefined;
  /** Checks only this issuer, without a token and without STS. */
  readonly issuer?: string | undefined;
  /** URL of the STS endpoint. @default AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL, the region's endpoint */
  readonly endpointUrl?: string | undefined;
  /**
   * Allows requests to issuers on private and loopback addresses; loopback issuers may use http.
   * @default false, but loopback issuers are allowed if the environment has
   * `RESILIENT_STS_ALLOW_LOOPBACK_ISSUERS=true`
   */
  readonly allowPrivateIssuers?: boolean | undefined;
  /**
   * A shared store to check: whether it responds, its clock, its keys, and a round trip under a key of
   * the doctor's own, which is removed afterwards.
   */
  readonly store?: CredentialStore | undefined;
  /** Whether to make one real AssumeRoleWithWebIdentity call. @default true */
  readonly assume?: boolean | undefined;
  /** Whether to mask account IDs and leave out the subject. @default false */
  readonly redact?: boolean | undefined;
  /**
   * Limit of the whole run, in milliseconds, from 1000 to 60000. When it is reached, the run ends with the
   * findings so far.
   * @default 18000
   */
  readonly timeoutMs?: number | undefined;
  /** Called when a step begins and when it ends. Errors that it throws are ignored. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Ends the run. The promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Environment variables to read. @default process.env */
  readonly env?: Environment | undefined;
}

const TEXTS = [
  ...(["tokenFile", "audience", "profile", "roleArn", "roleSessionName"] as const),
  ...(["issuer", "endpointUrl"] as const),
] as const;
const SWITCHES = ["allowPrivateIssuers", "assume", "redact"] as const;
const OTHERS = [
  ...(["token", "tokenSource", "region", "failoverRegions", "store", "timeoutMs"] as const),
  ...(["onProgress", "signal", "env"] as const),
] as const;
const KNOWN = [...TEXTS, ...SWITCHES, ...OTHERS] satisfies (keyof DiagnoseOptions)[];

/** @throws TypeError that names the option. */
export function validateOptions(options: DiagnoseOptions): void {
  checkKeys("options", options ?? null, KNOWN);
  for (const name of TEXTS) checkString(name, options[name]);
  for (const name of SWITCHES) checkType(name, options[name], "boolean");
  const { token, issuer, region, failoverRegions = [], endpointUrl } = options;
  // An empty token is a finding, not a misuse.
  if (token !== "") checkString("token", token);
  if (region !== undefined) checkAwsRegion("region", region);
  checkStrings("failoverRegions", failoverRegions);
  for (const name of failoverRegions) checkAwsRegion("failoverRegions", name);
  if (endpointUrl !== undefined && !/^https?:$/.test(protocolOf(endpointUrl))) {
    throw expected("endpointUrl", "to be an http or https URL", endpointUrl);
  }
  checkNumber("timeoutMs", options.timeoutMs, { min: 1_000, max: 60_000 });
  checkType("onProgress", options.onProgress, "function");
  checkSignal("signal", options.signal);
  const { tokenSource } = options;
  if (tokenSource !== undefined) {
    const known = ["auto", ...TOKEN_SOURCE_NAMES];
    if (!known.includes(tokenSource)) {
      throw expected("tokenSource", `to be one of ${known.join(", ")}`, word(tokenSource));
    }
    if ((token ?? options.tokenFile ?? issuer) !== undefined) {
      throw new TypeError("Expected one of `tokenSource`, `token`, `tokenFile` and `issuer`.");
    }
  }
  checkStore(options.store);
  if (issuer !== undefined && (token ?? options.tokenFile) !== undefined) {
    throw new TypeError("Expected either `issuer` or a token, not both: a token names its issuer.");
  }
}

/** The SDK accepts capital letters too, but services reject the signatures. */
function checkAwsRegion(name: string, region: string): void {
  checkRegion(name, region);
  if (region === region.toLowerCase()) return;
  throw expected(name, "to be in lower case, such as eu-west-1", word(region));
}

function protocolOf(url: string): string {
  return URL.canParse(url) ? new URL(url).protocol : "";
}

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

/** The limit of reading the profile, in milliseconds: the home directory may be on a mount that hangs. */
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
    // A profile that can't be read is reported where the region is chosen.
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
  // A profile that can't be read to its end is reported where the region is chosen.
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
  // A profile that can't be read is reported where the region is chosen.
  const value = await profileReader(profile)("sts_regional_endpoints").catch(() => undefined);
  return { value, source: value === undefined ? "none" : "profile" };
}

export function setting(name: Setting["name"], { value, source }: Found): Setting {
  if (value === undefined) return { name, source };
  // The value may be a token in place of a path or an ARN.
  return { name, value: safeText(value, 300), source };
}

/** The flags of the endpoint. The SDK reads them from the process, but a run can have its own environment. */
function endpointFlags(env: Environment) {
  const isOn = (name: string) => readVariable(env, name)?.toLowerCase() === "true";
  return {
    ...(isOn("AWS_USE_FIPS_ENDPOINT") && { useFipsEndpoint: true }),
    ...(isOn("AWS_USE_DUALSTACK_ENDPOINT") && { useDualstackEndpoint: true }),
  };
}
