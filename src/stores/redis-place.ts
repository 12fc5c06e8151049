import { randomBytes } from "node:crypto";
import type { StoredValue, StoreEntry } from "../model/credential-store.js";
import { type RingKey, seal, sealedName, unseal } from "./sealing.js";

/** The method that the store uses of a node-redis client (`createClient`, `createCluster`, `createSentinel`). */
export interface NodeRedisClient {
  /** Runs a Lua script (EVAL). */
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
}

/** The method that the store uses of a client of ioredis or iovalkey (`Redis`, `Cluster`). */
export interface IoredisClient {
  /** Runs a Lua script (EVAL). */
  eval(script: string, numberOfKeys: number, ...args: string[]): Promise<unknown>;
  /** Never called. Its presence shows that this is not a client of node-redis. */
  defineCommand(...args: never[]): unknown;
}

/** A client of either library. */
export type RedisClient = NodeRedisClient | IoredisClient;

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

// A fence is higher than all before it, even if Redis has evicted a part of the names.
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

// Removes only the value that was read: another one may have been stored since.
const DISCARD = `
local name = KEYS[tonumber(ARGV[1])]
if redis.call("HGET", name, "value") ~= ARGV[2] then return 0 end
return redis.call("DEL", name)`;

const FORGET = `return redis.call("DEL", unpack(KEYS))`;

/** The position of each kind of value among the keys of a script. */
const POSITION = { credentials: 3, refusal: 4 } as const;

/** The entry of one workload under one key of the ring: four names in one slot of a cluster. */
export class RedisPlace {
  readonly #client: RedisClient;
  readonly #key: string;
  readonly #ringKey: RingKey;
  readonly #names: readonly [lease: string, fence: string, credentials: string, refusal: string];

  constructor(
    client: RedisClient,
    namespace: string,
    { key, ringKey }: { readonly key: string; readonly ringKey: RingKey },
  ) {
    const slot = `${namespace}:{${sealedName(key, ringKey)}}`;
    this.#client = client;
    this.#key = key;
    this.#ringKey = ringKey;
    this.#names = [`${slot}:lease`, `${slot}:fence`, `${slot}:credentials`, `${slot}:refusal`];
  }

  /** The ID of the key of the ring that this place belongs to. */
  get keyId(): string {
    return this.#ringKey.id;
  }

  async read(): Promise<StoreEntry> {
    const reply = await this.run(READ, []);
    if (!Array.isArray(reply)) throw new Error("Redis returned no entry");
    const [leases, credentials, ttlMs, refusal] = reply;
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

  /** The owner and the fence of a new lease; `undefined` while another one is held. */
  async claim(leaseMs: number): Promise<{ owner: string; fence: number } | undefined> {
    const owner = randomBytes(16).toString("base64url");
    const fence = asText(await this.run(CLAIM, [owner, leaseMs, FENCE_TTL_MS]));
    // Redis returns nothing for the script's "false".
    return fence === undefined ? undefined : { owner, fence: Number(fence) };
  }

  async extend(owner: string, leaseMs: number): Promise<boolean> {
    return isDone(await this.run(EXTEND, [owner, leaseMs]));
  }

  async release(owner: string): Promise<void> {
    await this.run(RELEASE, [owner]);
  }

  async forget(): Promise<void> {
    await this.run(FORGET, []);
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
    const reply = await this.run(READ, []);
    const fields = Array.isArray(reply) ? reply[1] : undefined;
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

  /** The value in a hash. One that can't be used is removed, so that the next value can be stored. */
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
    const reason = "problem" in unsealed ? unsealed.problem : "it does not match what was sealed";
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

function isDone(reply: unknown): boolean {
  return Number(reply) === 1;
}

/** A client may be configured to return bulk strings as bytes. */
function asText(field: unknown): string | undefined {
  return typeof field === "string" || Buffer.isBuffer(field) ? field.toString() : undefined;
}
