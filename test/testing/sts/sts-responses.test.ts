import { describe, expect, test } from "vitest";
import { type StsVerdictFault, startLocalIdp, startLocalSts } from "../../../src/testing/index.js";
import { assumeRole, clientOf, ROLE_ARN } from "../../support/call-sts.js";
import { makeTlsIdentity } from "../../support/tls-identity.js";

const NOW = 1_789_123_700_000;
const TAGS = "https://aws.amazon.com/tags";

const startIdp = (options = {}) =>
  startLocalIdp({ algorithm: "ES256", now: () => NOW, ...options });

describe("a response of the local STS", () => {
  test("has every element of a response of AWS", async () => {
    await using idp = await startIdp({ path: "/realms/acme" });
    await using sts = await startLocalSts({ providers: [idp], now: () => NOW });
    const token = await idp.issueToken({ subject: "a <\"&'> b\r\n\u{1f600}" });
    const { output } = await assumeRole(sts, token, { DurationSeconds: 900 });
    expect(output).toMatchObject({
      SubjectFromWebIdentityToken: "a <\"&'> b\r\n\u{1f600}",
      Audience: "sts.amazonaws.com",
      AssumedRoleUser: { Arn: "arn:aws:sts::123456789012:assumed-role/app/test-session" },
      PackedPolicySize: 1,
      Provider: `arn:aws:iam::123456789012:oidc-provider/127.0.0.1:${idp.port}/realms/acme`,
      Credentials: { Expiration: new Date(NOW + 900_000) },
    });
    expect(output?.SourceIdentity).toBeUndefined();
    expect(output?.AssumedRoleUser?.AssumedRoleId).toMatch(/^AROA[A-Z2-7]{17}:test-session$/);
    expect(output?.Credentials?.AccessKeyId).toMatch(/^ASIA[A-Z2-7]{16}$/);
    expect(output?.Credentials?.SecretAccessKey).toHaveLength(40);
    expect(output?.$metadata.requestId).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("is XML of the query protocol, with the date of the server's clock", async () => {
    await using sts = await startLocalSts({ now: () => NOW });
    const response = await fetch(sts.url, { method: "POST", body: "Action=a%3Cb%3E&Version=1" });
    expect(response.status).toBe(400);
    expect(response.headers.get("content-type")).toBe("text/xml");
    expect(response.headers.get("date")).toBe(new Date(NOW).toUTCString());
    expect(await response.text()).toBe(
      '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>' +
        "<Code>InvalidAction</Code><Message>Could not find operation a&lt;b&gt; for version " +
        `2011-06-15</Message></Error><RequestId>${response.headers.get("x-amzn-requestid")}</RequestId></ErrorResponse>`,
    );
  });

  test.each<[StsVerdictFault, string]>([
    ["throttled", "Sender"],
    ["sts-unavailable", "Receiver"],
  ])("names the side at fault, which for %s is the %s", async (fault, side) => {
    await using sts = await startLocalSts();
    sts.failNext(fault);
    expect(await (await fetch(sts.url)).text()).toContain(`<Type>${side}</Type>`);
  });

  test("grants credentials for an hour by default", async () => {
    await using idp = await startIdp();
    await using sts = await startLocalSts({ now: () => NOW });
    const token = await idp.issueToken();
    const lifetime = async () => {
      const { output } = await assumeRole(sts, token);
      return ((output?.Credentials?.Expiration?.getTime() ?? 0) - NOW) / 1000;
    };
    expect(await lifetime()).toBe(3600);
    sts.configure({ credentialLifetimeSeconds: 200 });
    expect(await lifetime()).toBe(200);
    sts.configure({ credentialLifetimeSeconds: -1 });
    expect(await lifetime()).toBe(-1);
    sts.configure({ credentialLifetimeSeconds: undefined });
    expect(await lifetime()).toBe(3600);
  });

  test("can have the form of another implementation's response", async () => {
    await using idp = await startIdp();
    await using sts = await startLocalSts({
      now: () => NOW + 123,
      omit: ["AssumedRoleUser", "Provider"],
      expirationPrecision: "nanoseconds",
    });
    const token = await idp.issueToken();
    const first = (await assumeRole(sts, token)).output;
    expect(first).not.toHaveProperty("AssumedRoleUser");
    expect(first?.Credentials?.Expiration?.getTime()).toBe(NOW + 3_600_123);
    const body = new URLSearchParams({
      Action: "AssumeRoleWithWebIdentity",
      RoleArn: ROLE_ARN,
      RoleSessionName: "raw",
      WebIdentityToken: token,
    });
    const xml = await (await fetch(sts.url, { method: "POST", body })).text();
    expect(xml).toMatch(/<Expiration>[\dT:-]+\.123456789Z<\/Expiration>/);
    sts.configure({ omit: ["Expiration"] });
    const second = (await assumeRole(sts, token)).output;
    expect(second).toHaveProperty("AssumedRoleUser");
    expect(second?.Credentials).not.toHaveProperty("Expiration");
    sts.configure({ omit: ["Credentials"] });
    expect((await assumeRole(sts, token)).output).not.toHaveProperty("Credentials");
  });

  test("grants session tags in both forms, and a source identity", async () => {
    await using idp = await startIdp();
    await using sts = await startLocalSts({ now: () => NOW });
    const nested = { principal_tags: { Team: ["Blue"] }, transitive_tag_keys: ["Team"] };
    const claims = { [TAGS]: nested, "https://aws.amazon.com/source_identity": "somebody" };
    await assumeRole(sts, await idp.issueToken({ claims }));
    const flattened = {
      [`${TAGS}/principal_tags/Team`]: "Red",
      [`${TAGS}/transitive_tag_keys`]: ["Team"],
    };
    await assumeRole(sts, await idp.issueToken({ claims: flattened }));
    const wrong = { [TAGS]: { principal_tags: { Team: ["a", "b"] } } };
    await assumeRole(sts, await idp.issueToken({ claims: wrong }));
    const [first, second, third] = sts.requests;
    const transitiveTagKeys = ["Team"];
    expect(first?.granted).toMatchObject({ tags: { Team: "Blue" }, transitiveTagKeys });
    expect(first?.granted?.sourceIdentity).toBe("somebody");
    expect(second?.granted).toMatchObject({ tags: { Team: "Red" }, transitiveTagKeys });
    expect(third?.granted).toBeUndefined();
    expect(third?.outcome).toBe("InvalidIdentityToken");
  });

  test("leaves the connection open for the next request", async () => {
    await using idp = await startIdp();
    await using sts = await startLocalSts({ now: () => NOW });
    const client = clientOf(sts);
    const token = await idp.issueToken();
    for (let index = 0; index < 3; index += 1) await assumeRole(sts, token, {}, client);
    expect(sts.connections).toEqual({ total: 1, open: 1 });
    expect(sts.requests.map(({ connection }) => connection)).toEqual([1, 1, 1]);
  });

  test("succeeds for an HTTPS issuer whose certificate the given CA signed", async () => {
    const tls = makeTlsIdentity();
    await using idp = await startIdp({ tls, host: "localhost" });
    expect(idp.issuer).toBe(`https://localhost:${idp.port}`);
    await using trusting = await startLocalSts({ now: () => NOW, ca: tls.cert });
    await using wary = await startLocalSts({ now: () => NOW });
    const token = await idp.issueToken();
    expect(await assumeRole(trusting, token)).toMatchObject({ code: "ok" });
    expect((await assumeRole(wary, token)).message).toMatch(/^Couldn't retrieve verification key/);
    idp.setFault({ kind: "reset" });
    const late = await startLocalSts({ now: () => NOW, ca: tls.cert });
    expect((await assumeRole(late, token)).message).toMatch(/^Couldn't retrieve verification key/);
    await late.close();
  });
});
