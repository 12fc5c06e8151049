import { HeadBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { describe, expect, test, vi } from "vitest";
import { until } from "../support/virtual-clock.js";
import { REGION, rejection, startWorld } from "../support/world.js";
import { RecordingHandler } from "./recording-handler.js";

describe("the connections to STS", () => {
  test("are shared by providers with equal options only", async () => {
    await using world = await startWorld();
    const { url: endpoint } = world.sts;
    for (let round = 0; round < 5; round += 1) {
      await world.provide({ clientConfig: { endpoint, region: REGION } })();
    }
    expect([world.pool.size, world.sts.connections.total]).toEqual([1, 1]);
    await world.provide({ clientConfig: { endpoint, region: REGION, customUserAgent: "x" } })();
    expect([world.pool.size, world.sts.connections.total]).toEqual([2, 2]);
  });

  test("serve every refresh of a provider", async () => {
    await using world = await startWorld();
    const provider = world.provide();
    for (let round = 0; round < 5; round += 1) await provider({ forceRefresh: true });
    expect(world.calls()).toBe(5);
    expect(world.sts.connections.total).toBe(1);
  });

  test("may be closed by STS between two refreshes", async () => {
    await using world = await startWorld();
    const provider = world.provide();
    await provider();
    await world.sts.refuseConnections();
    await world.sts.acceptConnections();
    await expect(provider({ forceRefresh: true })).resolves.toHaveProperty("accessKeyId");
    expect(world.calls()).toBe(2);
  });

  test("may be closed by STS at the moment of their next use", async () => {
    await using world = await startWorld();
    const provider = world.provide();
    const { accessKeyId } = await provider();
    world.sts.failNext("reset");
    const renewed = await provider({ forceRefresh: true });
    expect(renewed.accessKeyId).not.toBe(accessKeyId);
    const [first, again] = world.sts.requests;
    expect(again).toMatchObject({ outcome: "reset", connection: first?.connection });
  });

  test("are opened again when STS listens again", async () => {
    await using world = await startWorld();
    await world.sts.refuseConnections();
    const provider = world.provide({
      onEvent: ({ type }) => type === "attempt.failed" && void world.sts.acceptConnections(),
    });
    await expect(provider()).resolves.toHaveProperty("accessKeyId");
  });

  test("are closed with their provider, in use or not", async () => {
    await using world = await startWorld();
    const idle = world.provide();
    await idle();
    idle.close();
    await until(() => world.sts.connections.open === 0);

    world.sts.failNext("hang");
    const busy = world.provide();
    const credentials = rejection(busy());
    await until(() => world.sts.requests.at(-1)?.outcome === "hang");
    busy.close();
    expect(await credentials).toMatchObject({ code: "ERR_CLOSED" });
    await until(() => world.sts.connections.open === 0);
  });

  test("are closed with their provider, even if a client has lent it other connections since", async () => {
    await using world = await startWorld();
    const { url: endpoint } = world.sts;
    const provider = world.provide({ clientConfig: { endpoint } });
    const requestHandler = new RecordingHandler();
    await provider();
    const [own] = world.sts.requests;
    await provider({ callerClientConfig: { region: REGION, requestHandler }, forceRefresh: true });
    expect([own?.outcome, requestHandler.hosts.length]).toEqual(["ok", 1]);
    provider.close();
    await until(() => world.sts.connections.open === 0);
  });

  test("of other providers stay open when a provider is closed", async () => {
    await using world = await startWorld();
    const [one, other] = [world.provide(), world.provide()];
    await one();
    world.sts.failNext("slow", { delayMs: 20 });
    const credentials = other();
    await until(() => world.calls() === 2);
    one.close();
    await expect(credentials).resolves.toHaveProperty("accessKeyId");
    await expect(other({ forceRefresh: true })).resolves.toHaveProperty("accessKeyId");
    expect(world.calls()).toBe(3);
  });
});

describe("a request handler that a client lends", () => {
  test("is not destroyed with the provider, because its owner still uses it", async () => {
    await using world = await startWorld();
    const requestHandler = new RecordingHandler();
    const destroy = vi.spyOn(requestHandler, "destroy");
    const provider = world.provide({ clientConfig: {} });
    const client = new S3Client({ region: REGION, credentials: provider, requestHandler });
    await client.send(new HeadBucketCommand({ Bucket: "bucket" }));
    expect(requestHandler.hosts[0]).toContain("sts");
    provider.close();
    expect(destroy).not.toHaveBeenCalled();
  });

  test("is not destroyed when the pool has too many clients", async () => {
    await using world = await startWorld();
    const handlers = Array.from({ length: 30 }, () => new RecordingHandler());
    const spies = handlers.map((handler) => vi.spyOn(handler, "destroy"));
    for (const requestHandler of handlers) {
      await world.provide({ clientConfig: { requestHandler, region: REGION } })();
    }
    expect(world.pool.size).toBeLessThan(30);
    for (const spy of spies) expect(spy).not.toHaveBeenCalled();
  });

  test("keeps an agent that its owner made", async () => {
    await using world = await startWorld();
    const { Agent } = await import("node:http");
    const httpAgent = new Agent({ keepAlive: true });
    const destroy = vi.spyOn(httpAgent, "destroy");
    const provider = world.provide({
      clientConfig: { endpoint: world.sts.url, region: REGION, requestHandler: { httpAgent } },
    });
    await provider();
    provider.close();
    expect(destroy).not.toHaveBeenCalled();
    httpAgent.destroy();
  });
});
