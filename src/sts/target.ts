import type { STSClientConfig } from "@aws-sdk/client-sts";
import type { Logger, Pluggable, Provider } from "@smithy/types";
import { type Environment, readVariable } from "../runtime/environment.js";
import { expected } from "../runtime/validators.js";
import { loadSdk } from "./load-sdk.js";
import { configuredEndpoint, profileReader, type ReadProfile } from "./shared-config.js";

/** The config of the SDK client that the credentials are for, as the SDK passes it. */
export interface CallerClientConfig {
  /** Region of the client. */
  readonly region?: string | Provider<string> | undefined;
  /** Profile of the client. */
  readonly profile?: string | undefined;
  /** Logger of the client. */
  readonly logger?: Logger | undefined;
  /** Request handler of the client, which STS calls can use too. */
  readonly requestHandler?: STSClientConfig["requestHandler"] | undefined;
  /** Whether the client uses FIPS endpoints. */
  readonly useFipsEndpoint?: boolean | Provider<boolean> | undefined;
  /** Whether the client uses endpoints with IPv4 and IPv6. */
  readonly useDualstackEndpoint?: boolean | Provider<boolean> | undefined;
  /** Name of the application in the client's `User-Agent`. */
  readonly userAgentAppId?: string | Provider<string | undefined> | undefined;
  readonly [key: string]: unknown;
}

/** A middleware plugin: the SDK's `Pluggable`, for any command. */
// biome-ignore lint/suspicious/noExplicitAny: a plugin serves every input and output, and only `any` says so.
export type ClientPlugin = Pluggable<any, any>;

/** Everything that the STS client of one provider is made from. */
export interface StsSettings {
  /** `clientConfig`: passed to the STS client as it is. */
  readonly clientConfig: STSClientConfig;
  readonly clientPlugins: readonly ClientPlugin[];
  /** `region` among the provider's options. */
  readonly region: string | undefined;
  /** The regions to call when the first one fails, in this order. */
  readonly failoverRegions: readonly string[];
  readonly parentClientConfig: CallerClientConfig;
}

/** The value of a setting that may be a function, as the SDK's own config allows. */
export async function settle<T>(value: T | Provider<T> | undefined): Promise<T | undefined> {
  return typeof value === "function" ? await (value as Provider<T>)() : value;
}

/** One STS endpoint, and the options of the client that calls it. Equal targets share a client. */
export interface StsTarget {
  readonly region: string;
  readonly regionSource: RegionSource;
  /** The endpoint is configured: an emulator, another implementation, a VPC endpoint. */
  readonly customEndpoint: boolean;
  readonly config: STSClientConfig;
  /** The request handler is the calling client's, and not one of the provider's options. */
  readonly isHandlerLent: boolean;
  readonly plugins: readonly ClientPlugin[];
}

/** The targets of one refresh: the preferred region first, then those to fail over to. */
export async function resolveTargets(
  settings: StsSettings,
  caller: CallerClientConfig | undefined,
  env: Environment,
): Promise<readonly [StsTarget, ...StsTarget[]]> {
  const first = await resolveTarget(settings, caller, env);
  // The endpoint is the same for every region: there is no other one to call.
  if (first.customEndpoint) return [first];
  const { failoverRegions } = settings;
  const others = await Promise.all(failoverRegions.map((region) => inRegion(first, region)));
  return [first, ...others.filter((other) => !isSamePlace(other, first))];
}

/** The same options in another region. The global endpoint does not depend on the region. */
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
 * A region by its real name. For the SDK's clients, `fips-us-east-1` and `us-east-1-fips` mean the FIPS
 * endpoint of us-east-1, so the SDK's own code reads them.
 */
async function settleRegion(
  name: string,
): Promise<{ readonly region: string; readonly config: STSClientConfig }> {
  // Only such names mean FIPS, and the SDK takes long to load.
  if (!name.includes("fips")) return { region: name, config: { region: name } };
  const { resolveRegionConfig } = await loadSdk();
  const config = resolveRegionConfig({ region: name, useFipsEndpoint: false } as Parameters<
    typeof resolveRegionConfig
  >[0]);
  if (!(await config.useFipsEndpoint())) return { region: name, config: { region: name } };
  // The client reads the name again, so it gets the original one.
  return { region: await config.region(), config: { region: name, useFipsEndpoint: true } };
}

/**
 * Settles every option for one refresh: the provider's options first, then the calling client's, then
 * the environment and the profile.
 */
export async function resolveTarget(
  settings: StsSettings,
  caller: CallerClientConfig | undefined,
  env: Environment,
): Promise<StsTarget> {
  const { clientConfig } = settings;
  const parent: CallerClientConfig = { ...caller, ...settings.parentClientConfig };
  const profileName = clientConfig.profile ?? parent.profile;
  const surroundings = { caller, env, readProfile: profileReader(profileName) };

  const { region: name, source } = await chooseRegion(settings, surroundings);
  const endpoint = await customEndpointOf(clientConfig, env);
  const customEndpoint = endpoint !== undefined;
  // With a custom endpoint, the SDK refuses FIPS names as it refuses the FIPS option.
  const place = customEndpoint
    ? { region: name, config: { region: name } }
    : await settleRegion(name);
  const { region } = place;
  const inherited = customEndpoint ? {} : await endpointOptions(clientConfig, parent);
  const useGlobalEndpoint = !customEndpoint && (await wantsGlobalEndpoint(settings, surroundings));

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

/** The endpoint in the client's config, or the configured one unless the client's config ignores it. */
async function customEndpointOf(
  { endpoint, ignoreConfiguredEndpointUrls }: STSClientConfig,
  env: Environment,
): Promise<STSClientConfig["endpoint"]> {
  if (endpoint || ignoreConfiguredEndpointUrls) return endpoint || undefined;
  return (await configuredEndpoint(env))?.url;
}

/** FIPS and dual-stack as the calling client has them. With a custom endpoint, the SDK refuses both. */
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

/** STS supports HTTP/1.1 only: an HTTP/2 handler of the calling client can't be used. */
function http1Only(handler: STSClientConfig["requestHandler"]): STSClientConfig["requestHandler"] {
  const { metadata } = (handler ?? {}) as { metadata?: { handlerProtocol?: string } };
  return metadata?.handlerProtocol === "h2" ? undefined : handler;
}

/** Removes the keys whose value is undefined: for some keys, the SDK checks `in`. */
function definedOnly(config: Record<string, unknown> | STSClientConfig): STSClientConfig {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
}

/** Where the region comes from, in the order of precedence. */
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

interface RegionChoice {
  readonly region: string;
  readonly source: RegionSource;
}

/** The region without any configuration; the same as the SDK's. */
const DEFAULT_REGION = "us-east-1";

/** The calling client's config, the environment and the profile: everything besides the options. */
interface Surroundings {
  readonly caller: CallerClientConfig | undefined;
  readonly env: Environment;
  readonly readProfile: ReadProfile;
}

/** The first region that is set, in the order of {@link RegionSource}. */
async function chooseRegion(
  settings: StsSettings,
  { caller, env, readProfile }: Surroundings,
): Promise<RegionChoice> {
  const candidates: readonly (readonly [RegionSource, () => Promise<string | undefined>])[] = [
    ["clientConfig.region", () => settle(settings.clientConfig.region)],
    ["region", async () => settings.region],
    ["parentClientConfig.region", () => settle(settings.parentClientConfig.region)],
    ["callerClientConfig.region", () => settle(caller?.region).catch(() => undefined)],
    ["AWS_REGION", async () => readVariable(env, "AWS_REGION")],
    ["AWS_DEFAULT_REGION", async () => readVariable(env, "AWS_DEFAULT_REGION")],
    ["profile", () => readProfile("region")],
  ];
  for (const [source, read] of candidates) {
    const region: unknown = await read();
    // A function may return anything. The calling client itself reports a fault of its own region.
    if (region && typeof region !== "string") {
      if (source === "callerClientConfig.region") continue;
      throw expected(source, "to be or to return a string", region);
    }
    if (typeof region === "string" && region !== "") return { region, source };
  }
  return { region: DEFAULT_REGION, source: "default" };
}

/**
 * Whether the global endpoint is wanted. `AWS_STS_REGIONAL_ENDPOINTS` and the profile's
 * `sts_regional_endpoints` decide; any value but `legacy` means the regional one.
 */
async function wantsGlobalEndpoint(
  settings: StsSettings,
  { env, readProfile }: Surroundings,
): Promise<boolean> {
  const configured = await settle(settings.clientConfig.useGlobalEndpoint);
  if (configured !== undefined) return configured;
  const variable = readVariable(env, "AWS_STS_REGIONAL_ENDPOINTS");
  const mode = variable ?? (await readProfile("sts_regional_endpoints"));
  return mode?.toLowerCase() === "legacy";
}
