import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@redis/client";
import { Redis } from "ioredis";
import { fromWebToken } from "../src/index.js";
import type { CredentialStore } from "../src/model/credential-store.js";
import { fileStore, redisStore } from "../src/stores/index.js";
import { nanoseconds } from "./cached-call.js";
import { type Place, REGION, ROLE_ARN, startPlace } from "./in-process.js";
import { figure, type PartResult, type Promised, ratio } from "./report.js";
import { median, quantile, takeTurns, timed } from "./sampling.js";
import { REDIS_SERVER, startRedisServer } from "./support/redis-server.js";

const READS = 2_000;
const ROUNDS = 300;
const CALLS = 2_000;
const MOST_READ_MS = 5;
/** The difference between two functions that do the same. */
const MOST_ADDED = 1.1;
/** STS's session tokens have about a thousand characters. */
const TOKEN_BYTES = 750;

const KEYS = [{ id: "k", key: randomBytes(32) }];
const NAMESPACE = "bench";
const FLOOR = "floor (GET of as many bytes by @redis/client)";

/** What a shared store costs: a read that finds credentials, and a call that finds them cached. */
export async function storesPart(): Promise<PartResult> {
  await using place = await startPlace();
  const folder = mkdtempSync(join(tmpdir(), "bench-stores-"));
  try {
    const file = fileStore({ directory: join(folder, "store") });
    const rows = await readHits({ file: reader(await filled(file)) });
    const cached = [await cachedCalls(place, file)];
    if (REDIS_SERVER === undefined) {
      console.log("\nThe Redis store is left out: there is no redis-server on the PATH.");
      return { tables: [table(rows)], promises: [...cached] };
    }
    await using redis = await startRedisServer();
    const client = await createClient({ url: redis.url }).connect();
    const ioredis = new Redis(redis.url);
    const [nodeRedisStore, ioredisStore] = [client, ioredis].map((each) =>
      redisStore({ client: each, keys: KEYS, namespace: NAMESPACE }),
    ) as [CredentialStore, CredentialStore];
    await client.set("floor", randomBytes(TOKEN_BYTES).toString("base64"));
    const hits = await readHits({
      [FLOOR]: () => client.get("floor"),
      "Redis by @redis/client": reader(await filled(nodeRedisStore)),
      "Redis by ioredis": reader(await filled(ioredisStore)),
    });
    rows.push(...hits);
    cached.push(await cachedCalls(place, nodeRedisStore));
    client.destroy();
    ioredis.disconnect();
    return {
      tables: [table(rows)],
      promises: [...readPromises(hits), ...cached],
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface ReadHits {
  readonly name: string;
  readonly ms: readonly number[];
}

/** A store that contains credentials. */
async function filled(store: CredentialStore) {
  const key = randomBytes(32).toString("base64url");
  const now = Date.now();
  const value = {
    kind: "credentials" as const,
    key,
    roleArn: ROLE_ARN,
    issuedAt: now,
    expiresAt: now + 3_600_000,
    accessKeyId: "ASIABENCH",
    secretAccessKey: randomBytes(30).toString("base64"),
    sessionToken: randomBytes(TOKEN_BYTES).toString("base64"),
    region: REGION,
  };
  await store.publish(value, undefined, 3_600_000);
  return { store, key };
}

function reader({ store, key }: { readonly store: CredentialStore; readonly key: string }) {
  return async () => {
    const { credentials } = await store.read(key);
    if (credentials === undefined) throw new Error(`${store.name}: nothing was read`);
  };
}

/** Alternates, so that all of them run under the same conditions. */
async function readHits(reads: Readonly<Record<string, () => Promise<unknown>>>) {
  for (let warmUp = 0; warmUp < 100; warmUp += 1) {
    for (const read of Object.values(reads)) await read();
  }
  const contenders = Object.entries(reads).map(
    ([name, read]) => [name, () => timed(read)] as const,
  );
  const samples = await takeTurns(Object.fromEntries(contenders), READS);
  return Object.entries(samples).map(([name, ms]): ReadHits => ({ name, ms }));
}

const SHARES = [0, 0.5, 0.95, 0.99, 1];

function table(rows: readonly ReadHits[]) {
  return {
    title: "Stores: a read that finds credentials",
    note: `${figure(READS)} sequential reads each, alternating, of a store on this machine; decryption and checks included.`,
    columns: ["", "min", "median", "p95", "p99", "max"],
    rows: rows.map(({ name, ms }) => [
      name,
      ...SHARES.map((share) => figure(quantile(ms, share), "ms")),
    ]),
  };
}

function readPromises([floor, ...hits]: readonly ReadHits[]): Promised[] {
  return hits.map(({ name, ms }) => {
    const p99 = quantile(ms, 0.99);
    return {
      what: `a read hit, ${name}, p99`,
      limit: `≤ ${MOST_READ_MS} ms`,
      measured: `${figure(p99, "ms")} (${ratio(p99, quantile(floor?.ms ?? [], 0.99))} the floor's)`,
      kept: p99 <= MOST_READ_MS,
    };
  });
}

/** A provider with a store and one without, while both have credentials. */
async function cachedCalls(place: Place, store: CredentialStore): Promise<Promised> {
  let operations = 0;
  const counting = new Proxy(store, {
    get(target, name: keyof CredentialStore) {
      const member = target[name];
      if (typeof member !== "function") return member;
      operations += 1;
      return member.bind(target);
    },
  });
  const webIdentityToken = await place.idp.issueToken();
  const init = {
    webIdentityToken,
    roleArn: ROLE_ARN,
    preflight: "off" as const,
    clientConfig: { endpoint: place.sts.url, region: REGION },
  };
  await using shared = fromWebToken({ ...init, store: counting });
  await using alone = fromWebToken(init);
  await shared();
  await alone();
  // The provider publishes credentials after the caller has them.
  await new Promise((resolve) => setTimeout(resolve, 200));
  const before = operations;
  const samples = await takeTurns(
    {
      shared: () => nanoseconds(shared, CALLS),
      alone: () => nanoseconds(alone, CALLS),
    },
    ROUNDS,
  );
  const used = operations - before;
  const byMin = quantile(samples.shared, 0) / quantile(samples.alone, 0);
  return {
    what: `a cached call of a provider with a store (${store.name})`,
    limit: `no store operation, ≤ ${MOST_ADDED.toFixed(2)}× without`,
    measured: `${used} store operations, ${ratio(quantile(samples.shared, 0), quantile(samples.alone, 0))} by minimum, ${ratio(median(samples.shared), median(samples.alone))} by median`,
    kept: used === 0 && byMin <= MOST_ADDED,
  };
}
