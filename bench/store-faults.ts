import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { createClient } from "@redis/client";
import {
  type LocalIdp,
  type LocalSts,
  startLocalIdp,
  startLocalSts,
} from "../src/testing/index.js";
import { ROLE_ARN } from "./in-process.js";
import { figure, type PartResult, type Promised, ratio } from "./report.js";
import { median } from "./sampling.js";
import {
  freePort,
  REDIS_SERVER,
  type RedisServer,
  startRedisServer,
} from "./support/redis-server.js";
import type { SharingInstructions } from "./support/sharing-process.js";
import {
  buildSharingProcess,
  type ProcessStarter,
  type SharingProcess,
} from "./support/sharing-processes.js";

/*
 * Fifty real processes call their providers at the same moment, with and without a store, while Redis or
 * the process with the lease fails. All rows alternate with the same processes, so that they run under the
 * same conditions; the limits compare rows of one run.
 */

const PROCESSES = 50;
const ROUNDS = 3;
/** The time after which STS responds, in milliseconds: long enough for a fault to happen in between. */
const STS_MS = 300;
const MAX_ADDED_MS = 500;

/** The fault of one row. */
interface World {
  readonly name: string;
  /** Called for each round; the functions that it returns run in this round. */
  readonly begin: (place: Place) => Promise<Round>;
  readonly limit?: Limit;
}

interface Round {
  readonly members?: readonly SharingProcess[];
  readonly store: Pick<SharingInstructions, "directory" | "redisUrl">;
  /** After all processes are ready and before they call. */
  readonly before?: () => unknown;
  /** When the first STS call has arrived. */
  readonly middle?: () => unknown;
  readonly after?: () => unknown;
}

/** The longest wait that a row may have, from the rows that it is compared with. */
interface Limit {
  readonly words: string;
  readonly maxMs: (longestOf: (name: string) => number) => number;
}

const AS_ALONE: Limit = {
  words: "1.5 × one process + 0.5 s",
  maxMs: (longestOf) => 1.5 * longestOf(ALONE) + MAX_ADDED_MS,
};
const AS_WITHOUT: Limit = {
  words: "50 without a store + 0.5 s",
  maxMs: (longestOf) => longestOf(NO_STORE) + MAX_ADDED_MS,
};
const IN_SIX_SECONDS: Limit = { words: "6 s", maxMs: () => 6_000 };

const ALONE = "one process, no store";
const NO_STORE = "50 processes, no store";

interface Place {
  readonly idp: LocalIdp;
  readonly sts: LocalSts;
  readonly redis: RedisServer;
  readonly program: ProcessStarter;
  readonly members: readonly SharingProcess[];
  readonly folder: string;
}

const newDirectory = ({ folder }: Place) => join(folder, randomBytes(8).toString("hex"));
const KEY = randomBytes(32).toString("base64url");

const WORLDS: readonly World[] = [
  {
    name: ALONE,
    begin: async ({ members }) => ({ members: members.slice(0, 1), store: {} }),
  },
  { name: NO_STORE, begin: async () => ({ store: {} }) },
  {
    name: "file store",
    begin: async (place) => ({ store: { directory: newDirectory(place) } }),
    limit: AS_ALONE,
  },
  {
    name: "file store, the holder was killed",
    begin: async (place) => {
      const store = { directory: newDirectory(place) };
      return { store, before: () => killHolder(place, store) };
    },
    limit: IN_SIX_SECONDS,
  },
  { name: "Redis", begin: withRedis(), limit: AS_ALONE },
  {
    name: "Redis, the holder was killed",
    begin: async (place) => {
      const { store } = await withRedis()(place);
      return { store, before: () => killHolder(place, store) };
    },
    limit: IN_SIX_SECONDS,
  },
  {
    name: "Redis is stopped before the start",
    begin: withRedis(({ redis }) => ({
      before: () => redis.process.kill("SIGSTOP"),
      after: () => redis.process.kill("SIGCONT"),
    })),
    limit: AS_WITHOUT,
  },
  {
    name: "Redis is stopped in the middle",
    begin: withRedis(({ redis }) => ({
      middle: () => redis.process.kill("SIGSTOP"),
      after: () => redis.process.kill("SIGCONT"),
    })),
    limit: AS_WITHOUT,
  },
  {
    name: "Redis loses everything in the middle",
    begin: withRedis((place) => ({ middle: () => flush(place) })),
    limit: AS_WITHOUT,
  },
  {
    name: "Redis is killed before the start",
    begin: async () => {
      const doomed = await startRedisServer();
      return {
        store: { redisUrl: doomed.url },
        before: () => doomed[Symbol.asyncDispose](),
      };
    },
    limit: AS_WITHOUT,
  },
  {
    name: "no Redis at that port",
    begin: async () => ({ store: { redisUrl: `redis://127.0.0.1:${await freePort()}` } }),
    limit: AS_WITHOUT,
  },
];

function withRedis(faults: (place: Place) => Omit<Round, "store"> = () => ({})) {
  return async (place: Place): Promise<Round> => {
    await flush(place);
    return { store: { redisUrl: place.redis.url }, ...faults(place) };
  };
}

interface Measured {
  /** The longest wait of each round, in milliseconds. */
  readonly longestMs: number[];
  /** All waits. */
  readonly ms: number[];
  readonly calls: number[];
}

/** Fifty processes with a store that fails in every way. */
export async function storeFaultsPart(): Promise<PartResult> {
  if (REDIS_SERVER === undefined) throw new Error("this part needs a redis-server on the PATH");
  await using idp = await startLocalIdp({ algorithm: "ES256" });
  await using sts = await startLocalSts({ providers: [idp] });
  await using redis = await startRedisServer();
  using program = await buildSharingProcess();
  const folder = mkdtempSync(join(tmpdir(), "store-faults-"));
  const members = await program.startMany(PROCESSES);
  const place: Place = { idp, sts, redis, program, members, folder };
  const results = new Map<string, Measured>(
    WORLDS.map(({ name }) => [name, { longestMs: [], ms: [], calls: [] }]),
  );
  try {
    // The first round loads the SDK in every process.
    for (let round = -1; round < ROUNDS; round += 1) {
      for (const world of WORLDS) {
        const { ms, calls } = await runRound(place, await world.begin(place));
        const measured = results.get(world.name);
        if (round < 0 || measured === undefined) continue;
        measured.longestMs.push(Math.max(...ms));
        measured.ms.push(...ms);
        measured.calls.push(calls);
      }
    }
  } finally {
    for (const member of members) member[Symbol.dispose]();
    rmSync(folder, { recursive: true, force: true });
  }
  const of = (name: string) => results.get(name) as Measured;
  return {
    tables: [
      {
        title: `Stores: ${PROCESSES} processes call at the same moment`,
        note: `From the request to the credentials, in processes that have loaded the SDK; STS responds after ${STS_MS} ms. ${ROUNDS} rounds, alternating.`,
        columns: [
          "",
          "median wait",
          "longest wait (median of the rounds)",
          "/ no store",
          "STS calls",
        ],
        rows: WORLDS.map(({ name }) => {
          const { ms, longestMs, calls } = of(name);
          return [
            name,
            figure(median(ms), "ms"),
            figure(median(longestMs), "ms"),
            ratio(median(longestMs), median(of(NO_STORE).longestMs)),
            calls.join(", "),
          ];
        }),
      },
    ],
    promises: WORLDS.flatMap(({ name, limit }) => (limit ? [promise(name, limit, of)] : [])),
  };
}

function promise(name: string, limit: Limit, of: (name: string) => Measured): Promised {
  const longestOf = (other: string) => median(of(other).longestMs);
  const maxMs = limit.maxMs(longestOf);
  return {
    what: `all ${PROCESSES} have credentials: ${name}`,
    limit: `≤ ${limit.words} = ${figure(maxMs, "ms")}`,
    measured: figure(longestOf(name), "ms"),
    kept: longestOf(name) <= maxMs,
  };
}

async function runRound(
  { idp, sts, members: all }: Place,
  { members = all, store, before, middle, after }: Round,
) {
  const webIdentityToken = await idp.issueToken();
  const instructions = {
    webIdentityToken,
    roleArn: ROLE_ARN,
    endpoint: sts.url,
    key: KEY,
    refreshes: 1,
    ...store,
  };
  await Promise.all(members.map((member) => member.prepare(instructions)));
  await before?.();
  sts.resetRequests();
  sts.clearFaults();
  sts.setFault("slow", { delayMs: STS_MS });
  const asking = Promise.all(members.map((member) => member.go()));
  if (middle !== undefined) {
    while (callsOf(sts) === 0) await setTimeout(5);
    await middle();
  }
  const reports = await asking;
  await after?.();
  return { ms: reports.map(({ ms }) => ms), calls: callsOf(sts) };
}

/** A process claims the lease, and is killed while STS does not respond to it. */
async function killHolder({ idp, sts, program }: Place, store: Round["store"]): Promise<void> {
  using holder = await program.start();
  const webIdentityToken = await idp.issueToken();
  await holder.prepare({
    webIdentityToken,
    roleArn: ROLE_ARN,
    endpoint: sts.url,
    key: KEY,
    refreshes: 1,
    ...store,
  });
  sts.resetRequests();
  sts.clearFaults();
  sts.failNext("slow", { delayMs: 60_000 });
  void holder.go().catch(() => {});
  while (callsOf(sts) === 0) await setTimeout(5);
}

async function flush({ redis }: Place): Promise<void> {
  const client = await createClient({ url: redis.url }).connect();
  await client.flushAll();
  client.destroy();
}

function callsOf({ requests }: LocalSts): number {
  return requests.filter(({ action }) => action === "AssumeRoleWithWebIdentity").length;
}
