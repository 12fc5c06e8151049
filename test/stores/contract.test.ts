import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient, createCluster } from "@redis/client";
import { Cluster, Redis } from "ioredis";
import { afterAll, beforeAll, describe, test } from "vitest";
import { Memory, memoryStore } from "../../bench/support/memory-store.js";
import {
  REDIS_SERVER,
  type RedisServer,
  startRedisServer,
} from "../../bench/support/redis-server.js";
import { fileStore, redisStore } from "../../src/stores/index.js";
import { testCredentialStore } from "../../src/testing/index.js";
import { leaveOut } from "../support/program.js";

const KEYS = [{ id: "k1", key: randomBytes(32) }];
const namespace = "contract:tests";

describe("the memory store of these tests", () => {
  const memory = new Memory();
  testCredentialStore({ test, createStore: () => memoryStore(memory) });
});

describe("the file store", () => {
  let directory = "";
  beforeAll(async () => {
    directory = join(await mkdtemp(join(tmpdir(), "file-store-")), "store");
  });
  afterAll(() => rm(join(directory, ".."), { recursive: true, force: true }));
  testCredentialStore({ test, createStore: () => fileStore({ directory }) });
});

if (REDIS_SERVER === undefined) {
  leaveOut("the Redis store", "redis-server");
} else {
  describe("the Redis store", () => {
    let redis: RedisServer;
    beforeAll(async () => {
      redis = await startRedisServer();
    });
    afterAll(() => redis[Symbol.asyncDispose]());

    describe("with a client of node-redis", () => {
      let client: ReturnType<typeof createClient>;
      beforeAll(async () => {
        client = createClient({ url: redis.url });
        await client.connect();
      });
      afterAll(() => client.destroy());
      testCredentialStore({
        test,
        createStore: () => redisStore({ client, keys: KEYS, namespace }),
      });
    });

    describe("with a client of ioredis", () => {
      let client: Redis;
      beforeAll(() => {
        client = new Redis(redis.url);
      });
      afterAll(() => client.disconnect());
      testCredentialStore({
        test,
        createStore: () => redisStore({ client, keys: KEYS, namespace }),
      });
    });
  });

  describe("the Redis store in a cluster", () => {
    let redis: RedisServer;
    beforeAll(async () => {
      redis = await startRedisServer({ cluster: true });
      const client = new Redis(redis.url);
      await client.call("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
      while (!String(await client.call("CLUSTER", "INFO")).includes("cluster_state:ok"));
      client.disconnect();
    });
    afterAll(() => redis[Symbol.asyncDispose]());

    describe("with a client of node-redis", () => {
      let client: ReturnType<typeof createCluster>;
      beforeAll(async () => {
        client = createCluster({ rootNodes: [{ url: redis.url }] });
        await client.connect();
      });
      afterAll(() => client.destroy());
      testCredentialStore({
        test,
        createStore: () => redisStore({ client, keys: KEYS, namespace }),
      });
    });

    describe("with a client of ioredis", () => {
      let client: Cluster;
      beforeAll(() => {
        client = new Cluster([{ host: "127.0.0.1", port: redis.port }]);
      });
      afterAll(() => client.disconnect());
      testCredentialStore({
        test,
        createStore: () => redisStore({ client, keys: KEYS, namespace }),
      });
    });
  });
}
