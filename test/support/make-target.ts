import type { StsSettings, StsTarget } from "../../src/sts/target.js";

/** A target as it comes out where nothing but the region is configured. */
export function makeTarget(changes: Partial<StsTarget> = {}): StsTarget {
  const region = changes.region ?? "eu-west-1";
  return {
    ...{ region, regionSource: "region", customEndpoint: false, config: { region } },
    ...{ isHandlerLent: true, plugins: [] },
    ...changes,
  };
}

/** The settings of a provider that was given nothing. */
export function makeSettings(changes: Partial<StsSettings> = {}): StsSettings {
  return {
    ...{ clientConfig: {}, clientPlugins: [], region: undefined, parentClientConfig: {} },
    ...{ failoverRegions: [], ...changes },
  };
}
