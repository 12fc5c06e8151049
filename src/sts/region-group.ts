/**
 * The beginnings by which AWS names the regions of its partitions, pseudo regions included (the SDK's
 * partitions.json). Enough to see a mistake when a provider is made, without loading the SDK; at the
 * first call the SDK's own table decides.
 */
const PARTITIONS: readonly (readonly [RegExp, string])[] = [
  [/^(aws-)?cn-/, "aws-cn"],
  [/^(aws-)?us-gov-/, "aws-us-gov"],
  [/^(aws-)?(us-isob|iso-b)-/, "aws-iso-b"],
  [/^(aws-)?(us-isof|iso-f)-/, "aws-iso-f"],
  [/^(aws-)?(us-iso|iso)-/, "aws-iso"],
  [/^(aws-)?(eu-isoe|iso-e)-/, "aws-iso-e"],
  [/^(aws-)?eusc-/, "aws-eusc"],
  [/^(aws-global|[a-z]{2}-[a-z]+-\d+)$/, "aws"],
];

/**
 * The partition that a region's name shows; `undefined` for a name that AWS does not give. The SDK
 * accepts those, and counts them among the commercial regions.
 */
export function regionGroup(region: string): string | undefined {
  // The SDK takes a FIPS name for the region and its FIPS endpoint.
  const name = region.toLowerCase().replace(/^fips-|-fips$/, "");
  return PARTITIONS.find(([pattern]) => pattern.test(name))?.[1];
}

/** Whether regions are certain to be in different partitions. */
export function spanPartitions(regions: readonly string[]): boolean {
  const groups = new Set(regions.map(regionGroup));
  groups.delete(undefined);
  return groups.size > 1;
}
