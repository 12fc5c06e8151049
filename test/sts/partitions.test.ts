import { partition } from "@aws-sdk/core/client";
import { describe, expect, test } from "vitest";
import { partitionByName, spanPartitions } from "../../src/sts/partitions.js";

/** A region of every partition, and those whose names look like another one's. */
const REGIONS = [
  ...["us-east-1", "us-west-2", "eu-west-1", "eu-central-2", "ap-southeast-7", "mx-central-1"],
  ...["ca-west-1", "af-south-1", "me-central-1", "il-central-1", "sa-east-1"],
  ...["cn-north-1", "cn-northwest-1", "us-gov-east-1", "us-gov-west-1"],
  ...["us-iso-east-1", "us-iso-west-1", "us-isob-east-1", "us-isof-south-1", "us-isof-east-1"],
  ...["eu-isoe-west-1", "eusc-de-east-1"],
];

describe("two region names have the same partition", () => {
  test("exactly when they have for the SDK", () => {
    for (const one of REGIONS) {
      for (const other of REGIONS) {
        const together = partition(one).name === partition(other).name;
        expect(partitionByName(one) === partitionByName(other), `${one} and ${other}`).toBe(
          together,
        );
      }
    }
  });
});

test("a pseudo region and a FIPS name have the partition of their region", () => {
  expect(
    ["aws-global", "aws-cn-global", "aws-us-gov-global", "aws-iso-global", "aws-iso-b-global"].map(
      partitionByName,
    ),
  ).toEqual(["aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b"]);
  for (const region of REGIONS) {
    expect(partitionByName(`fips-${region}`)).toBe(partitionByName(region));
    expect(partitionByName(`${region}-fips`)).toBe(partitionByName(region));
    expect(partitionByName(region)).toBe(partition(region).name);
  }
});

test("an invented region has no partition, and is never certain to be in another one", () => {
  expect([partitionByName("mars"), spanPartitions(["mars-1", "us-gov-west-1"])]).toEqual([
    undefined,
    false,
  ]);
  expect(spanPartitions(["us-east-1", "mars-1", "fips-us-gov-west-1"])).toBe(true);
});
