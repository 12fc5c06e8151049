import { describe, expect, test } from "vitest";
import { startDeadline } from "../../src/runtime/clock.js";
import {
  type AssumeRoleInput,
  type AttributedCredentials,
  assumeRoleWith,
  toCredentials,
} from "../../src/sts/assume-role.js";
import { FakeClock } from "../support/fake-clock.js";
import {
  bytes,
  failureOf,
  granted,
  INPUT,
  respondingEndpoint,
  sessionXml,
} from "../support/responding-endpoint.js";

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

/** What comes out of a response; other implementations leave out what the SDK's types promise. */
const read = (response: object, durationSeconds?: number) =>
  toCredentials({ $metadata: {}, ...response }, durationSeconds, NOW);

describe("the credentials in a response", () => {
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

  test("have a scope if STS names one", () => {
    const scoped = read({ Credentials: { ...ISSUED, CredentialScope: "eu-west-1" } });
    expect(scoped).toMatchObject({ credentialScope: "eu-west-1" });
    expect(read({ Credentials: ISSUED })).not.toHaveProperty("credentialScope");
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
    ["no access key ID", { Credentials: { ...ISSUED, AccessKeyId: "" } }],
    ["no secret", { Credentials: { ...ISSUED, SecretAccessKey: undefined } }],
    ["a blank secret", { Credentials: { ...ISSUED, SecretAccessKey: " \n" } }],
    ["a line break in the access key ID", { Credentials: { ...ISSUED, AccessKeyId: "AKIA\r\n" } }],
    ["an escape in the access key ID", { Credentials: { ...ISSUED, AccessKeyId: "AK\u001b[31m" } }],
    ["a blank in the session token", { Credentials: { ...ISSUED, SessionToken: "a b" } }],
  ])("are undefined for a response with %s", (_, response) => {
    expect(read(response)).toBeUndefined();
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

const [MINUTE, HOUR] = [60_000, 3_600_000] as const;

describe("a session", () => {
  test("expires by this machine's clock, although STS's clock differs", async () => {
    const world = respondingEndpoint(async () => {
      const stsNow = world.clock.now() + 10 * MINUTE;
      return {
        headers: { date: new Date(stsNow).toUTCString() },
        body: bytes(sessionXml({ expiresAt: stsNow + HOUR })),
      };
    });
    const { credentials, rejectedDate } = await world.call();
    expect(credentials).toMatchObject({
      accessKeyId: "ASIA1",
      expiration: new Date(world.clock.now() + HOUR),
    });
    expect(rejectedDate).toBeUndefined();
    const { now, isVerified } = world.pool.serverClock(world.target).read();
    expect([now - world.clock.now(), isVerified]).toEqual([10 * MINUTE, true]);
  });

  test("comes with the Date of its response if that can't be right", async () => {
    const world = respondingEndpoint(async () => ({
      headers: { date: new Date(0).toUTCString() },
      body: bytes(sessionXml({ expiresAt: world.clock.now() + 900_000 })),
    }));
    const { credentials, rejectedDate } = await world.call({ DurationSeconds: 900 });
    expect(credentials.expiration).toEqual(new Date(world.clock.now() + 900_000));
    expect(rejectedDate).toMatchObject({ reason: "session-too-long", skewMs: -world.clock.now() });
  });

  test("is requested once for equal requests at the same time", async () => {
    const world = respondingEndpoint(granted());
    const sessions = await Promise.all([world.call(), world.call(), world.call()]);
    expect(sessions.map(({ credentials }) => credentials.accessKeyId)).toEqual(
      Array(3).fill("ASIA1"),
    );
    expect(world.sent).toHaveLength(1);
  });

  test("is requested once when only the session names differ, which the SDK made from the time", async () => {
    const world = respondingEndpoint(granted());
    const names = ["aws-sdk-js-session-1767323045000", "aws-sdk-js-session-1767323045001"];
    await Promise.all(names.map((RoleSessionName) => world.call({ RoleSessionName })));
    expect(world.sent).toHaveLength(1);
  });

  test.each<[string, Partial<AssumeRoleInput>]>([
    ["session name", { RoleSessionName: "other" }],
    ["session name that only begins as the SDK's", { RoleSessionName: "aws-sdk-js-session-1a" }],
    ["session name that only ends as the SDK's", { RoleSessionName: "a-aws-sdk-js-session-1" }],
    ["role", { RoleArn: "arn:aws:iam::123456789012:role/other" }],
    ["token", { WebIdentityToken: "another.token.b" }],
    ["duration", { DurationSeconds: 900 }],
  ])("is requested again for another %s", async (_, change) => {
    const world = respondingEndpoint(granted());
    const sdkName = { RoleSessionName: "aws-sdk-js-session-1" };
    await Promise.all([world.call(sdkName), world.call({ ...sdkName, ...change })]);
    expect(world.sent).toHaveLength(2);
  });
});

describe("a refusal", () => {
  const refused = (headers: (now: number) => Record<string, string>) => {
    const world = respondingEndpoint(async () => ({
      statusCode: 403,
      headers: headers(world.clock.now()),
      body: bytes("<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>"),
    }));
    return world;
  };
  const date = (now: number) => ({ date: new Date(now).toUTCString() });

  test("is a failure with the facts of the response and the region", async () => {
    const failure = await failureOf(refused(date).call());
    const facts = { kind: "response", code: "AccessDenied", httpStatus: 403, region: "eu-west-1" };
    expect(failure).toMatchObject(facts);
  });

  test("shows the clock of STS if it has the request ID of STS", async () => {
    const world = refused((now) => ({ ...date(now), "x-amzn-requestid": "r-1" }));
    await failureOf(world.call());
    expect(world.pool.serverClock(world.target).read().isVerified).toBe(true);
  });

  test("does not show the clock of STS without that ID, because a proxy may have sent it", async () => {
    const world = refused(date);
    await failureOf(world.call());
    expect(world.pool.serverClock(world.target).read().isVerified).toBe(false);
  });
});

describe("a success without credentials", () => {
  test("is a bad response with its status, its request ID and the region", async () => {
    const world = respondingEndpoint(async () => ({
      headers: { "x-amzn-requestid": "r-1" },
      body: bytes(
        "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult/></AssumeRoleWithWebIdentityResponse>",
      ),
    }));
    expect(await failureOf(world.call())).toEqual({
      kind: "bad-response",
      message: "a success without credentials in it: a proxy or another server may have sent it",
      httpStatus: 200,
      requestId: "r-1",
      region: "eu-west-1",
    });
  });
});

describe("a role assumer", () => {
  const call = (
    assumer: (input: AssumeRoleInput) => Promise<unknown>,
    clock = new FakeClock(),
    signal = new AbortController().signal,
  ) => {
    const limits = { clock, signal, timeoutMs: 1_000, deadline: startDeadline(clock, MINUTE) };
    return assumeRoleWith(
      assumer as (input: AssumeRoleInput) => Promise<AttributedCredentials>,
      INPUT,
      limits,
    );
  };
  const KEYS = { accessKeyId: "key", secretAccessKey: "secret" };

  test("receives the input, and its credentials are returned", async () => {
    const received: AssumeRoleInput[] = [];
    const expiration = new Date(NOW);
    const credentials = { ...KEYS, sessionToken: "t", expiration };
    const result = await call(async (input) => {
      received.push(input);
      return credentials;
    });
    expect(result).toEqual({ credentials });
    expect(received).toEqual([INPUT]);
  });

  test.each([new Date(NOW).toISOString(), NOW])(
    "may return the expiration %j instead of a Date",
    async (expiration) => {
      const { credentials } = await call(async () => ({ ...KEYS, expiration }));
      expect(credentials.expiration).toEqual(new Date(NOW));
    },
  );

  test.each([undefined, null])("may return the expiration %j", async (expiration) => {
    const { credentials } = await call(async () => ({ ...KEYS, expiration }));
    // `null` is no `Date`: the cache and the status read its time.
    expect(credentials.expiration).toBeUndefined();
  });

  test.each([
    ...[undefined, null, {}, { accessKeyId: "key" }, { secretAccessKey: "secret" }],
    { ...KEYS, sessionToken: "token\r\nx-amz-meta: a" },
    { ...KEYS, sessionToken: 5 },
    { ...KEYS, accessKeyId: "key\u0000" },
    { ...KEYS, accessKeyId: 5 },
    { ...KEYS, secretAccessKey: " \n" },
  ])("fails with a bad response when it returns %j", async (value) => {
    const failure = await failureOf(call(async () => value));
    expect(failure).toMatchObject({ kind: "bad-response" });
    expect([failure.httpStatus, failure.requestId]).toEqual([undefined, undefined]);
  });

  test("fails with what its error says, without the token", async () => {
    const reset = Object.assign(new Error(`no ${INPUT.WebIdentityToken}`), { code: "ECONNRESET" });
    const failure = await failureOf(call(async () => Promise.reject(reset)));
    const facts = { kind: "network", code: "ECONNRESET", message: "no [redacted]" };
    expect(failure).toMatchObject(facts);
    expect(failure.region).toBeUndefined();
  });

  test("is not called for a signal that has already aborted", async () => {
    let calls = 0;
    const assumer = async () => {
      calls += 1;
      return KEYS;
    };
    await expect(call(assumer, new FakeClock(), AbortSignal.abort("closed"))).rejects.toBe(
      "closed",
    );
    expect(calls).toBe(0);
  });
});
