/**
 * How the names of the regions of each partition begin, pseudo regions included (the SDK's
 * partitions.json). They show a mistake when a provider is created, without loading the SDK. At the
 * first call, the SDK's own table decides.
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
 * The partition of a region, by its name; `undefined` for a name that AWS does not use. The SDK
 * accepts those, as commercial regions.
 */
export function partitionByName(region: string): string | undefined {
  // To the SDK, a FIPS name means the region and its FIPS endpoint.
  const name = region.toLowerCase().replace(/^fips-|-fips$/, "");
  return PARTITIONS.find(([pattern]) => pattern.test(name))?.[1];
}

/** Whether regions are certain to be in different partitions. */
export function spanPartitions(regions: readonly string[]): boolean {
  const groups = new Set(regions.map(partitionByName));
  groups.delete(undefined);
  return groups.size > 1;
}
