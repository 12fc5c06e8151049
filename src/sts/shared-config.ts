import { type Environment, readVariable } from "../runtime/environment.js";
import { loadSdk } from "./load-sdk.js";

/*
 * Reads the STS settings of the environment and of AWS's shared config and credentials files. The SDK
 * reads the files, and caches them.
 */

/** The keys of a profile that concern STS and web identity. */
type ProfileKey =
  | "region"
  | "sts_regional_endpoints"
  | "role_arn"
  | "web_identity_token_file"
  | "role_session_name"
  | "duration_seconds"
  | (typeof CREDENTIAL_KEYS)[number];

/** The keys of a profile from which the SDK gets credentials without this library. */
export const CREDENTIAL_KEYS = [
  ...(["aws_access_key_id", "credential_process", "source_profile", "credential_source"] as const),
  ...(["sso_session", "sso_account_id", "sso_start_url", "login_session"] as const),
] as const;

/** Reads one key of the profile as the SDK reads it. */
export type ReadProfile = (key: ProfileKey) => Promise<string | undefined>;

/** Keys for which the SDK prefers the config file when both files have them. */
const IN_CONFIG: readonly ProfileKey[] = ["sts_regional_endpoints"];

/** A reader of the named profile, or of the one that `AWS_PROFILE` names. */
export function profileReader(profile: string | undefined): ReadProfile {
  return async (key) => {
    const { loadConfig } = await loadSdk();
    const value = await loadConfig<string>(
      {
        // The environment is read elsewhere, once for all settings.
        environmentVariableSelector: () => undefined,
        configFileSelector: (section) => section[key],
        default: "",
      },
      {
        preferredFile: IN_CONFIG.includes(key) ? "config" : "credentials",
        ...(profile !== undefined && { profile }),
      },
    )();
    return value.trim() || undefined;
  };
}

/** The endpoint settings of a profile. */
interface ProfileEndpoint {
  readonly ignored?: boolean | undefined;
  readonly url?: string | undefined;
}

/** An endpoint that is configured outside the code, and where. */
export interface ConfiguredEndpoint {
  readonly url: string;
  readonly source: "AWS_ENDPOINT_URL_STS" | "AWS_ENDPOINT_URL" | "profile";
}

/**
 * The STS endpoint of the environment or the profile, by the rules of the SDK's client
 * (`@smithy/core`, endpoints), which would use it. Only the profile of `AWS_PROFILE` counts, not the one
 * in a client's config.
 */
export async function configuredEndpoint(
  env: Environment,
): Promise<ConfiguredEndpoint | undefined> {
  const ignored = readFlag(env.AWS_IGNORE_CONFIGURED_ENDPOINT_URLS);
  if (ignored) return undefined;
  const profile = await readProfileEndpoint();
  if (ignored === undefined && profile.ignored) return undefined;
  for (const source of ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"] as const) {
    const url = readVariable(env, source);
    if (url !== undefined) return { url, source };
  }
  return profile.url === undefined ? undefined : { url: profile.url, source: "profile" };
}

async function readProfileEndpoint(): Promise<ProfileEndpoint> {
  const { loadConfig } = await loadSdk();
  return await loadConfig<ProfileEndpoint>({
    // The environment is read elsewhere, once for all settings.
    environmentVariableSelector: () => undefined,
    configFileSelector: (profile, sections = {}) => {
      const { services, endpoint_url: general } = profile;
      const section = services === undefined ? {} : sections[`services.${services}`];
      return {
        ignored: readFlag(profile.ignore_configured_endpoint_urls),
        // If the named section does not exist, the profile's own endpoint does not count either.
        url: section && (section["sts.endpoint_url"] || general || undefined),
      };
    },
    default: {},
  })();
}

/** The SDK accepts no other spelling. */
function readFlag(value: string | undefined): boolean | undefined {
  if (value !== "true" && value !== "false") return undefined;
  return value === "true";
}
