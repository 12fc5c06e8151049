import { randomBytes } from "node:crypto";
import type {
  CredentialStore,
  InspectableStore,
  StoredValue,
  StoreEntry,
  StoreInspection,
  StoreLease,
} from "../model/credential-store.js";
import { readField } from "../runtime/redact.js";
import { checkKeys, expected, requireInit, requireString } from "../runtime/validators.js";
import { inspectRedis } from "./redis-inspection.js";
import { KeyRing, type RingKey, type StoreKeys, seal, sealedName, unseal } from "./sealing.js";

/** What is used of a client of node-redis (`createClient`, `createCluster`, `createSentinel`). */
export interface NodeRedisClient {
  /** Runs a Lua script (EVAL). */
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
}

/** What is used of a client of ioredis or iovalkey (`Redis`, `Cluster`). */
export interface IoredisClient {
  /** Runs a Lua script (EVAL). */
  eval(script: string, numberOfKeys: number, ...args: string[]): Promise<unknown>;
  /** Never called: it tells such a client from one of node-redis. */
  defineCommand(...args: never[]): unknown;
}

/** Init of {@link redisStore}. */
export interface RedisStoreInit {
  /**
   * A client that is connected, or connects by itself. Its connection, TLS, authentication, cluster
   * and sentinel are yours; the store never connects or closes it.
   */
  readonly client: NodeRedisClient | IoredisClient;
  /**
   * What values are encrypted with: `[{ id, key }]`, or a function that returns it. The first key
   * encrypts, all of them decrypt. A function is called when the store is made and each minute while
   * it is in use; when it fails, the last keys stay in use.
   */
  readonly keys: StoreKeys;
  /**
   * Separates what shares one Redis: the beginning of every name there; 1 to 64 letters, digits or
   * `._:-`. It separates names, not access: who has the keys can read every namespace.
   */
  readonly namespace: string;
}

const NAMESPACE = /^[\w.:-]{1,64}$/;

/** A fence is kept for longer than any value, in milliseconds. */
const FENCE_TTL_MS = 2 * 86_400_000;

// Every script gets its keys in this order: lease, fence, credentials, refusal.

const READ = `
local fields = { "value", "fence", "expiresAt" }
return {
  redis.call("EXISTS", KEYS[1]),
  redis.call("HMGET", KEYS[3], unpack(fields)),
  redis.call("PTTL", KEYS[3]),
  redis.call("HMGET", KEYS[4], unpack(fields))
}`;

// A fence is higher than all before it, also when only a part of the names was evicted.
const CLAIM = `
if not redis.call("SET", KEYS[1], ARGV[1], "NX", "PX", ARGV[2]) then return false end
local fence = 0
local function seen(last)
  local number = last and tonumber(last)
  if number and number > fence and number < 2^52 then fence = number end
end
seen(redis.call("GET", KEYS[2]))
seen(redis.call("HGET", KEYS[3], "fence"))
seen(redis.call("HGET", KEYS[4], "fence"))
fence = string.format("%.0f", fence + 1)
redis.call("SET", KEYS[2], fence, "PX", ARGV[3])
return fence`;

const EXTEND = `
if redis.call("GET", KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call("PEXPIRE", KEYS[1], ARGV[2])`;

const RELEASE = `
if redis.call("GET", KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call("DEL", KEYS[1])`;

const FENCE = `return redis.call("HGET", KEYS[tonumber(ARGV[1])], "fence")`;

const PUBLISH = `
local name = KEYS[tonumber(ARGV[1])]
local stored = redis.call("HMGET", name, "fence", "expiresAt")
if stored[1] and (tonumber(stored[1]) or 0) > tonumber(ARGV[3]) then return 0 end
if stored[2] and (tonumber(stored[2]) or 0) >= tonumber(ARGV[4]) then return 0 end
redis.call("DEL", name)
redis.call("HSET", name, "value", ARGV[2], "fence", ARGV[3], "expiresAt", ARGV[4])
return redis.call("PEXPIRE", name, ARGV[5])`;

// Only what was looked at: another value may have been stored since.
const DISCARD = `
local name = KEYS[tonumber(ARGV[1])]
if redis.call("HGET", name, "value") ~= ARGV[2] then return 0 end
return redis.call("DEL", name)`;

const FORGET = `return redis.call("DEL", unpack(KEYS))`;

/** Where each kind of value stands among the keys of a script. */
const POSITION = { credentials: 3, refusal: 4 } as const;

/**
 * A store in Redis 6 or later, or Valkey, for all processes of a fleet. Values are encrypted (JWE,
 * `dir` and `A256GCM`) and bound to their names: who can write to this Redis can stop the sharing,
 * and nothing else.
 *
 * @throws TypeError for a client, keys or a namespace that can't be used.
 *
 * @example
 * ```ts
 * import { createClient } from "@redis/client";
 * import { fromTokenFile } from "resilient-sts";
 * import { redisStore } from "resilient-sts/stores";
 *
 * const client = createClient({ url: "rediss://cache.example.com:6379" });
 * client.on("error", console.error);
 * client.connect();
 * const keys = [{ id: "2026-11", key: process.env.STORE_KEY ?? "" }];
 * const credentials = fromTokenFile({
 *   store: redisStore({ client, keys, namespace: "shop-prod" }),
 * });
 * ```
 */
export function redisStore(init: RedisStoreInit): CredentialStore {
  requireInit("redisStore", init);
  checkKeys("redisStore", init, ["client", "keys", "namespace"]);
  const { client, keys, namespace } = init;
  if (typeof readField(client, "eval") !== "function") {
    throw expected("client", "to be a client of @redis/client or ioredis", client);
  }
  requireString("namespace", namespace);
  if (!NAMESPACE.test(namespace)) {
    throw expected("namespace", "to be 1 to 64 letters, digits or `._:-`", namespace);
  }
  return new RedisStore(client, new KeyRing(keys, Date.now), namespace);
}

/** A lease that says under which key it was claimed: the first key may be another one by now. */
interface RedisLease extends StoreLease {
  readonly keyId: string;
}

class RedisStore implements InspectableStore {
  readonly name = "redis";
  readonly #client: RedisStoreInit["client"];
  readonly #ring: KeyRing;
  readonly #namespace: string;

  constructor(client: RedisStoreInit["client"], ring: KeyRing, namespace: string) {
    this.#client = client;
    this.#ring = ring;
    this.#namespace = namespace;
    // Loaded before it is needed: an operation has 250 ms.
    import("jose").catch(() => {});
  }

  /** While keys are rotated, what was published under any of them counts. */
  async read(key: string): Promise<StoreEntry> {
    const ring = await this.#ring.read();
    const [first, ...others] = await Promise.all(
      ring.map((ringKey) => this.#place(key, ringKey).read()),
    );
    return others.reduce(newer, first as StoreEntry);
  }

  async claim(key: string, leaseMs: number): Promise<RedisLease | undefined> {
    const place = await this.#firstPlace(key);
    const owner = randomBytes(16).toString("base64url");
    const fence = asText(await place.run(CLAIM, [owner, leaseMs, FENCE_TTL_MS]));
    // Redis returns nothing for the script's "false".
    if (fence === undefined) return undefined;
    return { key, owner, fence: Number(fence), keyId: place.keyId };
  }

  async extend(lease: RedisLease, leaseMs: number): Promise<boolean> {
    const place = await this.#placeOf(lease);
    return isDone(await place.run(EXTEND, [lease.owner, leaseMs]));
  }

  async publish(
    value: StoredValue,
    lease: RedisLease | undefined,
    ttlMs: number,
  ): Promise<boolean> {
    const place = await (lease === undefined ? this.#firstPlace(value.key) : this.#placeOf(lease));
    const fence = lease?.fence ?? (await place.fenceOf(value.kind));
    return await place.publish(value, fence, ttlMs);
  }

  async release(lease: RedisLease): Promise<void> {
    await (await this.#placeOf(lease)).run(RELEASE, [lease.owner]);
  }

  async remove(key: string, accessKeyId: string): Promise<void> {
    const ring = await this.#ring.read();
    await Promise.all(ring.map((ringKey) => this.#place(key, ringKey).remove(accessKeyId)));
  }

  async inspect(key: string): Promise<StoreInspection> {
    const ring = await this.#ring.read();
    const place = this.#place(key, ring[0] as RingKey);
    return await inspectRedis(this.#namespace, ring, (script, args) => place.run(script, args));
  }

  async forget(key: string): Promise<void> {
    const ring = await this.#ring.read();
    await Promise.all(ring.map((ringKey) => this.#place(key, ringKey).run(FORGET, [])));
  }

  #place(key: string, ringKey: RingKey): Place {
    return new Place(this.#client, this.#namespace, { key, ringKey });
  }

  /** Where values are published now. */
  async #firstPlace(key: string): Promise<Place> {
    const [ringKey] = (await this.#ring.read()) as [RingKey];
    return this.#place(key, ringKey);
  }

  async #placeOf({ key, keyId }: RedisLease): Promise<Place> {
    const ringKey = (await this.#ring.read()).find(({ id }) => id === keyId);
    if (ringKey === undefined) throw new Error(`the key ${keyId} is no longer among the keys`);
    return this.#place(key, ringKey);
  }
}

/** What one key of the ring has stored for one workload: four names in one slot of a cluster. */
class Place {
  readonly #client: RedisStoreInit["client"];
  readonly #key: string;
  readonly #ringKey: RingKey;
  readonly #names: readonly [lease: string, fence: string, credentials: string, refusal: string];

  constructor(
    client: RedisStoreInit["client"],
    namespace: string,
    { key, ringKey }: { readonly key: string; readonly ringKey: RingKey },
  ) {
    const slot = `${namespace}:{${sealedName(key, ringKey)}}`;
    this.#client = client;
    this.#key = key;
    this.#ringKey = ringKey;
    this.#names = [`${slot}:lease`, `${slot}:fence`, `${slot}:credentials`, `${slot}:refusal`];
  }

  /** Which key of the ring this place belongs to. */
  get keyId(): string {
    return this.#ringKey.id;
  }

  async read(): Promise<StoreEntry> {
    const answer = await this.run(READ, []);
    if (!Array.isArray(answer)) throw new Error("Redis returned no entry");
    const [leases, credentials, ttlMs, refusal] = answer;
    const [opened, refused] = await Promise.all([
      this.#open("credentials", credentials),
      this.#open("refusal", refusal),
    ]);
    return {
      ...(opened.value?.kind === "credentials" && {
        credentials: opened.value,
        credentialsTtlMs: Number(ttlMs),
      }),
      ...(refused.value?.kind === "refusal" && { refusal: refused.value }),
      isLeased: Number(leases) === 1,
      problem: opened.problem ?? refused.problem,
    };
  }

  async publish(value: StoredValue, fence: number, ttlMs: number): Promise<boolean> {
    const { kind, expiresAt } = value;
    const position = POSITION[kind];
    const bound = { name: this.#nameOf(kind), fence, expiresAt };
    const sealed = await seal(value, this.#ringKey, bound);
    const args = [position, sealed, fence, expiresAt, Math.max(1, Math.floor(ttlMs))];
    return isDone(await this.run(PUBLISH, args));
  }

  /** The fence of the stored value of a kind; 0 without one. */
  async fenceOf(kind: StoredValue["kind"]): Promise<number> {
    const fence = Number(asText(await this.run(FENCE, [POSITION[kind]])));
    return Number.isSafeInteger(fence) ? fence : 0;
  }

  async remove(accessKeyId: string): Promise<void> {
    const answer = await this.run(READ, []);
    const fields = Array.isArray(answer) ? answer[1] : undefined;
    const { value } = await this.#open("credentials", fields);
    if (value?.kind !== "credentials" || value.accessKeyId !== accessKeyId) return;
    await this.#discard("credentials", fields);
  }

  /** Runs a script on this place's names. */
  run(script: string, args: readonly (string | number)[]): Promise<unknown> {
    const texts = args.map(String);
    const client = this.#client;
    if ("defineCommand" in client) return client.eval(script, 4, ...this.#names, ...texts);
    return client.eval(script, { keys: [...this.#names], arguments: texts });
  }

  /** What a hash holds; what can't be used is removed, so that the next value can be stored. */
  async #open(kind: StoredValue["kind"], fields: unknown): Promise<Opened> {
    const [jwe, fence, expiresAt] = Array.isArray(fields) ? fields.map(asText) : [];
    if (jwe === undefined) return {};
    const unsealed = await unseal(jwe, this.#ringKey, this.#nameOf(kind));
    const isWhole =
      "value" in unsealed &&
      unsealed.value.kind === kind &&
      unsealed.value.key === this.#key &&
      String(unsealed.fence) === fence &&
      String(unsealed.value.expiresAt) === expiresAt;
    if (isWhole) return { value: unsealed.value };
    await this.#discard(kind, fields);
    const reason = "problem" in unsealed ? unsealed.problem : "it is not what it was sealed for";
    return { problem: `a stored value can't be used: ${reason}` };
  }

  async #discard(kind: StoredValue["kind"], fields: unknown): Promise<void> {
    const [jwe = ""] = Array.isArray(fields) ? fields.map(asText) : [];
    await this.run(DISCARD, [POSITION[kind], jwe]);
  }

  #nameOf(kind: StoredValue["kind"]): string {
    return this.#names[POSITION[kind] - 1] as string;
  }
}

interface Opened {
  readonly value?: StoredValue;
  readonly problem?: string;
}

/** Of what two keys of the ring have stored, the credentials that live longer. */
function newer(one: StoreEntry, other: StoreEntry): StoreEntry {
  const endOf = ({ credentials }: StoreEntry) => credentials?.expiresAt ?? 0;
  const { credentials, credentialsTtlMs } = endOf(other) > endOf(one) ? other : one;
  return {
    credentials,
    credentialsTtlMs,
    refusal: one.refusal ?? other.refusal,
    isLeased: one.isLeased || other.isLeased,
    problem: one.problem ?? other.problem,
  };
}

function isDone(answer: unknown): boolean {
  return Number(answer) === 1;
}

/** A client may be told to return bulk strings as bytes. */
function asText(field: unknown): string | undefined {
  return typeof field === "string" || Buffer.isBuffer(field) ? field.toString() : undefined;
}
