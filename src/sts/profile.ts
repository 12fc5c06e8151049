/** What the shared config and credentials files say about STS, read the way the SDK reads them. */
export interface ProfileSettings {
  readonly region: string | undefined;
  readonly stsRegionalEndpoints: string | undefined;
  readonly endpointUrl: string | undefined;
}

/** Reads the profile (`AWS_PROFILE` when `profile` is not given). The SDK caches the files. */
export async function loadProfile(profile: string | undefined): Promise<ProfileSettings> {
  const [region, stsRegionalEndpoints, endpointUrl] = await Promise.all([
    readKey("region", profile, "credentials"),
    readKey("sts_regional_endpoints", profile, "config"),
    readKey("endpoint_url", profile, "config"),
  ]);
  return { region, stsRegionalEndpoints, endpointUrl };
}

async function readKey(
  key: string,
  profile: string | undefined,
  preferredFile: "config" | "credentials",
): Promise<string | undefined> {
  const { loadConfig } = await import("@smithy/core/config");
  const value = await loadConfig<string>(
    {
      // The environment is read elsewhere, once for all settings.
      environmentVariableSelector: () => undefined,
      configFileSelector: (section) => section[key],
      default: "",
    },
    profile === undefined ? { preferredFile } : { preferredFile, profile },
  )();
  return value.trim() === "" ? undefined : value.trim();
}
