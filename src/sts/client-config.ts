import type { STSClientConfig } from "@aws-sdk/client-sts";
import type { Logger, Pluggable, Provider } from "@smithy/types";

/** The client config of the SDK client that asks for credentials, as the SDK hands it over. */
export interface CallerClientConfig {
  readonly region?: string | Provider<string> | undefined;
  readonly profile?: string | undefined;
  readonly logger?: Logger | undefined;
  readonly requestHandler?: STSClientConfig["requestHandler"] | undefined;
  readonly useFipsEndpoint?: boolean | Provider<boolean> | undefined;
  readonly useDualstackEndpoint?: boolean | Provider<boolean> | undefined;
  readonly userAgentAppId?: string | Provider<string | undefined> | undefined;
  readonly [key: string]: unknown;
}

/** What a middleware plugin must look like: the SDK's `Pluggable`, for any command. */
// biome-ignore lint/suspicious/noExplicitAny: a plugin serves every input and output, and only `any` says so.
export type ClientPlugin = Pluggable<any, any>;

/** Everything that the STS client of one provider is made from. */
export interface StsSettings {
  /** `clientConfig`: handed to the STS client as it is. */
  readonly clientConfig: STSClientConfig;
  readonly clientPlugins: readonly ClientPlugin[];
  /** `region` among the provider's options. */
  readonly region: string | undefined;
  /** Regions to ask when the first does not answer, in this order. */
  readonly failoverRegions: readonly string[];
  readonly parentClientConfig: CallerClientConfig;
}

/** The value of a setting that may be a function, as the SDK's own config allows. */
export async function settle<T>(value: T | Provider<T> | undefined): Promise<T | undefined> {
  return typeof value === "function" ? await (value as Provider<T>)() : value;
}
