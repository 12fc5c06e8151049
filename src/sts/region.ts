import { type Environment, readVariable } from "../runtime/environment.js";
import { type StsSettings, settle } from "./client-config.js";
import type { ReadProfile } from "./profile.js";

/** Where a region was found. */
export type RegionSource =
  | "clientConfig.region"
  | "region"
  | "parentClientConfig.region"
  | "callerClientConfig.region"
  | "AWS_REGION"
  | "AWS_DEFAULT_REGION"
  | "profile"
  | "default"
  | "failoverRegions";

export interface RegionChoice {
  readonly region: string;
  readonly source: RegionSource;
}

/** Where STS lives when nothing says otherwise; the SDK takes the same. */
const DEFAULT_REGION = "us-east-1";

/** The first region that is set, in the order of {@link RegionSource}. */
export async function chooseRegion(
  settings: StsSettings,
  callerRegion: string | (() => Promise<string>) | undefined,
  env: Environment,
  readProfile: ReadProfile,
): Promise<RegionChoice> {
  const candidates: readonly (readonly [RegionSource, () => Promise<string | undefined>])[] = [
    ["clientConfig.region", () => settle(settings.clientConfig.region)],
    ["region", async () => settings.region],
    ["parentClientConfig.region", () => settle(settings.parentClientConfig.region)],
    ["callerClientConfig.region", () => settle(callerRegion).catch(() => undefined)],
    ["AWS_REGION", async () => readVariable(env, "AWS_REGION")],
    ["AWS_DEFAULT_REGION", async () => readVariable(env, "AWS_DEFAULT_REGION")],
    ["profile", () => readProfile("region")],
  ];
  for (const [source, read] of candidates) {
    const region = await read();
    if (region) return { region, source };
  }
  return { region: DEFAULT_REGION, source: "default" };
}

/**
 * Whether the one global endpoint of the old days is wanted. `AWS_STS_REGIONAL_ENDPOINTS` and the
 * profile's `sts_regional_endpoints` decide; anything but `legacy` means the regional one.
 */
export async function wantsGlobalEndpoint(
  settings: StsSettings,
  env: Environment,
  readProfile: ReadProfile,
): Promise<boolean> {
  const configured = await settle(settings.clientConfig.useGlobalEndpoint);
  if (configured !== undefined) return configured;
  const variable = readVariable(env, "AWS_STS_REGIONAL_ENDPOINTS");
  const mode = variable ?? (await readProfile("sts_regional_endpoints"));
  return mode?.toLowerCase() === "legacy";
}
