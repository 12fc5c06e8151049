import { partition } from "@aws-sdk/core/client";
import { describe, expect, test } from "vitest";
import { checkRequest, partitionByName, spanPartitions } from "../../src/sts/check-request.js";
import { makeTarget } from "../support/make-target.js";

const ROLE = "arn:aws:iam::123456789012:role/service";
const request = { RoleArn: ROLE, RoleSessionName: "session" };

async function ids(changes: object = {}, target = makeTarget()): Promise<string[]> {
  const findings = await checkRequest({ ...request, ...changes }, target);
  expect(findings.every(({ severity }) => severity === "fatal")).toBe(true);
  return findings.map(({ id }) => id);
}

describe("a role ARN", () => {
  test.each([
    ROLE,
    "arn:aws:iam::123456789012:role/path/to/service",
    "arn:aws:iam::123456789012:role/aws-service-role/x.amazonaws.com/R",
    "arn:aws:iam::123456789012:role/with+=,.@-_chars",
    ROLE.padEnd(2_048, "x"),
  ])("may be %s", async (RoleArn) => {
    expect(await ids({ RoleArn })).toEqual([]);
  });

  test.each([
    ["empty", ""],
    ["a name", "service"],
    ["in quotes", `"${ROLE}"`],
    ["with a line end", `${ROLE}\n`],
    ["with a blank before it", ` ${ROLE}`],
    ["of no account", "arn:aws:iam:::role/service"],
    ["of a short account", "arn:aws:iam::12345:role/service"],
    ["of a user", "arn:aws:iam::123456789012:user/service"],
    ["of an OIDC provider", "arn:aws:iam::123456789012:oidc-provider/example.com"],
    ["of a session", "arn:aws:sts::123456789012:assumed-role/service/session"],
    ["without a name", "arn:aws:iam::123456789012:role/"],
    ["one character longer than 2048", ROLE.padEnd(2_049, "x")],
    ["longer than 2048", `${ROLE}${"x".repeat(2_048)}`],
  ])("is refused when it is %s", async (_, RoleArn) => {
    expect(await ids({ RoleArn })).toEqual(["role-arn-invalid"]);
  });

  test.each([
    ["aws", "eu-west-1", []],
    ["aws-cn", "cn-north-1", []],
    ["aws-us-gov", "us-gov-west-1", []],
    ["aws", "cn-north-1", ["role-partition-mismatch"]],
    ["aws-cn", "eu-west-1", ["role-partition-mismatch"]],
    ["aws-us-gov", "us-east-1", ["role-partition-mismatch"]],
  ])("of partition %s has in %s the findings %j", async (partition, region, found) => {
    const RoleArn = ROLE.replace("arn:aws:", `arn:${partition}:`);
    expect(await ids({ RoleArn }, makeTarget({ region }))).toEqual(found);
  });
});

describe("a session name", () => {
  test.each(["ab", "x".repeat(64), "A-z_0+=,.@-9"])("may be %s", async (RoleSessionName) => {
    expect(await ids({ RoleSessionName })).toEqual([]);
  });

  test.each(["a", "", "x".repeat(65), "a b", "a:b", "a/b", "ä2", "ab\n"])(
    "must not be %j",
    async (RoleSessionName) => {
      expect(await ids({ RoleSessionName })).toEqual(["session-name-invalid"]);
    },
  );
});

test("a role ARN may have 2,048 characters, and not one more", async () => {
  const ofLength = (length: number) => "arn:aws:iam::123456789012:role/".padEnd(length, "r");
  expect(await ids({ RoleArn: ofLength(2_048) })).toEqual([]);
  expect(await ids({ RoleArn: ofLength(2_049) })).toEqual(["role-arn-invalid"]);
});

describe("a duration", () => {
  test.each([undefined, 900, 3_600, 43_200])("may be %j", async (DurationSeconds) => {
    expect(await ids({ DurationSeconds })).toEqual([]);
  });

  test.each([899, 43_201, 0, -1, 3_600.5, Number.NaN, Number.POSITIVE_INFINITY])(
    "must not be %j",
    async (DurationSeconds) => {
      expect(await ids({ DurationSeconds })).toEqual(["duration-invalid"]);
    },
  );
});

describe("a request", () => {
  const bad = { RoleArn: "x\u001b[2J", RoleSessionName: " ", DurationSeconds: 1 };

  test("with several faults has a finding for each, in printable text", async () => {
    const findings = await checkRequest({ ...request, ...bad }, makeTarget());
    expect(findings.map(({ id }) => id)).toEqual([
      "role-arn-invalid",
      "session-name-invalid",
      "duration-invalid",
    ]);
    expect(findings.map(({ detail }) => detail).join()).not.toMatch(/\p{Cc}/u);
  });

  test("to a custom endpoint is not checked, because other implementations have other rules", async () => {
    expect(await ids(bad, makeTarget({ customEndpoint: true }))).toEqual([]);
  });

  test("with a token in place of the role has a finding that does not show the token", async () => {
    const RoleArn = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl";
    const shown = JSON.stringify(await checkRequest({ ...request, RoleArn }, makeTarget()));
    expect(shown).not.toMatch(/eyJ|c2lnb/);
  });
});

describe("a finding says what is wrong, with which value, and who must do what", () => {
  const find = async (changes: object, region = "eu-west-1") =>
    (await checkRequest({ ...request, ...changes }, makeTarget({ region })))[0];

  test("about the role ARN", async () => {
    expect(await find({ RoleArn: "ser\u200bvice" })).toEqual({
      id: "role-arn-invalid",
      severity: "fatal",
      title: "The role ARN is not the ARN of an IAM role.",
      detail: 'The role ARN is "ser<U+200B>vice".',
      remedy: expect.stringMatching(/^Workload: set roleArn .*AWS_ROLE_ARN.* arn:PARTITION:iam::/),
      evidence: { roleArn: "ser<U+200B>vice" },
    });
  });

  test("about the partitions", async () => {
    expect(await find({}, "cn-north-1")).toEqual({
      id: "role-partition-mismatch",
      severity: "fatal",
      title: "The role and the region are in different AWS partitions.",
      detail: `The role ${ROLE} is in aws; the region cn-north-1 is in aws-cn.`,
      remedy: "Workload: choose a region of aws, or a role of aws-cn.",
      evidence: {
        ...{ roleArn: ROLE, rolePartition: "aws" },
        ...{ region: "cn-north-1", regionPartition: "aws-cn" },
      },
    });
  });

  test("about the session name", async () => {
    expect(await find({ RoleSessionName: "a b" })).toEqual({
      id: "session-name-invalid",
      severity: "fatal",
      title: "STS does not accept this role session name.",
      detail: 'The role session name is "a b" (3 characters).',
      remedy: expect.stringMatching(
        /^Workload: set roleSessionName .*AWS_ROLE_SESSION_NAME.* 2–64/,
      ),
      evidence: { sessionName: "a b", length: 3 },
    });
  });

  test("about the duration", async () => {
    expect(await find({ DurationSeconds: 899 })).toEqual({
      id: "duration-invalid",
      severity: "fatal",
      title: "STS does not accept this session duration.",
      detail: "durationSeconds is 899; STS accepts whole seconds from 900 to 43200.",
      remedy: expect.stringMatching(/^Workload: set durationSeconds to 900–43200/),
      evidence: { durationSeconds: 899, min: 900, max: 43_200 },
    });
  });
});

/** Regions of every partition, and those with similar names. */
const REGIONS = [
  ...["us-east-1", "us-west-2", "eu-west-1", "eu-central-2", "ap-southeast-7", "mx-central-1"],
  ...["ca-west-1", "af-south-1", "me-central-1", "il-central-1", "sa-east-1"],
  ...["cn-north-1", "cn-northwest-1", "us-gov-east-1", "us-gov-west-1"],
  ...["us-iso-east-1", "us-iso-west-1", "us-isob-east-1", "us-isof-south-1", "us-isof-east-1"],
  ...["eu-isoe-west-1", "eusc-de-east-1"],
];

test("two region names have the same partition exactly if the SDK gives them the same", () => {
  for (const one of REGIONS) {
    for (const other of REGIONS) {
      const isSame = partition(one).name === partition(other).name;
      expect(partitionByName(one) === partitionByName(other), `${one} and ${other}`).toBe(isSame);
    }
  }
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

test("an unknown region has no partition, and is never certain to be in another one", () => {
  expect([partitionByName("mars"), spanPartitions(["mars-1", "us-gov-west-1"])]).toEqual([
    undefined,
    false,
  ]);
  expect(spanPartitions(["us-east-1", "mars-1", "fips-us-gov-west-1"])).toBe(true);
});
