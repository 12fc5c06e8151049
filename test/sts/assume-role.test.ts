import { describe, expect, test } from "vitest";
import { toCredentials } from "../../src/sts/assume-role.js";

const NOW = Date.UTC(2026, 0, 1);
const ISSUED = {
  AccessKeyId: "ASIA1",
  SecretAccessKey: "secret",
  SessionToken: "session",
  Expiration: new Date(NOW + 900_000),
};
const USER = {
  AssumedRoleId: "AROA1:s",
  Arn: "arn:aws:sts::123456789012:assumed-role/service/s",
};

/** What comes out of an answer; other implementations leave out what the SDK's types promise. */
const read = (answer: object, durationSeconds?: number) =>
  toCredentials({ $metadata: {}, ...answer }, durationSeconds, NOW);

describe("the credentials in an answer", () => {
  test("have the fields and the `$source` of the SDK's own providers", () => {
    expect(read({ Credentials: ISSUED, AssumedRoleUser: USER })).toEqual({
      accessKeyId: "ASIA1",
      secretAccessKey: "secret",
      sessionToken: "session",
      expiration: ISSUED.Expiration,
      accountId: "123456789012",
      $source: { RESOLVED_ACCOUNT_ID: "T", CREDENTIALS_STS_ASSUME_ROLE_WEB_ID: "k" },
    });
  });

  test("need no session token and no user, and then have no empty fields", () => {
    const { SessionToken: _, ...rest } = ISSUED;
    expect(Object.keys(read({ Credentials: rest }) ?? {}).sort()).toEqual([
      ...["$source", "accessKeyId", "expiration", "secretAccessKey"],
    ]);
  });

  test("without an expiration expire after the requested duration, or after an hour", () => {
    const { Expiration: _, ...rest } = ISSUED;
    expect(read({ Credentials: rest })?.expiration).toEqual(new Date(NOW + 3_600_000));
    expect(read({ Credentials: rest }, 900)?.expiration).toEqual(new Date(NOW + 900_000));
  });

  test.each([
    ["nothing", {}],
    ["no credentials", { Credentials: undefined }],
    ["empty credentials", { Credentials: {} }],
    ["no access key id", { Credentials: { ...ISSUED, AccessKeyId: "" } }],
    ["no secret", { Credentials: { ...ISSUED, SecretAccessKey: undefined } }],
  ])("are undefined for an answer with %s", (_, answer) => {
    expect(read(answer)).toBeUndefined();
  });

  test.each(["", "not-an-arn", "arn:aws:sts:::assumed-role/x"])(
    "of the user %j have no account",
    (Arn) => {
      expect(read({ Credentials: ISSUED, AssumedRoleUser: { ...USER, Arn } })).not.toHaveProperty(
        "accountId",
      );
    },
  );
});
