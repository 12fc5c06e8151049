import { randomBytes } from "node:crypto";
import { createClient } from "@redis/client";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import {
  REDIS_SERVER,
  type RedisServer,
  startRedisServer,
} from "../../bench/support/redis-server.js";
import { redisStore, type StoreKeys } from "../../src/stores/index.js";
import { leaveOut } from "../support/program.js";
import { someCredentials } from "../support/stored-credentials.js";

const OLD = { id: "2026-10", key: randomBytes(32).toString("base64url") };
const NEW = { id: "2026-11", key: randomBytes(32) };
const LEASE_MS = 60_000;

if (REDIS_SERVER === undefined) {
  leaveOut("values in Redis", "redis-server");
} else {
  let redis: RedisServer;
  let client: ReturnType<typeof createClient>;
  beforeAll(async () => {
    redis = await startRedisServer();
    client = createClient({ url: redis.url });
    await client.connect();
  });
  afterAll(async () => {
    client.destroy();
    await redis[Symbol.asyncDispose]();
  });

  const storeOf = (keys: StoreKeys, namespace = "shop") => redisStore({ client, keys, namespace });
  const newKey = () => randomBytes(32).toString("base64url");

  async function publish(store: ReturnType<typeof storeOf>, key: string, changes = {}) {
    const lease = await store.claim(key, LEASE_MS);
    if (lease === undefined) throw new Error("the lease is held");
    const value = { ...someCredentials(key), ...changes };
    expect(await store.publish(value, lease, 900_000)).toBe(true);
    await store.release(lease);
    return value;
  }

  /** The names of all stored credentials. */
  async function credentialNames(): Promise<string[]> {
    return (await client.keys("*:credentials")).toSorted();
  }

  describe("what is stored in Redis", () => {
    test("contains no secret, role or store key in clear text, and expires", async () => {
      await client.flushAll();
      const key = newKey();
      const value = await publish(storeOf([NEW]), key);
      const names = await client.keys("*");
      const texts = await Promise.all(
        names.map(async (name) => {
          expect(await client.pTTL(name)).toBeGreaterThan(0);
          const isHash = (await client.type(name)) === "hash";
          return isHash ? JSON.stringify(await client.hGetAll(name)) : await client.get(name);
        }),
      );
      const all = [...names, ...texts].join("\n");
      for (const secret of [value.accessKeyId, value.secretAccessKey, value.roleArn, key]) {
        expect(all).not.toContain(secret);
      }
      expect(all).toContain("shop:{");
    });

    test("has all names of one entry in one slot of a cluster", async () => {
      await client.flushAll();
      await storeOf([NEW]).claim(newKey(), LEASE_MS);
      await publish(storeOf([NEW]), newKey());
      const tags = (await client.keys("*")).map((name) => /\{.+\}/.exec(name)?.[0]);
      expect(new Set(tags).size).toBe(2);
    });
  });

  describe("a value can't be used, and is removed,", () => {
    const tamper = async (act: (name: string, other: string) => Promise<unknown>) => {
      await client.flushAll();
      const store = storeOf([NEW]);
      const key = newKey();
      await publish(store, key);
      const [name = ""] = await credentialNames();
      await publish(store, newKey());
      const other = (await credentialNames()).find((one) => one !== name) ?? "";
      await act(name, other);
      const { credentials, problem } = await store.read(key);
      expect(credentials).toBeUndefined();
      expect(await store.read(key)).toMatchObject({ isLeased: false, problem: undefined });
      // The next value can be stored.
      await publish(store, key);
      expect((await store.read(key)).credentials).toBeDefined();
      return problem;
    };

    test("when it was moved from another key", async () => {
      const problem = await tamper((name, other) => client.copy(other, name, { REPLACE: true }));
      expect(problem).toMatch(/stored under another name/);
    });

    test("when it was cut", async () => {
      const problem = await tamper(async (name) => {
        const jwe = (await client.hGet(name, "value")) ?? "";
        await client.hSet(name, "value", jwe.slice(0, -10));
      });
      expect(problem).toMatch(/can't be decrypted with the key 2026-11/);
    });

    test.each([0, 2, 3, 4])("when part %i of the JWE was changed", async (part) => {
      const problem = await tamper(async (name) => {
        const parts = ((await client.hGet(name, "value")) ?? "").split(".");
        const text = parts[part] ?? "";
        parts[part] = (text.startsWith("A") ? "B" : "A") + text.slice(1);
        await client.hSet(name, "value", parts.join("."));
      });
      expect(problem).toMatch(/can't be used/);
    });

    test.each([
      ["fence", "4503599627370495"],
      ["fence", "1e308"],
      ["fence", "nan"],
      ["expiresAt", "9007199254740991"],
      ["expiresAt", "inf"],
      ["expiresAt", ""],
    ])("when the %s that is stored beside it was changed to %s", async (field, text) => {
      const problem = await tamper((name) => client.hSet(name, field, text));
      expect(problem).toMatch(/does not match what was sealed/);
    });

    test.each(["", "x", "a.b.c.d.e", "[]", "x".repeat(100_000)])("when it is %j", async (text) => {
      expect(await tamper((name) => client.hSet(name, "value", text))).toMatch(/can't be used/);
    });

    test("when it was sealed for another workload under the same name", async () => {
      const store = storeOf([NEW]);
      const key = newKey();
      const lease = await store.claim(key, LEASE_MS);
      if (lease === undefined) throw new Error("the lease is held");
      await store.publish(someCredentials(newKey()), lease, 900_000);
      expect(await store.read(key)).toMatchObject({
        problem: expect.stringMatching(/match what was sealed/),
      });
    });
  });

  describe("keys", () => {
    test("of another tenant find nothing in the same namespace", async () => {
      const key = newKey();
      await publish(storeOf([OLD]), key);
      expect(await storeOf([NEW]).read(key)).toMatchObject({ isLeased: false, problem: undefined });
      expect((await storeOf([NEW]).read(key)).credentials).toBeUndefined();
    });

    test("find nothing in another namespace", async () => {
      const key = newKey();
      await publish(storeOf([OLD]), key);
      const other = storeOf([OLD], "other");
      expect((await other.read(key)).credentials).toBeUndefined();
      await other.claim(key, LEASE_MS);
      expect((await storeOf([OLD]).read(key)).isLeased).toBe(false);
    });

    test("let processes with either key share in every step of a rotation", async () => {
      const steps: StoreKeys[] = [[OLD], [OLD, NEW], [NEW, OLD], [NEW]];
      for (const [index, before] of steps.slice(0, -1).entries()) {
        const [one, other] = [storeOf(before), storeOf(steps[index + 1] as StoreKeys)];
        for (const [writer, reader] of [
          [one, other],
          [other, one],
        ] as const) {
          const key = newKey();
          const { accessKeyId } = await publish(writer, key);
          expect((await reader.read(key)).credentials?.accessKeyId).toBe(accessKeyId);
        }
      }
    });

    test("that each have a value return the one that expires later", async () => {
      const key = newKey();
      const later = await publish(storeOf([OLD]), key, { expiresAt: Date.now() + 800_000 });
      await publish(storeOf([NEW]), key, { expiresAt: Date.now() + 700_000 });
      for (const keys of [
        [OLD, NEW],
        [NEW, OLD],
      ]) {
        const { credentials } = await storeOf(keys).read(key);
        expect(credentials?.accessKeyId).toBe(later.accessKeyId);
        await storeOf(keys).remove(key, "ASIANOBODY");
      }
      await storeOf([NEW, OLD]).remove(key, later.accessKeyId);
      expect((await storeOf([OLD]).read(key)).credentials).toBeUndefined();
      expect((await storeOf([NEW]).read(key)).credentials).toBeDefined();
    });

    test("from a function are renewed once a minute, and stay in use when it fails", async () => {
      vi.useFakeTimers({ toFake: ["Date"] });
      try {
        let keys: () => StoreKeys = () => [OLD];
        const source = vi.fn(async () => keys() as [typeof OLD]);
        const store = storeOf(source);
        const key = newKey();
        await publish(store, key);
        expect(source).toHaveBeenCalledTimes(1);
        keys = () => {
          throw new Error("the key service is down");
        };
        vi.setSystemTime(Date.now() + 60_000);
        expect((await store.read(key)).credentials).toBeDefined();
        expect((await store.read(key)).credentials).toBeDefined();
        expect(source).toHaveBeenCalledTimes(2);
        keys = () => [NEW];
        vi.setSystemTime(Date.now() + 60_000);
        await store.read(key);
        await vi.waitFor(async () => expect((await store.read(key)).credentials).toBeUndefined());
        expect(source).toHaveBeenCalledTimes(3);
      } finally {
        vi.useRealTimers();
      }
    });

    test("from a function that always failed make an operation fail with its reason", async () => {
      const store = storeOf(() => Promise.reject(new Error("no such secret")));
      await expect(store.read(newKey())).rejects.toThrow("no such secret");
      await expect(storeOf(() => []).read(newKey())).rejects.toThrow(/keys/);
    });
  });
}

describe("redisStore() refuses", () => {
  const fine = { client: { eval: async () => null }, keys: [NEW], namespace: "shop" };
  const secret = "A-secret-of-the-wrong-length";
  test.each<[string, object, RegExp]>([
    ["no client", { client: undefined }, /`client`/],
    ["a client without eval", { client: {} }, /`client`/],
    ["no keys", { keys: undefined }, /`keys`/],
    ["an empty list of keys", { keys: [] }, /`keys`/],
    ["a key that is too short", { keys: [{ id: "a", key: secret }] }, /`keys\[0\]\.key`.*32 bytes/],
    ["a key without an id", { keys: [{ key: NEW.key }] }, /`keys\[0\]\.id`/],
    ["one ID for two keys", { keys: [NEW, { ...OLD, id: NEW.id }] }, /2026-11 only once/],
    ["no namespace", { namespace: undefined }, /`namespace`/],
    ["a namespace with braces", { namespace: "a{b}" }, /`namespace`/],
  ])("%s", (_, changes, message) => {
    const make = () => redisStore({ ...fine, ...changes });
    expect(make).toThrow(TypeError);
    expect(make).toThrow(message);
    expect(make).not.toThrow(secret);
  });
});
