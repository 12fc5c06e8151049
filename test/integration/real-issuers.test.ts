import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { OAuth2Server } from "oauth2-mock-server";
import { describe, expect, test } from "vitest";
import { fromWebIdentity } from "../../src/index.js";
import { startLocalSts } from "../../src/testing/index.js";
import {
  type Issuer,
  mintWithClientCredentials,
  startOidcProvider,
} from "../support/oidc-provider-issuer.js";
import { REGION, ROLE_ARN, rejection } from "../support/world.js";

const SUBJECT = "system:serviceaccount:default:app";

async function startOauth2MockServer(subject: string): Promise<Issuer> {
  const server = new OAuth2Server();
  await server.issuer.keys.generate("RS256");
  await server.start(0, "127.0.0.1");
  const issuer = `http://127.0.0.1:${server.address().port}`;
  server.issuer.url = issuer;
  server.service.on("beforeTokenSigning", ({ payload }) => {
    Object.assign(payload, { sub: subject, aud: "sts.amazonaws.com" });
  });
  return {
    issuer,
    mint: () => mintWithClientCredentials(`${issuer}/token`),
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

describe.each([
  ["oidc-provider", startOidcProvider],
  ["oauth2-mock-server", startOauth2MockServer],
])("with tokens of %s", (_, startIssuer) => {
  test("a client gets the role that trusts them", async () => {
    await using idp = await startIssuer(SUBJECT);
    const trust = { issuer: idp.issuer, subjects: [SUBJECT], audiences: ["sts.amazonaws.com"] };
    await using sts = await startLocalSts({
      providers: [{ issuer: idp.issuer, audiences: ["sts.amazonaws.com"] }],
      roles: [{ arn: ROLE_ARN, trust }],
    });
    await using credentials = fromWebIdentity({
      token: () => idp.mint(),
      roleArn: ROLE_ARN,
      roleSessionName: "end-to-end",
      preflight: "off",
      clientConfig: { endpoint: sts.url },
    });
    const client = new STSClient({ endpoint: sts.url, region: REGION, credentials });
    const { Arn } = await client.send(new GetCallerIdentityCommand({}));
    expect(Arn).toBe("arn:aws:sts::123456789012:assumed-role/app/end-to-end");
    expect(sts.requests[0]?.token).toMatchObject({ issuer: idp.issuer, subject: SUBJECT });
    client.destroy();
  });

  test("a client is denied a role that trusts another identity", async () => {
    await using idp = await startIssuer(SUBJECT);
    await using sts = await startLocalSts({
      providers: [idp],
      roles: [{ arn: ROLE_ARN, trust: { subjects: ["somebody-else"] } }],
    });
    await using provider = fromWebIdentity({
      token: () => idp.mint(),
      roleArn: ROLE_ARN,
      preflight: "off",
      clientConfig: { endpoint: sts.url, region: REGION },
    });
    expect(await rejection(provider())).toMatchObject({
      code: "ERR_ACCESS_DENIED",
      token: { issuer: idp.issuer, audience: "sts.amazonaws.com", alg: "RS256" },
    });
    expect(sts.requests).toHaveLength(1);
  });
});
