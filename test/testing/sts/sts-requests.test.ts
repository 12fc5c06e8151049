import type { AssumeRoleWithWebIdentityCommandInput, Credentials } from "@aws-sdk/client-sts";
import { describe, expect, test } from "vitest";
import { startLocalIdp, startLocalSts, type TokenRequest } from "../../../src/testing/index.js";
import { assumeRole, getCallerIdentity, ROLE_ARN } from "../../support/call-sts.js";

const failed = (value: string, member: string, constraint: string) =>
  `1 validation error detected: Value ${value}at '${member}' failed to satisfy constraint: Member must ${constraint}`;

const LONG_NAME = "connect-system-integration-tests-08f2f0b5-8479-xxxx-xxxx-9a2c8cd10652";
const STATEMENT = { Version: "2012-10-17", Statement: [] };

type Input = Partial<AssumeRoleWithWebIdentityCommandInput>;

describe("the local STS refuses a request with", () => {
  test.each<[string, Input, string, string]>([
    [
      "bad characters in the session name",
      { RoleSessionName: "Session1:2" },
      "ValidationError",
      failed(
        "'Session1:2' ",
        "roleSessionName",
        "satisfy regular expression pattern: [\\w+=,.@-]*",
      ),
    ],
    [
      "too long a session name",
      { RoleSessionName: LONG_NAME },
      "ValidationError",
      failed(`'${LONG_NAME}' `, "roleSessionName", "have length less than or equal to 64"),
    ],
    [
      "too short a session",
      { DurationSeconds: 899 },
      "ValidationError",
      failed("'899' ", "durationSeconds", "have value greater than or equal to 900"),
    ],
    [
      "too long a session",
      { DurationSeconds: 43_201 },
      "ValidationError",
      failed("'43201' ", "durationSeconds", "have value less than or equal to 43200"),
    ],
    [
      "an ARN that is not of a role",
      { RoleArn: "arn:aws:iam::123456789012:oidc-provider/issuer.invalid" },
      "ValidationError",
      "Request ARN is invalid",
    ],
    [
      "a role ARN with a newline",
      { RoleArn: `${ROLE_ARN}\n` },
      "ValidationError",
      "Request ARN is invalid",
    ],
    [
      "an ARN that is too short",
      { RoleArn: "role" },
      "ValidationError",
      failed("'role' ", "roleArn", "have length greater than or equal to 20"),
    ],
    [
      "a token that is too long, without repeating it",
      { WebIdentityToken: "t".repeat(20_001) },
      "ValidationError",
      failed("", "webIdentityToken", "have length less than or equal to 20000"),
    ],
    [
      "a token that is too short, without repeating it",
      { WebIdentityToken: "tok" },
      "ValidationError",
      failed("", "webIdentityToken", "have length greater than or equal to 4"),
    ],
    [
      "several of these faults together",
      { RoleSessionName: "x", DurationSeconds: 1, RoleArn: "role" },
      "ValidationError",
      "3 validation errors detected: Value 'role' at 'roleArn' failed to satisfy constraint: Member must have length greater than or equal to 20; Value 'x' at 'roleSessionName' failed to satisfy constraint: Member must have length greater than or equal to 2; Value '1' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900",
    ],
    [
      "a policy that is not JSON",
      { Policy: "{" },
      "MalformedPolicyDocument",
      "This policy contains invalid Json",
    ],
    [
      "a policy without statements",
      { Policy: "{}" },
      "MalformedPolicyDocument",
      "Syntax errors in policy.",
    ],
    [
      "a policy that exceeds the packed size",
      {
        Policy: JSON.stringify({ ...STATEMENT, Id: "x".repeat(1900) }),
        PolicyArns: [{ arn: `arn:aws:iam::aws:policy/${"p".repeat(200)}` }],
      },
      "PackedPolicyTooLarge",
      "Packed policy consumes 107% of allotted space, please use smaller policy.",
    ],
    [
      "an unknown ProviderId",
      { ProviderId: "example.com" },
      "AccessDenied",
      "Not authorized to perform sts:AssumeRoleWithWebIdentity",
    ],
    [
      "the ProviderId of Facebook",
      { ProviderId: "graph.facebook.com" },
      "IDPRejectedClaim",
      "graph.facebook.com: graph.facebook.com responded with HTTP/1.1 400 Bad Request",
    ],
  ])("%s", async (_, input, code, message) => {
    await using idp = await startLocalIdp({ algorithm: "ES256" });
    await using sts = await startLocalSts();
    expect(await assumeRole(sts, await idp.issueToken(), input)).toMatchObject({ code, message });
  });

  test("a policy over 2048 characters", async () => {
    await using sts = await startLocalSts();
    const Policy = JSON.stringify({ ...STATEMENT, Id: "x".repeat(2048) });
    expect(await assumeRole(sts, "token", { Policy })).toMatchObject({ code: "ValidationError" });
  });

  test("no parameters at all", async () => {
    await using sts = await startLocalSts();
    const response = await fetch(`${sts.url}/?Action=AssumeRoleWithWebIdentity`);
    expect(await response.text()).toContain("3 validation errors detected: Value null at");
  });
});

describe("the local STS refuses a token", () => {
  const NOT_JWT =
    "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)";

  test.each<[string, string]>([
    ["that is opaque", "opaque-access-token"],
    ["that is a path", "/var/run/secrets/token"],
    ["with two parts", "e30.e30"],
    ["with parts that are not JSON", "YWJj.YWJj.YWJj"],
    ["with parts that are not objects", "W10.W10.YWJj"],
    ["that is encrypted", "e30.e30.e30.e30.e30"],
  ])("%s", async (_, token) => {
    await using sts = await startLocalSts();
    expect(await assumeRole(sts, token)).toMatchObject({
      code: "InvalidIdentityToken",
      message: NOT_JWT,
    });
  });

  test("with four parts", async () => {
    await using idp = await startLocalIdp({ algorithm: "ES256" });
    await using sts = await startLocalSts();
    const token = `${await idp.issueToken()}.YWJj`;
    expect(await assumeRole(sts, token)).toMatchObject({ message: NOT_JWT });
  });

  test.each<[string, TokenRequest]>([
    ["HS256", { header: { alg: "HS256" } }],
    ["PS256", { header: { alg: "PS256" } }],
    ["EdDSA", { header: { alg: "EdDSA" } }],
    ["none", { header: { alg: "none" } }],
    ["a crit header", { header: { crit: ["exp"] } }],
  ])("with %s", async (_, request) => {
    await using idp = await startLocalIdp({ algorithm: "ES256" });
    await using sts = await startLocalSts();
    const token = await idp.issueToken(request);
    expect(await assumeRole(sts, token)).toMatchObject({
      code: "InvalidIdentityToken",
      message: NOT_JWT,
    });
  });

  test.each<[string, TokenRequest, RegExp]>([
    ["a fractional iat", { claims: { iat: 1.5 } }, /^Invalid timestamp in token claims\.$/],
    ["a null exp", { claims: { exp: null } }, /^Invalid timestamp in token claims\.$/],
    ["an nbf in words", { claims: { nbf: "soon" } }, /^Invalid timestamp in token claims\.$/],
    ["a fractional string", { claims: { iat: "1.5" } }, /^Invalid timestamp in token claims\.$/],
    ["a broken signature", { breakSignature: true }, /could not be validated/],
    [
      "the signature of another algorithm's key",
      { header: { alg: "RS256" } },
      /could not be validated/,
    ],
    ["an empty azp", { claims: { azp: "" } }, /could not be validated/],
    ["an empty list of audiences", { audience: [] }, /could not be validated/],
  ])("with %s", async (_, request, message) => {
    await using idp = await startLocalIdp({ algorithm: "ES256" });
    await using sts = await startLocalSts();
    const reply = await assumeRole(sts, await idp.issueToken(request));
    expect(reply).toMatchObject({ code: "InvalidIdentityToken", httpStatus: 400 });
    expect(reply.message).toMatch(message);
  });
});

describe("GetCallerIdentity of the local STS", () => {
  test("accepts the credentials that the local STS issued, until they expire", async () => {
    let now = Date.now();
    await using idp = await startLocalIdp({ algorithm: "ES256" });
    await using sts = await startLocalSts({ now: () => now });
    const { output } = await assumeRole(sts, await idp.issueToken());
    const credentials: Partial<Credentials> = output?.Credentials ?? {};
    const { output: caller } = await getCallerIdentity(sts, credentials);
    expect(caller).toMatchObject({
      Account: "123456789012",
      Arn: "arn:aws:sts::123456789012:assumed-role/app/test-session",
      UserId: output?.AssumedRoleUser?.AssumedRoleId,
    });
    const expected = { region: "eu-west-1", accessKeyId: credentials.AccessKeyId };
    expect(sts.requests[1]).toMatchObject({ action: "GetCallerIdentity", ...expected });

    const other = { ...credentials, SessionToken: "another" };
    const unknown = { code: "InvalidClientTokenId", httpStatus: 403 };
    expect(await getCallerIdentity(sts, other)).toMatchObject(unknown);
    expect(await getCallerIdentity(sts, {})).toMatchObject(unknown);
    now += 3_600_000;
    const expired = { code: "ExpiredToken", httpStatus: 403 };
    expect(await getCallerIdentity(sts, credentials)).toMatchObject(expired);
  });

  test.each<[string, Record<string, string>, string]>([
    ["no signature", {}, "MissingAuthenticationToken"],
    [
      "half a signature",
      { authorization: "AWS4-HMAC-SHA256 Credential=A/B" },
      "IncompleteSignature",
    ],
  ])("refuses a request with %s", async (_, headers, code) => {
    await using sts = await startLocalSts();
    const response = await fetch(`${sts.url}/?Action=GetCallerIdentity`, { headers });
    expect(await response.text()).toContain(`<Code>${code}</Code>`);
  });
});
