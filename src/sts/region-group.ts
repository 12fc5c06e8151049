/**
 * The prefixes by which AWS names the regions of its partitions (the SDK's partitions.json). Enough
 * to see a mistake when a provider is made, without loading the SDK; at the first call the SDK's own
 * table decides.
 */
const PREFIXES = ["cn-", "us-gov-", "us-isob-", "us-isof-", "us-iso-", "eu-isoe-", "eusc-"];

/** What regions of one partition have in common. */
export function regionGroup(region: string): string {
  return PREFIXES.find((prefix) => region.startsWith(prefix)) ?? "";
}
