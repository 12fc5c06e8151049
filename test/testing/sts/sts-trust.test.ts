import { describe, expect, test } from "vitest";
import {
  type RoleTrust,
  startLocalIdp,
  startLocalSts,
  type TrustedRole,
} from "../../../src/testing/index.js";
import { startApiServer } from "../../support/api-server.js";
import { assumeRole, ROLE_ARN } from "../../support/call-sts.js";

const DENIED = {
  code: "AccessDenied",
  httpStatus: 403,
  message: "Not authorized to perform sts:AssumeRoleWithWebIdentity",
};
const SUBJECT = "repo:acme/app:ref:refs/heads/main";

const startIdp = () => startLocalIdp({ algorithm: "ES256" });

describe("the trust of the local STS", () => {
  test.each<[string, RoleTrust, string]>([
    ["the subject itself", { subjects: [SUBJECT] }, "ok"],
    ["one of several subjects", { subjects: ["other", SUBJECT] }, "ok"],
    ["a pattern with *", { subjects: ["repo:acme/*:ref:*"] }, "ok"],
    ["a pattern with ?", { subjects: ["repo:acme/ap?:ref:refs/heads/main"] }, "ok"],
    ["a regular expression", { subjects: [/^repo:acme\//g] }, "ok"],
    ["another case", { subjects: [SUBJECT.toUpperCase()] }, "AccessDenied"],
    ["another subject", { subjects: ["repo:other/*"] }, "AccessDenied"],
    ["no subject", { subjects: [] }, "AccessDenied"],
    ["a dot that stands for itself", { subjects: ["repo.acme/*"] }, "AccessDenied"],
    ["its audience", { audiences: ["sts.amazonaws.com"] }, "ok"],
    ["another audience", { audiences: ["other"] }, "AccessDenied"],
    ["another issuer", { issuer: "https://issuer.invalid" }, "AccessDenied"],
  ])("compares a token with %s", async (_, trust, code) => {
    await using idp = await startIdp();
    const roles: TrustedRole[] = [{ arn: ROLE_ARN, trust }];
    await using sts = await startLocalSts({ providers: [idp], roles });
    const token = await idp.issueToken({ subject: SUBJECT });
    expect(await assumeRole(sts, token)).toMatchObject({ code });
    expect(await assumeRole(sts, token)).toMatchObject({ code });
  });

  test("denies a role that does not exist in the same words as one that does not trust the token", async () => {
    await using idp = await startIdp();
    const roles = [{ arn: ROLE_ARN, trust: { subjects: ["other"] } }];
    await using sts = await startLocalSts({ providers: [idp], roles });
    const token = await idp.issueToken();
    expect(await assumeRole(sts, token)).toMatchObject(DENIED);
    expect(await assumeRole(sts, token, { RoleArn: `${ROLE_ARN}2` })).toMatchObject(DENIED);
  });

  test("compares issuers exactly, and names the one that is not registered", async () => {
    await using idp = await startIdp();
    await using sts = await startLocalSts({ providers: [{ issuer: `${idp.issuer}/` }] });
    expect(await assumeRole(sts, await idp.issueToken())).toMatchObject({
      code: "InvalidIdentityToken",
      message: `No OpenIDConnect provider found in your account for ${idp.issuer}`,
    });
  });

  test("gets the keys of an issuer that serves them only as application/jwk-set+json", async () => {
    await using idp = await startIdp();
    await using api = await startApiServer(idp);
    await using sts = await startLocalSts({ providers: [api] });
    const token = await idp.issueToken({ claims: { iss: api.issuer } });
    expect(await assumeRole(sts, token)).toMatchObject({ code: "ok" });
  });

  test("sends no request to an unregistered issuer that is not on this machine", async () => {
    await using idp = await startIdp();
    await using sts = await startLocalSts();
    const token = await idp.issueToken({ claims: { iss: "https://issuer.invalid" } });
    expect(await assumeRole(sts, token)).toMatchObject({
      message: "No OpenIDConnect provider found in your account for https://issuer.invalid",
    });
  });

  test("limits a session to the role's maximum, one hour by default", async () => {
    await using idp = await startIdp();
    const other = `${ROLE_ARN}-long`;
    const roles = [{ arn: ROLE_ARN }, { arn: other, maxSessionDurationSeconds: 7200 }];
    await using sts = await startLocalSts({ providers: [idp], roles });
    const token = await idp.issueToken();
    expect(await assumeRole(sts, token, { DurationSeconds: 3601 })).toMatchObject({
      code: "ValidationError",
      message: "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    });
    const longer = { RoleArn: other, DurationSeconds: 7200 };
    expect(await assumeRole(sts, token, longer)).toMatchObject({ code: "ok" });
  });
});

describe("the key cache of the local STS", () => {
  test.each<[string, Record<string, string | null>, number]>([
    ["keeps a JWKS with a max-age", {}, 1],
    ["keeps a JWKS without Cache-Control", { "cache-control": null }, 1],
    ["fetches a JWKS again after no-cache", { "cache-control": "no-cache" }, 2],
    ["fetches a JWKS again after no-store", { "cache-control": "private, no-store" }, 2],
    ["fetches a JWKS again after Pragma: no-cache", { pragma: "no-cache" }, 2],
    ["fetches a JWKS again after max-age=0", { "cache-control": "max-age=0" }, 2],
  ])("%s", async (_, headers, fetches) => {
    await using idp = await startIdp();
    await using sts = await startLocalSts({ providers: [idp] });
    idp.setHeaders(headers);
    const token = await idp.issueToken();
    await assumeRole(sts, token);
    await assumeRole(sts, token);
    expect(idp.counts).toEqual({ discovery: fetches, jwks: fetches });
  });

  test("drops a JWKS when its max-age is over", async () => {
    let now = Date.now();
    await using idp = await startIdp();
    await using sts = await startLocalSts({ providers: [idp], now: () => now });
    idp.setHeaders({ "cache-control": "max-age=60" });
    const token = await idp.issueToken();
    for (const wait of [0, 59_999, 1]) {
      now += wait;
      await assumeRole(sts, token);
    }
    expect(idp.counts.jwks).toBe(2);
  });

  test("can be switched off, whatever the headers are", async () => {
    await using idp = await startIdp();
    await using sts = await startLocalSts({ providers: [idp], jwksCacheSeconds: 0 });
    const token = await idp.issueToken();
    await assumeRole(sts, token);
    await assumeRole(sts, token);
    expect(idp.counts.jwks).toBe(2);
  });

  test("fetches the JWKS again for a key that it does not have", async () => {
    await using idp = await startIdp();
    await using sts = await startLocalSts({ providers: [idp] });
    await assumeRole(sts, await idp.issueToken());
    const kid = await idp.rotateKeys({ publish: false });
    const token = await idp.issueToken();
    expect(await assumeRole(sts, token)).toMatchObject({ code: "InvalidIdentityToken" });
    idp.publishKey(kid);
    expect(await assumeRole(sts, token)).toMatchObject({ code: "ok" });
    expect(idp.counts.jwks).toBe(3);
  });

  test("keeps its keys when fetching them again fails", async () => {
    await using idp = await startIdp();
    await using sts = await startLocalSts({ providers: [idp] });
    const token = await idp.issueToken();
    await assumeRole(sts, token);
    await idp.refuseConnections();
    const stranger = await idp.issueToken({ header: { kid: "unknown" } });
    expect(await assumeRole(sts, stranger)).toMatchObject({ code: "InvalidIdentityToken" });
    expect(await assumeRole(sts, token)).toMatchObject({ code: "ok" });
  });

  test("serves its keys during an outage of the IdP", async () => {
    await using idp = await startIdp();
    await using sts = await startLocalSts({ providers: [idp] });
    const token = await idp.issueToken();
    await assumeRole(sts, token);
    await idp.refuseConnections();
    expect(await assumeRole(sts, token)).toMatchObject({ code: "ok" });
  });
});
