import { loadSdk } from "./load-sdk.js";

/** What the shared config and credentials files can say about STS and web identity. */
type ProfileKey =
  | "region"
  | "sts_regional_endpoints"
  | "role_arn"
  | "web_identity_token_file"
  | "role_session_name"
  | "duration_seconds";

/** Reads one key of the profile, the way the SDK reads it. The SDK caches the files. */
export type ReadProfile = (key: ProfileKey) => Promise<string | undefined>;

/** The file that wins where both have the key, as the SDK reads that key. */
const PREFERRED_FILE = {
  region: "credentials",
  sts_regional_endpoints: "config",
  role_arn: "credentials",
  web_identity_token_file: "credentials",
  role_session_name: "credentials",
  duration_seconds: "credentials",
} as const;

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
      { preferredFile: PREFERRED_FILE[key], ...(profile !== undefined && { profile }) },
    )();
    return value.trim() || undefined;
  };
}
