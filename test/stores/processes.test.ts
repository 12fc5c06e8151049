import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@redis/client";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type LocalIdp,
  type LocalSts,
  startLocalIdp,
  startLocalSts,
} from "../../src/testing/index.js";
import { leaveOut } from "../support/program.js";
import {
  freePort,
  REDIS_SERVER,
  type RedisServer,
  startRedisServer,
} from "../support/redis-server.js";
import { until } from "../support/virtual-clock.js";
import type { SharingInstructions, SharingReport } from "./sharing-process.js";

const ROLE_ARN = "arn:aws:iam::123456789012:role/app";
/** Fifty processes take their time to start on a busy machine. */
const TIMEOUT = { timeout: 120_000 };

let folder = "";
let script = "";
let idp: LocalIdp;
let sts: LocalSts;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "processes-"));
  script = join(folder, "process.mjs");
  // One file each: fifty processes that look for a thousand modules would measure that.
  await build({
    entryPoints: [join(import.meta.dirname, "sharing-process.ts")],
    outfile: script,
    bundle: true,
    platform: "node",
    format: "esm",
    mainFields: ["module", "main"],
    logLevel: "silent",
    banner: {
      js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
    },
  });
  idp = await startLocalIdp({ algorithm: "ES256" });
  sts = await startLocalSts({ providers: [idp] });
}, 60_000);

afterAll(async () => {
  await Promise.all([idp.close(), sts.close()]);
  await rm(folder, { recursive: true, force: true });
});

const calls = () =>
  sts.requests.filter(({ action }) => action === "AssumeRoleWithWebIdentity").length;

interface Member extends Disposable {
  readonly child: ChildProcess;
  /** Asks for credentials, and says how that went. */
  go(): Promise<SharingReport>;
}

type Changes = Partial<SharingInstructions>;

async function startMember(changes: Changes): Promise<Member> {
  const instructions: SharingInstructions = {
    webIdentityToken: await idp.issueToken(),
    roleArn: ROLE_ARN,
    endpoint: sts.url,
    key: randomBytes(32).toString("base64url"),
    refreshes: 1,
    ...changes,
  };
  const child = fork(script, [JSON.stringify(instructions)], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    env: { PATH: process.env.PATH, AWS_EC2_METADATA_DISABLED: "true" },
  });
  await once(child, "message");
  return {
    child,
    async go() {
      const report = once(child, "message");
      child.send("go");
      const [message] = (await report) as [SharingReport];
      return message;
    },
    [Symbol.dispose]: () => void child.kill("SIGKILL"),
  };
}

/** So many processes, some at a time: a start is work. */
async function startMembers(count: number, changes: Changes): Promise<Members> {
  sts.resetRequests();
  sts.clearFaults();
  const members: Member[] = [];
  while (members.length < count) {
    const few = Math.min(5, count - members.length);
    const started = Array.from({ length: few }, () => startMember(changes));
    members.push(...(await Promise.all(started)));
  }
  return {
    members,
    go: () => Promise.all(members.map((member) => member.go())),
    [Symbol.dispose]() {
      for (const member of members) member[Symbol.dispose]();
    },
  };
}

interface Members extends Disposable {
  readonly members: readonly Member[];
  go(): Promise<SharingReport[]>;
}

const idsOf = (reports: readonly SharingReport[]) =>
  new Set(reports.flatMap(({ accessKeyIds }) => accessKeyIds));

const key = randomBytes(32).toString("base64url");
const newDirectory = () => join(folder, randomBytes(8).toString("hex"));

describe("fifty processes with a file store", () => {
  test("ask STS once", TIMEOUT, async () => {
    using fleet = await startMembers(50, { directory: newDirectory() });
    const reports = await fleet.go();
    expect(idsOf(reports).size).toBe(1);
    expect(calls()).toBe(1);
  });
});

test("a killed process leaves no half value behind", TIMEOUT, async () => {
  const directory = newDirectory();
  sts.configure({ credentialLifetimeSeconds: 2 });
  try {
    for (let round = 0; round < 5; round += 1) {
      using fleet = await startMembers(3, { directory, refreshes: 1_000 });
      for (const { child } of fleet.members) child.send("go");
      await until(() => calls() > 0);
      for (const { child } of fleet.members) child.kill("SIGKILL");
    }
  } finally {
    sts.configure({ credentialLifetimeSeconds: 3_600 });
  }
  using fleet = await startMembers(3, { directory });
  expect(idsOf(await fleet.go()).size).toBe(1);
});

if (REDIS_SERVER === undefined) {
  leaveOut("processes that share a Redis", "redis-server");
} else {
  describe("processes with one Redis", () => {
    let redis: RedisServer;
    beforeAll(async () => {
      redis = await startRedisServer();
    });
    afterAll(() => redis[Symbol.asyncDispose]());
    const shared = () => ({ redisUrl: redis.url, key });

    async function flush(): Promise<void> {
      const client = createClient({ url: redis.url });
      await client.connect();
      await client.flushAll();
      client.destroy();
    }

    test("ask STS once when fifty start together", TIMEOUT, async () => {
      await flush();
      using fleet = await startMembers(50, shared());
      const reports = await fleet.go();
      expect(idsOf(reports).size).toBe(1);
      expect(calls()).toBe(1);
    });

    test("ask STS once for each refresh, through three lifetimes", TIMEOUT, async () => {
      await flush();
      sts.configure({ credentialLifetimeSeconds: 8 });
      try {
        using fleet = await startMembers(10, { ...shared(), refreshes: 4 });
        const reports = await fleet.go();
        expect(reports.map(({ expired }) => expired)).toEqual(reports.map(() => 0));
        expect(calls()).toBe(idsOf(reports).size);
      } finally {
        sts.configure({ credentialLifetimeSeconds: 3_600 });
      }
    });

    test("get credentials when Redis loses everything in the middle", TIMEOUT, async () => {
      await flush();
      using fleet = await startMembers(10, shared());
      sts.setFault("slow", { delayMs: 1_000 });
      const going = fleet.go();
      await until(() => calls() > 0);
      await flush();
      const reports = await going;
      expect(reports).toHaveLength(10);
      expect(calls()).toBeLessThanOrEqual(10);
    });

    test("get credentials when the holder of the lease is killed", TIMEOUT, async () => {
      await flush();
      using fleet = await startMembers(10, shared());
      using holder = await startMember(shared());
      sts.resetRequests();
      sts.failNext("slow", { delayMs: 60_000 });
      void holder.go().catch(() => {});
      await until(() => calls() === 1);
      const going = fleet.go();
      holder.child.kill("SIGKILL");
      const reports = await going;
      expect(idsOf(reports).size).toBeGreaterThanOrEqual(1);
      expect(calls()).toBeLessThanOrEqual(11);
    });

    test(
      "get credentials when Redis stops before the start or in the middle",
      TIMEOUT,
      async () => {
        for (const isMiddle of [false, true]) {
          await flush();
          using fleet = await startMembers(10, shared());
          if (!isMiddle) redis.process.kill("SIGSTOP");
          sts.setFault("slow", { delayMs: 300 });
          const going = fleet.go();
          if (isMiddle) {
            await until(() => calls() > 0);
            redis.process.kill("SIGSTOP");
          }
          const reports = await going;
          redis.process.kill("SIGCONT");
          expect(reports).toHaveLength(10);
          expect(calls()).toBeLessThanOrEqual(10);
        }
      },
    );

    test("get credentials when Redis is killed, and where none ever was", TIMEOUT, async () => {
      const doomed = await startRedisServer();
      using fleet = await startMembers(10, { redisUrl: doomed.url, key });
      await doomed[Symbol.asyncDispose]();
      expect(await fleet.go()).toHaveLength(10);
      expect(calls()).toBeLessThanOrEqual(10);
      const redisUrl = `redis://127.0.0.1:${await freePort()}`;
      using others = await startMembers(10, { redisUrl, key });
      expect(await others.go()).toHaveLength(10);
      expect(calls()).toBeLessThanOrEqual(10);
    });
  });
}
