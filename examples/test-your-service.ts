/*
 * Tests how a service behaves when its identity provider is down, with node:test, a local issuer and a
 * local STS. With vitest, import `test` from vitest. Run it with
 *
 *     npx tsx --test examples/test-your-service.ts
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { fromWebIdentity, isWebIdentityError } from "resilient-sts";
import { type LocalIdp, type LocalSts, startLocalIdp, startLocalSts } from "resilient-sts/testing";

/** Stands for your service: makes one AWS call with the credentials that it gets. */
async function whoAmI(sts: LocalSts, idp: LocalIdp, budgetMs: number): Promise<string> {
  const clientConfig = { endpoint: sts.url, region: "us-east-1" };
  await using credentials = fromWebIdentity({
    token: () => idp.issueToken({ subject: "system:serviceaccount:shop:checkout" }),
    roleArn: "arn:aws:iam::123456789012:role/checkout",
    clientConfig,
    // Short waits keep the test fast.
    retry: { baseDelayMs: 10, maxDelayMs: 50, budgetMs },
  });
  const client = new STSClient({ ...clientConfig, credentials });
  try {
    const { Arn = "" } = await client.send(new GetCallerIdentityCommand({}));
    return Arn;
  } finally {
    client.destroy();
  }
}

test("the call succeeds after a rate limit of the identity provider", async () => {
  await using idp = await startLocalIdp();
  await using sts = await startLocalSts({ providers: [idp] });
  idp.setFault({ kind: "rate-limit", on: "jwks", times: 3 });

  const arn = await whoAmI(sts, idp, 20_000);

  assert.match(arn, /:assumed-role\/checkout\//);
  const outcomes = sts.requests.map(({ outcome }) => outcome);
  assert.deepEqual(outcomes, [...Array(3).fill("InvalidIdentityToken"), "ok", "ok"]);
});

test("the call fails with ERR_IDP_UNREACHABLE if the identity provider stays down", async () => {
  await using idp = await startLocalIdp();
  await using sts = await startLocalSts({ providers: [idp] });
  await idp.refuseConnections();

  await assert.rejects(whoAmI(sts, idp, 1_500), (error) => {
    assert.ok(isWebIdentityError(error));
    assert.equal(error.code, "ERR_IDP_UNREACHABLE");
    return true;
  });
});
