import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, readdir } from "node:fs/promises";
import { createClient } from "@redis/client";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Memory, memoryStore } from "../../bench/support/memory-store.js";
import {
  REDIS_SERVER,
  type RedisServer,
  startRedisServer,
} from "../../bench/support/redis-server.js";
import { storeFindings } from "../../src/doctor/conclude-store.js";
import { diagnose } from "../../src/doctor/diagnose.js";
import type { StoreFacts } from "../../src/doctor/diagnosis.js";
import { gatherStore } from "../../src/doctor/gather-store.js";
import { Run } from "../../src/doctor/run.js";
import type { CredentialStore } from "../../src/model/credential-store.js";
import type { Finding } from "../../src/model/findings.js";
import { resolveHost } from "../../src/preflight/guarded-lookup.js";
import { systemClock } from "../../src/runtime/clock.js";
import { fileStore, redisStore } from "../../src/stores/index.js";
import { ClientPool } from "../../src/sts/client-pool.js";
import { healthy, Site } from "../support/matrix-world.js";
import { leaveOut } from "../support/program.js";
import { ROOT } from "../support/sources.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { sampleFacts } from "./sample-facts.js";

interface Checked {
  readonly facts: StoreFacts;
  readonly findings: readonly Finding[];
}

/** What the doctor finds about a store. */
async function check(store: CredentialStore): Promise<Checked> {
  const seams = { clock: systemClock, env: {} };
  const pool = new ClientPool({ ...seams, random: Math.random });
  const runtime = { ...seams, resolve: resolveHost, pool };
  const { signal } = new AbortController();
  const run = new Run({ runtime, signal, timeoutMs: 18_000, onProgress: undefined });
  const facts = await gatherStore(run, store);
  return { facts, findings: storeFindings(sampleFacts({ store: facts })) };
}

/** An object whose fields throw when they are read. */
const hostile = () =>
  new Proxy(
    {},
    {
      get(_, name) {
        // A promise looks for it.
        if (name === "then") return undefined;
        throw new Error("hostile");
      },
    },
  );

const shown = ({ findings }: Checked) => findings.map(({ id, severity }) => `${severity} ${id}`);

const keyOf = (byte: number) => Buffer.alloc(32, byte).toString("base64url");
const OURS = [{ id: "2026-11", key: keyOf(1) }];

test("diagnose() checks the store that it is given, and reports it among the facts", async () => {
  await using site = new Site();
  using folder = temporaryFolder();
  const { options } = await healthy(site);
  const store = fileStore({ directory: folder.path });
  const { verdict, facts } = await diagnose({ ...options, env: {}, store });
  expect(verdict).toBe("healthy");
  expect(facts.store).toMatchObject({ name: "file", place: folder.path, violations: [] });
  expect(facts.store?.operations.map(({ operation }) => operation)).toEqual([
    ...["read", "claim", "claim", "extend", "publish", "read", "remove", "release", "read"],
  ]);
  expect(await readdir(folder.path)).toEqual([]);
});

test("diagnose() refuses a store that lacks an operation", async () => {
  const { read, ...rest } = memoryStore(new Memory());
  const store = rest as unknown as CredentialStore;
  await expect(diagnose({ store, env: {} })).rejects.toThrow("`store` to be a store");
});

describe("a store of the caller's own", () => {
  test("passes if it keeps the contract, and needs no more than that", async () => {
    const { facts, findings } = await check(memoryStore(new Memory()));
    expect(findings).toEqual([]);
    expect(facts.place).toBeUndefined();
  });

  test.each<[string, Partial<CredentialStore>]>([
    ["it granted a second lease", { claim: async (key) => ({ key, owner: "a", fence: 1 }) }],
    ["it granted no lease", { claim: async () => undefined }],
    ["it granted no lease", { claim: async () => null as never }],
    ["it returned no entry", { read: async () => undefined as never }],
    ["it returned no entry", { read: async () => null as never }],
    ["it did not return what was published", { read: async () => hostile() as never }],
    ["did not return", { read: async () => ({ isLeased: true, credentials: hostile() }) as never }],
    ["did not return", { read: async () => ({ isLeased: true, problem: 5 }) as never }],
    ["it did not extend a lease", { extend: async () => false }],
    ["it did not store a value", { publish: async () => false }],
    ["it did not return what was published", { publish: async () => true }],
    ["it returned credentials that were removed", { remove: async () => {} }],
    ["it reported a lease that was released", { release: async () => {} }],
  ])("that breaks the contract is reported: %s", async (words, changes) => {
    const { findings } = await check({ ...memoryStore(new Memory()), ...changes });
    expect(findings.map(({ id }) => id)).toEqual(["store-broken"]);
    expect(findings[0]?.detail).toContain(words);
  });
});

describe("a store that describes itself", () => {
  const describedBy = async (inspection: unknown) => {
    const store = { ...memoryStore(new Memory()), forget: async () => {} };
    return await check(Object.assign(store, { inspect: async () => inspection }));
  };

  test.each<[string, unknown]>([
    ["as null", null],
    ["as a number", 5],
    ["as an object whose fields throw", hostile()],
    ["with fields of other types", { place: 5, clockSkewMs: "x", keyIds: 5, sample: {} }],
    ["with lists of other types", { keyIds: [5, null], sample: [null, { keyId: {}, count: "1" }] }],
  ])("%s is checked without the description", async (_, inspection) => {
    const { facts, findings } = await describedBy(inspection);
    expect(findings).toEqual([]);
    expect(facts.violations).toEqual([]);
    const { place, clockSkewMs, keyIds = [], sample = [] } = facts;
    expect([place, clockSkewMs, keyIds, sample]).toEqual([undefined, undefined, [], []]);
  });

  test("in more entries than a report can show is cut", async () => {
    const many = { keyIds: Array(500).fill("id"), sample: Array(500).fill({ count: 1 }) };
    const { keyIds, sample } = (await describedBy(many)).facts;
    expect([keyIds?.length, sample?.length]).toEqual([40, 40]);
  });

  test("by something that is no function is checked without the description", async () => {
    const store = Object.assign(memoryStore(new Memory()), { inspect: 5, forget: 5 });
    expect((await check(store)).findings).toEqual([]);
  });
});

describe("a file store", () => {
  type Row = [words: string, spoil: (path: string) => Promise<unknown>, detail: RegExp];
  const OF_ANOTHER: Row = [
    "belongs to another user",
    (path) => chown(path, 65_534, 65_534),
    /65534/,
  ];

  test.each<Row>([
    ["is open to other users", (path) => chmod(path, 0o755), /chmod go-rwx/],
    // Only root may give a directory away.
    ...(process.getuid?.() === 0 ? [OF_ANOTHER] : []),
  ])("in a directory that %s is unsafe", async (words, spoil, detail) => {
    using folder = temporaryFolder();
    await spoil(folder.path);
    const checked = await check(fileStore({ directory: folder.path }));
    expect(shown(checked)).toEqual(["suspect store-directory-unsafe"]);
    expect(checked.findings[0]?.detail).toContain(words);
    expect(checked.findings[0]?.detail).toMatch(detail);
  });

  const NAMESPACE = [...(process.getuid?.() === 0 ? [] : ["--map-root-user"]), "--mount"];
  const MOUNT = "mount -t tmpfs -o size=8k,mode=700 none";

  /** What the doctor finds in a directory that is a file system of its own. */
  function checkMounted(path: string, prepare: string) {
    const program = `${process.execPath} --import tsx test/doctor/store-process.ts ${path}`;
    const script = `${MOUNT} ${path} && ${prepare} && exec ${program}`;
    return spawnSync("unshare", [...NAMESPACE, "sh", "-c", script], { cwd: ROOT });
  }

  const canMount = spawnSync("unshare", [...NAMESPACE, "sh", "-c", `${MOUNT} /tmp`]).status === 0;
  if (canMount) {
    test.each([
      ["full", "head -c 8192 /dev/zero > PATH/a", "The disk of the store's directory is full."],
      [
        "read-only",
        "mount -o remount,ro PATH",
        "The store's directory is on a read-only file system.",
      ],
    ])("on a disk that is %s can't be written", async (_, prepare, title) => {
      using folder = temporaryFolder();
      const { stdout } = checkMounted(folder.path, prepare.replace("PATH", folder.path));
      expect(JSON.parse(stdout.toString())).toMatchObject([{ id: "store-not-writable", title }]);
    });
  } else {
    leaveOut("full and read-only disks", "unshare");
  }
});

if (REDIS_SERVER === undefined) {
  leaveOut("the doctor's check of Redis", "redis-server");
} else {
  describe("a Redis store", () => {
    let redis: RedisServer;
    let admin: Awaited<ReturnType<typeof connect>>;
    const connect = (url: string) => createClient({ url }).connect();
    beforeAll(async () => {
      redis = await startRedisServer();
      admin = await connect(redis.url);
    });
    afterAll(async () => {
      admin.destroy();
      await redis[Symbol.asyncDispose]();
    });
    beforeEach(() => admin.flushAll());

    const storeOf = (client: typeof admin, keys = OURS) =>
      redisStore({ client, keys, namespace: "shop" });

    async function publishWith(keys: typeof OURS) {
      const store = storeOf(admin, keys);
      const key = "k".repeat(43);
      const lease = await store.claim(key, 1_000);
      if (lease === undefined) throw new Error("the lease is held");
      const times = { issuedAt: Date.now(), expiresAt: Date.now() + 60_000 };
      const secrets = { accessKeyId: "ASIA", secretAccessKey: "s" };
      const value = { kind: "credentials", key, roleArn: "r", ...times, ...secrets } as const;
      await store.publish(value, lease, 60_000);
    }

    /** The store of a Redis user who may do this much. */
    async function as(...rules: string[]) {
      await admin.sendCommand(["ACL", "SETUSER", "app", "reset", "on", ">pw", ...rules]);
      const client = await connect(redis.url.replace("//", "//app:pw@"));
      return {
        store: storeOf(client),
        [Symbol.dispose]: () => client.destroy(),
      };
    }

    test("that works leaves nothing behind, and shows its namespace, clock and keys", async () => {
      const keys = [...OURS, { id: "2026-10", key: keyOf(2) }];
      const { facts, findings } = await check(storeOf(admin, keys));
      expect(findings).toEqual([]);
      expect(facts).toMatchObject({ place: "shop", keyIds: ["2026-11", "2026-10"], sample: [] });
      expect(Math.abs(facts.clockSkewMs ?? Number.NaN)).toBeLessThan(5_000);
      expect(await admin.keys("*")).toEqual([]);
    });

    test("shows that what is stored can be decrypted, and never decrypts it into the facts", async () => {
      await publishWith(OURS);
      const { facts, findings } = await check(storeOf(admin));
      expect(findings).toEqual([]);
      expect(facts.sample).toEqual([{ keyId: "2026-11", count: 1 }]);
      expect(JSON.stringify(facts)).not.toContain("ASIA");
    });

    test("with values of a key that this machine lacks is advised to add the key", async () => {
      await publishWith([{ id: "2026-12", key: keyOf(3) }]);
      const checked = await check(storeOf(admin));
      expect(shown(checked)).toEqual(["advice store-key-unknown"]);
      expect(checked.findings[0]?.remedy).toContain("add the key 2026-12 behind the others");
    });

    test("with values of a wrong key under the same ID is suspected", async () => {
      await publishWith([{ id: "2026-11", key: keyOf(4) }]);
      const checked = await check(storeOf(admin));
      expect(shown(checked)).toEqual(["suspect store-key-unknown"]);
      expect(checked.findings[0]?.title).toContain("a different key of the same ID");
    });

    test("needs no other permissions than the documented ones", async () => {
      const commands = ["eval", "exists", "get", "set", "del", "pexpire", "pttl"];
      const rules = [...commands, "hget", "hmget", "hset"].map((command) => `+${command}`);
      using user = await as("~shop:*", ...rules, "+@connection");
      expect(shown(await check(user.store))).toEqual([]);
    });

    test.each([
      ["may only read", ["~*", "+@read", "+eval", "+@connection"]],
      ["may not run scripts", ["~*", "+@all", "-@scripting"]],
      ["may not use the names of the namespace", ["~other:*", "+@all"]],
    ])("whose user %s lacks permissions", async (_, rules) => {
      using user = await as(...rules);
      const checked = await check(user.store);
      expect(shown(checked)).toEqual(["suspect store-access-denied"]);
      expect(checked.findings[0]?.remedy).toContain("+eval");
    });

    test("whose password is wrong rejects it", async () => {
      const client = createClient({ url: redis.url.replace("//", "//default:wrong@") });
      await admin.sendCommand(["ACL", "SETUSER", "default", "on", "resetpass", ">right"]);
      client.connect().catch(() => {});
      // What the command line reports, too: the client itself never stops connecting.
      const [error] = await once(client, "error");
      client.on("error", () => {});
      client.destroy();
      await admin.sendCommand(["ACL", "SETUSER", "default", "on", "nopass"]);
      const checked = await check({
        ...memoryStore(new Memory()),
        read: () => Promise.reject(error),
      });
      expect(shown(checked)).toEqual(["suspect store-access-denied"]);
      expect(checked.findings[0]?.title).toBe("Redis rejects the user name or the password.");
    });

    test("that has no memory left, or is a replica, can't be written", async () => {
      await admin.configSet("maxmemory", "1");
      const full = await check(storeOf(admin));
      await admin.configSet("maxmemory", "0");
      expect(shown(full)).toEqual(["suspect store-not-writable"]);
      await admin.sendCommand(["REPLICAOF", "127.0.0.1", "1"]);
      const replica = await check(storeOf(admin));
      await admin.sendCommand(["REPLICAOF", "NO", "ONE"]);
      expect(shown(replica)).toEqual(["suspect store-not-writable"]);
      expect(replica.findings[0]?.title).toContain("read-only replica");
    });

    test("whose server is stopped does not respond", async () => {
      redis.process.kill("SIGSTOP");
      const checked = await check(storeOf(admin));
      redis.process.kill("SIGCONT");
      expect(shown(checked)).toEqual(["suspect store-unreachable"]);
      expect(checked.facts.failed).toMatchObject({ operation: "read", code: "timeout" });
    });
  });
}
