import { type Environment, readVariable } from "../runtime/environment.js";
import { loadSdk } from "./load-sdk.js";

/** What the profile says about endpoints. */
interface ProfileEndpoint {
  readonly ignored?: boolean | undefined;
  readonly url?: string | undefined;
}

/** An endpoint that no code named, and where it was found. */
export interface ConfiguredEndpoint {
  readonly url: string;
  readonly source: "AWS_ENDPOINT_URL_STS" | "AWS_ENDPOINT_URL" | "profile";
}

/**
 * The endpoint that the environment or the profile names for STS, by the rules of the SDK's client
 * (`@smithy/core`, endpoints): what is taken for somebody else's STS is what would be asked. It is
 * the profile of `AWS_PROFILE`: one that only a client's config names has no say there.
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
        // A section that is not there takes the profile's own endpoint with it.
        url: section && (section["sts.endpoint_url"] || general || undefined),
      };
    },
    default: {},
  })();
}

/** No other spelling counts. */
function readFlag(value: string | undefined): boolean | undefined {
  if (value !== "true" && value !== "false") return undefined;
  return value === "true";
}
