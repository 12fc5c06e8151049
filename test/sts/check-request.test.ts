import { describe, expect, test } from "vitest";
import { checkRequest } from "../../src/sts/check-request.js";
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
  ])("of partition %s, asked for in %s: %j", async (partition, region, found) => {
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

  test("is told all that is wrong with it, in printable words", async () => {
    const findings = await checkRequest({ ...request, ...bad }, makeTarget());
    expect(findings.map(({ id }) => id)).toEqual([
      "role-arn-invalid",
      "session-name-invalid",
      "duration-invalid",
    ]);
    expect(findings.map(({ detail }) => detail).join()).not.toMatch(/\p{Cc}/u);
  });

  test("to an endpoint of the user's own is not checked: it has other rules", async () => {
    expect(await ids(bad, makeTarget({ customEndpoint: true }))).toEqual([]);
  });

  test("shows no token that was given where the role belongs", async () => {
    const RoleArn = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl";
    const shown = JSON.stringify(await checkRequest({ ...request, RoleArn }, makeTarget()));
    expect(shown).not.toMatch(/eyJ|c2lnb/);
  });
});
