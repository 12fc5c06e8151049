import type { STSClientConfig } from "@aws-sdk/client-sts";
import type { Environment } from "../runtime/environment.js";
import {
  type CallerClientConfig,
  type ClientPlugin,
  type StsSettings,
  settle,
} from "./client-config.js";
import { configuredEndpoint } from "./configured-endpoint.js";
import { loadSdk } from "./load-sdk.js";
import { profileReader } from "./profile.js";
import { chooseRegion, type RegionSource, wantsGlobalEndpoint } from "./region.js";

/** One STS to ask: where, and with which client options. Equal targets share a client. */
export interface StsTarget {
  readonly region: string;
  readonly regionSource: RegionSource;
  /** The endpoint is not AWS's own choice: an emulator, another implementation, a VPC endpoint. */
  readonly customEndpoint: boolean;
  readonly config: STSClientConfig;
  /** Its request handler is the calling client's, and not one of the provider's options. */
  readonly isHandlerLent: boolean;
  readonly plugins: readonly ClientPlugin[];
}

/** The targets of one refresh: the preferred region's first, then those to fail over to. */
export async function resolveTargets(
  settings: StsSettings,
  caller: CallerClientConfig | undefined,
  env: Environment,
): Promise<readonly [StsTarget, ...StsTarget[]]> {
  const first = await resolveTarget(settings, caller, env);
  // One endpoint serves every region: there is nowhere to fail over to.
  if (first.customEndpoint) return [first];
  const { failoverRegions } = settings;
  const others = await Promise.all(failoverRegions.map((region) => inRegion(first, region)));
  return [first, ...others.filter((other) => !isSamePlace(other, first))];
}

/** The same options elsewhere. The global endpoint is one place, and no other region's. */
async function inRegion(target: StsTarget, name: string): Promise<StsTarget> {
  const { useGlobalEndpoint: _, ...config } = target.config;
  const place = await settleRegion(name);
  return {
    ...target,
    region: place.region,
    regionSource: "failoverRegions",
    config: { ...config, ...place.config },
  };
}

function isSamePlace(one: StsTarget, other: StsTarget): boolean {
  const isFips = ({ config }: StsTarget) => config.useFipsEndpoint === true;
  return one.region === other.region && isFips(one) === isFips(other);
}

/**
 * A region by its real name. The SDK's clients accept `fips-us-east-1` and `us-east-1-fips`, and take
 * them for the FIPS endpoint of us-east-1: so the SDK's own code reads them.
 */
async function settleRegion(
  name: string,
): Promise<{ readonly region: string; readonly config: STSClientConfig }> {
  // No other name is a FIPS one, and the SDK takes long to load.
  if (!name.includes("fips")) return { region: name, config: { region: name } };
  const { resolveRegionConfig } = await loadSdk();
  const config = resolveRegionConfig({ region: name, useFipsEndpoint: false } as Parameters<
    typeof resolveRegionConfig
  >[0]);
  if (!(await config.useFipsEndpoint())) return { region: name, config: { region: name } };
  // The client reads the name once more: a real name might be read as another one's.
  return { region: await config.region(), config: { region: name, useFipsEndpoint: true } };
}

/**
 * Settles every option for one refresh: what the provider was given, then what the asking client
 * has, then environment and profile.
 */
export async function resolveTarget(
  settings: StsSettings,
  caller: CallerClientConfig | undefined,
  env: Environment,
): Promise<StsTarget> {
  const { clientConfig } = settings;
  const parent: CallerClientConfig = { ...caller, ...settings.parentClientConfig };
  const profileName = clientConfig.profile ?? parent.profile;
  const readProfile = profileReader(profileName);

  const { region: name, source } = await chooseRegion(settings, caller?.region, env, readProfile);
  const endpoint = await customEndpointOf(clientConfig, env);
  const customEndpoint = endpoint !== undefined;
  // The SDK refuses FIPS names with an endpoint of the user's own, as it refuses the FIPS option.
  const place = customEndpoint
    ? { region: name, config: { region: name } }
    : await settleRegion(name);
  const { region } = place;
  const inherited = customEndpoint ? {} : await endpointOptions(clientConfig, parent);
  const useGlobalEndpoint =
    !customEndpoint && (await wantsGlobalEndpoint(settings, env, readProfile));

  const config: STSClientConfig = definedOnly({
    ...clientConfig,
    ...inherited,
    ...place.config,
    endpoint,
    profile: profileName,
    logger: clientConfig.logger ?? parent.logger,
    userAgentAppId: clientConfig.userAgentAppId ?? parent.userAgentAppId,
    requestHandler: http1Only(clientConfig.requestHandler ?? parent.requestHandler),
    useGlobalEndpoint: useGlobalEndpoint || undefined,
  });
  const isHandlerLent = clientConfig.requestHandler === undefined;
  const { clientPlugins: plugins } = settings;
  return { region, regionSource: source, customEndpoint, config, isHandlerLent, plugins };
}

/** The client's own, else the configured one, which its config may tell it to ignore. */
async function customEndpointOf(
  { endpoint, ignoreConfiguredEndpointUrls }: STSClientConfig,
  env: Environment,
): Promise<STSClientConfig["endpoint"]> {
  if (endpoint || ignoreConfiguredEndpointUrls) return endpoint || undefined;
  return (await configuredEndpoint(env))?.url;
}

/** FIPS and dual-stack of the caller. A custom endpoint is neither: the SDK refuses the combination. */
async function endpointOptions(
  clientConfig: STSClientConfig,
  parent: CallerClientConfig,
): Promise<STSClientConfig> {
  const [useFipsEndpoint, useDualstackEndpoint] = await Promise.all([
    settle(clientConfig.useFipsEndpoint ?? parent.useFipsEndpoint),
    settle(clientConfig.useDualstackEndpoint ?? parent.useDualstackEndpoint),
  ]);
  return definedOnly({ useFipsEndpoint, useDualstackEndpoint });
}

/** STS speaks HTTP/1.1: a caller's HTTP/2 handler is of no use to it. */
function http1Only(handler: STSClientConfig["requestHandler"]): STSClientConfig["requestHandler"] {
  const { metadata } = (handler ?? {}) as { metadata?: { handlerProtocol?: string } };
  return metadata?.handlerProtocol === "h2" ? undefined : handler;
}

/** Without the keys whose value is undefined: the SDK reads `in` as "set" for some of them. */
function definedOnly(config: Record<string, unknown> | STSClientConfig): STSClientConfig {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
}
