import { loadSdk } from "./load-sdk.js";

/** What the shared config and credentials files can say about STS and web identity. */
type ProfileKey =
  | "region"
  | "sts_regional_endpoints"
  | "role_arn"
  | "web_identity_token_file"
  | "role_session_name"
  | "duration_seconds"
  | (typeof CREDENTIAL_KEYS)[number];

/** Keys of a profile that is a source of credentials without this library. */
export const CREDENTIAL_KEYS = [
  ...(["aws_access_key_id", "credential_process", "source_profile", "credential_source"] as const),
  ...(["sso_session", "sso_account_id", "sso_start_url", "login_session"] as const),
] as const;

/** Reads one key of the profile, the way the SDK reads it. The SDK caches the files. */
export type ReadProfile = (key: ProfileKey) => Promise<string | undefined>;

/** Keys that the SDK takes from the config file where both files have them. */
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
