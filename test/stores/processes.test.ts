import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@redis/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  freePort,
  REDIS_SERVER,
  type RedisServer,
  startRedisServer,
} from "../../bench/support/redis-server.js";
import type { SharingInstructions } from "../../bench/support/sharing-process.js";
import {
  buildSharingProcess,
  type ProcessStarter,
  type SharingProcess,
} from "../../bench/support/sharing-processes.js";
import { fileStore } from "../../src/stores/index.js";
import {
  type LocalIdp,
  type LocalSts,
  startLocalIdp,
  startLocalSts,
} from "../../src/testing/index.js";
import { leaveOut } from "../support/program.js";
import { until } from "../support/virtual-clock.js";

const ROLE_ARN = "arn:aws:iam::123456789012:role/app";
const COUNT = 50;
/** Many processes need much time on a busy machine. */
const TIMEOUT = { timeout: 180_000 };

let folder = "";
let idp: LocalIdp;
let sts: LocalSts;
let program: ProcessStarter;
/** All tests use the same processes: most of a process's work is its start. */
let processes: SharingProcess[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "processes-"));
  idp = await startLocalIdp({ algorithm: "ES256" });
  sts = await startLocalSts({ providers: [idp] });
  program = await buildSharingProcess();
  processes = await program.startMany(COUNT);
}, TIMEOUT.timeout);

afterAll(async () => {
  for (const each of processes) each[Symbol.dispose]();
  program[Symbol.dispose]();
  await Promise.all([idp.close(), sts.close()]);
  await rm(folder, { recursive: true, force: true });
});

const calls = () =>
  sts.requests.filter(({ action }) => action === "AssumeRoleWithWebIdentity").length;

const key = randomBytes(32).toString("base64url");
const newDirectory = () => join(folder, randomBytes(8).toString("hex"));

async function prepare(
  members: readonly SharingProcess[],
  changes: Partial<SharingInstructions>,
): Promise<void> {
  const instructions: SharingInstructions = {
    webIdentityToken: await idp.issueToken(),
    ...{ roleArn: ROLE_ARN, endpoint: sts.url, key, refreshes: 1 },
    ...changes,
  };
  await Promise.all(members.map((member) => member.prepare(instructions)));
  sts.resetRequests();
  sts.clearFaults();
}

/** All processes request credentials at the same time. */
async function refreshAll(members: readonly SharingProcess[] = processes) {
  const reports = await Promise.all(members.map((member) => member.go()));
  return {
    count: reports.length,
    ids: new Set(reports.flatMap(({ accessKeyIds }) => accessKeyIds)).size,
    expired: reports.filter(({ expired }) => expired > 0).length,
    failures: reports.flatMap(({ failures }) => failures),
  };
}

async function withLifetime<T>(seconds: number, work: () => Promise<T>): Promise<T> {
  sts.configure({ credentialLifetimeSeconds: seconds });
  try {
    return await work();
  } finally {
    sts.configure({ credentialLifetimeSeconds: 3_600 });
  }
}

describe("many processes with a file store", () => {
  test("call STS once", TIMEOUT, async () => {
    await prepare(processes, { directory: newDirectory() });
    expect(await refreshAll()).toEqual({ count: COUNT, ids: 1, expired: 0, failures: [] });
    expect(calls()).toBe(1);
  });

  test("have credentials when the holder of the lease is killed", TIMEOUT, async () => {
    const directory = newDirectory();
    await killHolder({ directory });
    await prepare(processes, { directory });
    expect(await refreshAll()).toMatchObject({ count: COUNT, failures: [] });
    expect(calls()).toBe(1);
  });

  test(
    "never see half a value when writers are killed in the middle of a write",
    TIMEOUT,
    async () => {
      const directory = newDirectory();
      const [first] = processes as [SharingProcess];
      await prepare([first], { directory });
      await refreshAll([first]);
      const { store, value } = await stored(directory);
      for (let round = 0; round < 3; round += 1) {
        const writers = await program.startMany(4);
        for (const { child } of writers) child.send({ writeTo: directory, value });
        const seen = new Set<number | undefined>();
        while (seen.size < 30) {
          const { credentials, problem } = await store.read(value.key);
          expect([problem, credentials?.accessKeyId]).toEqual([undefined, value.accessKeyId]);
          seen.add(credentials?.expiresAt);
        }
        for (const { child } of writers) child.kill("SIGKILL");
      }
      await prepare(processes, { directory });
      expect(await refreshAll()).toEqual({ count: COUNT, ids: 1, expired: 0, failures: [] });
      expect(calls()).toBe(0);
    },
  );
});

/** A process claims the lease, and is killed while it waits for STS. */
async function killHolder(changes: Partial<SharingInstructions>): Promise<void> {
  using holder = await program.start();
  await prepare([holder], changes);
  sts.failNext("slow", { delayMs: 60_000 });
  void holder.go().catch(() => {});
  await until(() => calls() === 1);
}

/** The only value in a directory: it is published after its process has reported. */
async function stored(directory: string) {
  const store = fileStore({ directory });
  for (;;) {
    const names = await readdir(directory);
    const name = names.find((each) => each.endsWith(".credentials.json"));
    const { credentials } = await store.read(name?.split(".")[0] ?? "none");
    if (credentials !== undefined) return { store, value: credentials };
  }
}

if (REDIS_SERVER === undefined) {
  leaveOut("processes that share a Redis", "redis-server");
} else {
  describe("many processes with one Redis", () => {
    let redis: RedisServer;
    beforeAll(async () => {
      redis = await startRedisServer();
    });
    afterAll(() => redis[Symbol.asyncDispose]());

    async function prepareAll(changes: Partial<SharingInstructions> = {}): Promise<void> {
      await flush();
      await prepare(processes, { redisUrl: redis.url, ...changes });
    }

    async function flush(): Promise<void> {
      const client = createClient({ url: redis.url });
      await client.connect();
      await client.flushAll();
      client.destroy();
    }

    test("call STS once", TIMEOUT, async () => {
      await prepareAll();
      expect(await refreshAll()).toEqual({ count: COUNT, ids: 1, expired: 0, failures: [] });
      expect(calls()).toBe(1);
    });

    test("call STS once for each refresh, through three lifetimes", TIMEOUT, async () => {
      await withLifetime(6, async () => {
        await prepareAll({ refreshes: 4 });
        const { count, ids, expired } = await refreshAll();
        expect([count, expired]).toEqual([COUNT, 0]);
        expect(calls()).toBe(ids);
      });
    });

    test("have credentials when Redis loses everything during the lease", TIMEOUT, async () => {
      await prepareAll();
      sts.setFault("slow", { delayMs: 1_000 });
      const refreshing = refreshAll();
      await until(() => calls() > 0);
      await flush();
      expect((await refreshing).count).toBe(COUNT);
      // The lease is gone too: a second process claims it.
      expect(calls()).toBeLessThanOrEqual(2);
    });

    test("have credentials when the holder of the lease is killed", TIMEOUT, async () => {
      await flush();
      await killHolder({ redisUrl: redis.url });
      await prepare(processes, { redisUrl: redis.url });
      expect(await refreshAll()).toMatchObject({ count: COUNT, ids: 1, failures: [] });
      expect(calls()).toBe(1);
    });

    test("have credentials when Redis stops before the start", TIMEOUT, async () => {
      await prepareAll();
      redis.process.kill("SIGSTOP");
      const { count } = await refreshAll();
      redis.process.kill("SIGCONT");
      expect(count).toBe(COUNT);
      expect(calls()).toBeLessThanOrEqual(COUNT);
    });

    test("have credentials when Redis stops in the middle", TIMEOUT, async () => {
      await prepareAll();
      sts.setFault("slow", { delayMs: 300 });
      const refreshing = refreshAll();
      await until(() => calls() > 0);
      redis.process.kill("SIGSTOP");
      const { count } = await refreshing;
      redis.process.kill("SIGCONT");
      expect(count).toBe(COUNT);
      expect(calls()).toBeLessThanOrEqual(COUNT);
    });

    test("have credentials when Redis is killed after they connected", TIMEOUT, async () => {
      const doomed = await startRedisServer();
      await prepare(processes, { redisUrl: doomed.url });
      await doomed[Symbol.asyncDispose]();
      expect((await refreshAll()).count).toBe(COUNT);
      expect(calls()).toBeLessThanOrEqual(COUNT);
    });

    test("have credentials when there is no Redis", TIMEOUT, async () => {
      await prepare(processes, { redisUrl: `redis://127.0.0.1:${await freePort()}` });
      expect((await refreshAll()).count).toBe(COUNT);
      expect(calls()).toBeLessThanOrEqual(COUNT);
    });
  });
}
