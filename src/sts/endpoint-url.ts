import type { STSClient } from "@aws-sdk/client-sts";
import { settle } from "./client-config.js";

/** Where a client's calls go, by the SDK's own rules. */
export interface ResolvedEndpoint {
  readonly url: URL;
  readonly isFips: boolean;
  readonly isDualStack: boolean;
  /** The one endpoint of the old days, which is in us-east-1. */
  readonly isGlobal: boolean;
  /** What the client's region has of its own. */
  readonly regionalHost: string;
}

/**
 * Asks the client itself: no host name is put together by hand.
 *
 * @throws the SDK's error for a combination of options that has no endpoint.
 */
export async function resolveEndpoint(client: STSClient): Promise<ResolvedEndpoint> {
  const { config } = client;
  const [Region, UseFIPS, UseDualStack, custom] = await Promise.all([
    config.region(),
    config.useFipsEndpoint(),
    config.useDualstackEndpoint(),
    config.endpoint?.(),
  ]);
  const UseGlobalEndpoint = (await settle(config.useGlobalEndpoint)) ?? false;
  const urlOf = (changes: { Region?: string; UseGlobalEndpoint?: boolean } = {}) => {
    const parameters = { Region, UseFIPS, UseDualStack, UseGlobalEndpoint, ...changes };
    return config.endpointProvider(parameters, {}).url;
  };
  const flags = { isFips: UseFIPS, isDualStack: UseDualStack };
  if (custom !== undefined) {
    const port = custom.port === undefined ? "" : `:${custom.port}`;
    const url = new URL(`${custom.protocol}//${custom.hostname}${port}${custom.path}`);
    const isGlobal = url.host === urlOf({ Region: "aws-global" }).host;
    return { ...flags, url, isGlobal, regionalHost: urlOf({ UseGlobalEndpoint: false }).host };
  }
  const url = urlOf();
  const regionalHost = urlOf({ UseGlobalEndpoint: false }).host;
  return { ...flags, url, isGlobal: UseGlobalEndpoint && url.host !== regionalHost, regionalHost };
}
