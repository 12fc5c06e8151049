import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { fromWebToken as stockFromWebToken } from "@aws-sdk/credential-provider-web-identity";
import { describe, expect, test } from "vitest";
import { type FromWebTokenInit, fromWebToken } from "../../src/index.js";
import { until } from "../support/virtual-clock.js";
import { REGION, ROLE_ARN, rejection, startWorld, type World } from "../support/world.js";

async function initOf({ idp, sts }: World): Promise<FromWebTokenInit> {
  return {
    webIdentityToken: await idp.issueToken(),
    roleArn: ROLE_ARN,
    preflight: "off",
    clientConfig: { endpoint: sts.url, region: REGION },
  };
}

describe("one provider", () => {
  test("calls STS once for a thousand callers at the same time, and returns the same to all", async () => {
    await using world = await startWorld();
    await using provider = fromWebToken(await initOf(world));
    const all = await Promise.all(Array.from({ length: 1_000 }, () => provider()));
    expect(world.calls()).toBe(1);
    expect(new Set(all).size).toBe(1);
  });

  test("does not call STS again for a thousand calls after the first", async () => {
    await using world = await startWorld();
    await using provider = fromWebToken(await initOf(world));
    const first = await provider();
    for (let call = 0; call < 1_000; call += 1) expect(await provider()).toBe(first);
    expect(world.calls()).toBe(1);
  });

  test("calls STS once for twenty clients that share it", async () => {
    await using world = await startWorld();
    await using provider = fromWebToken(await initOf(world));
    const clients = Array.from(
      { length: 20 },
      () => new STSClient({ endpoint: world.sts.url, region: REGION, credentials: provider }),
    );
    const identities = await Promise.all(
      clients.map((client) => client.send(new GetCallerIdentityCommand({}))),
    );
    for (const { Account } of identities) expect(Account).toBe("123456789012");
    expect(world.calls()).toBe(1);
    for (const client of clients) client.destroy();
  });

  test("rejects all callers of one failed refresh with the same error", async () => {
    await using world = await startWorld();
    world.sts.setFault("access-denied");
    const provider = world.provide();
    const all = await Promise.allSettled(Array.from({ length: 100 }, () => provider()));
    expect(world.calls()).toBe(1);
    const reasons = all.map((one) => (one.status === "rejected" ? one.reason : "fulfilled"));
    expect(new Set(reasons).size).toBe(1);
    expect(reasons[0]).toMatchObject({ code: "ERR_ACCESS_DENIED" });
  });
});

describe("equal providers that refresh at the same time", () => {
  /** Each with a provider of its own; STS responds when all have asked. */
  async function askTogether(world: World, inits: readonly FromWebTokenInit[]) {
    world.sts.setFault("slow", { delayMs: 1_200 });
    const clients = inits.map((init) => {
      const credentials = fromWebToken(init);
      return new STSClient({ endpoint: world.sts.url, region: REGION, credentials });
    });
    const all = await Promise.all(
      clients.map(async (client) => {
        await client.send(new GetCallerIdentityCommand({}));
        return (await client.config.credentials()).accessKeyId;
      }),
    );
    for (const client of clients) client.destroy();
    return new Set(all).size;
  }

  test("share one STS call, also for clients with their own connections", async () => {
    await using world = await startWorld();
    const init = await initOf(world);
    const sessions = await askTogether(
      world,
      Array.from({ length: 20 }, () => ({ ...init })),
    );
    expect([world.calls(), sessions]).toEqual([1, 1]);
  });

  test("do not share a call when the request or its route differs", async () => {
    await using world = await startWorld();
    const init = await initOf(world);
    const sessions = await askTogether(world, [
      init,
      { ...init, roleArn: `${ROLE_ARN}-b` },
      { ...init, roleSessionName: "own" },
      { ...init, durationSeconds: 900 },
      { ...init, policy: '{"Version":"2012-10-17","Statement":[]}' },
      { ...init, webIdentityToken: await world.idp.issueToken() },
      { ...init, clientConfig: { ...init.clientConfig, region: "eu-central-1" } },
      {
        ...init,
        clientConfig: { ...init.clientConfig, requestHandler: { requestTimeout: 5_000 } },
      },
      { ...init, clientPlugins: [{ applyToStack: () => {} }] },
    ]);
    expect([world.calls(), sessions]).toEqual([9, 9]);
  });

  test("still get credentials when the one that started the call is closed", async () => {
    await using world = await startWorld();
    world.sts.setFault("slow", { delayMs: 1_200 });
    const init = await initOf(world);
    const [first, second] = [fromWebToken(init), fromWebToken({ ...init })];
    const refused = rejection(first());
    const got = second();
    await until(() => world.calls() === 1);
    first.close();
    expect(await refused).toMatchObject({ code: "ERR_CLOSED" });
    expect(await got).toHaveProperty("accessKeyId");
    expect(world.calls()).toBe(1);
    second.close();
  });
});

describe("a thousand providers of a thousand roles", () => {
  test("all get their own credentials over at most forty connections", {
    timeout: 60_000,
  }, async () => {
    await using world = await startWorld();
    const init = await initOf(world);
    const providers = Array.from({ length: 1_000 }, (_, number) =>
      fromWebToken({ ...init, roleArn: `${ROLE_ARN}-${number}` }),
    );
    const all = await Promise.all(providers.map((provider) => provider()));
    expect(new Set(all.map(({ accessKeyId }) => accessKeyId)).size).toBe(1_000);
    expect(world.calls()).toBe(1_000);
    expect(world.sts.connections.total).toBeLessThanOrEqual(40);
    for (const provider of providers) provider.close();
  });

  test("share one connection when they start one after the other", async () => {
    await using world = await startWorld();
    const init = await initOf(world);
    for (let number = 0; number < 10; number += 1) {
      await fromWebToken({ ...init, roleArn: `${ROLE_ARN}-${number}` })();
    }
    expect(world.sts.connections.total).toBe(1);
  });
});

describe("the SDK's own provider, beside it,", () => {
  test("calls STS for each of fifty callers, over fifty connections", async () => {
    await using world = await startWorld();
    const { webIdentityToken, roleArn, clientConfig } = await initOf(world);
    const provider = stockFromWebToken({ webIdentityToken, roleArn, clientConfig });
    await Promise.all(Array.from({ length: 50 }, () => provider()));
    expect(world.calls()).toBe(50);
    expect(world.sts.connections.total).toBe(50);
  });
});
