import type {
  CredentialStore,
  InspectableStore,
  StoredSample,
  StoredValue,
  StoreEntry,
  StoreInspection,
  StoreLease,
} from "../model/credential-store.js";
import { readField } from "../runtime/redact.js";
import { checkKeys, expected, requireInit, requireString } from "../runtime/validators.js";
import { type RedisClient, RedisPlace } from "./redis-place.js";
import { KeyRing, keyIdOf, type RingKey, type StoreKeys, unseal } from "./sealing.js";
import { countSample, MAX_SAMPLE } from "./store-entry.js";

/** Init of {@link redisStore}. */
export interface RedisStoreInit {
  /**
   * A client that is connected, or connects by itself. You configure its connection, TLS,
   * authentication, cluster and sentinel; the store never connects or closes it.
   */
  readonly client: RedisClient;
  /**
   * The keys that encrypt values: `[{ id, key }]`, or a function that returns this list. The first key
   * encrypts, all of them decrypt. A function is called when the store is made and each minute while
   * it is in use. If it fails, the last keys stay in use.
   */
  readonly keys: StoreKeys;
  /**
   * Separates the stores that share one Redis: every name there begins with it; 1 to 64 letters, digits
   * or `._:-`. It separates names, not access: a process that has the keys can read every namespace.
   */
  readonly namespace: string;
}

const NAMESPACE = /^[\w.:-]{1,64}$/;

/**
 * A store in Redis 6 or later, or Valkey, for all processes of a fleet. Values are encrypted (JWE,
 * `dir` and `A256GCM`) and bound to their names: a process without the keys that can write to this Redis
 * can only stop the sharing.
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

/** A lease with the key of the ring under which it was claimed: the first key may have changed since. */
interface RedisLease extends StoreLease {
  readonly keyId: string;
}

class RedisStore implements InspectableStore {
  readonly name = "redis";
  readonly #client: RedisClient;
  readonly #ring: KeyRing;
  readonly #namespace: string;

  constructor(client: RedisClient, ring: KeyRing, namespace: string) {
    this.#client = client;
    this.#ring = ring;
    this.#namespace = namespace;
    // Loaded early, because the limit of an operation is 250 ms.
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
    const claimed = await place.claim(leaseMs);
    return claimed && { key, ...claimed, keyId: place.keyId };
  }

  async extend(lease: RedisLease, leaseMs: number): Promise<boolean> {
    const place = await this.#placeOf(lease);
    return await place.extend(lease.owner, leaseMs);
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
    await (await this.#placeOf(lease)).release(lease.owner);
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
    await Promise.all(ring.map((ringKey) => this.#place(key, ringKey).forget()));
  }

  #place(key: string, ringKey: RingKey): RedisPlace {
    return new RedisPlace(this.#client, this.#namespace, { key, ringKey });
  }

  /** Where values are published now. */
  async #firstPlace(key: string): Promise<RedisPlace> {
    const [ringKey] = (await this.#ring.read()) as [RingKey];
    return this.#place(key, ringKey);
  }

  async #placeOf({ key, keyId }: RedisLease): Promise<RedisPlace> {
    const ringKey = (await this.#ring.read()).find(({ id }) => id === keyId);
    if (ringKey === undefined) throw new Error(`the key ${keyId} is no longer among the keys`);
    return this.#place(key, ringKey);
  }
}

/** Merges the entries under two keys of the ring: the credentials that expire later count. */
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

// Reads a sample of what is stored, from a part of what this Redis has, and writes nothing. In a cluster,
// a value of another slot can't be read, and is left out.
const INSPECT = `
local sample, cursor, pages = {}, "0", 0
repeat
  local page = redis.call("SCAN", cursor, "MATCH", ARGV[1], "COUNT", 1000)
  cursor, pages = page[1], pages + 1
  for _, name in ipairs(page[2]) do
    local value = redis.pcall("HGET", name, "value")
    if type(value) == "string" and #sample < 2 * tonumber(ARGV[2]) then
      sample[#sample + 1] = name
      sample[#sample + 1] = value
    end
  end
until cursor == "0" or pages == 10
return { redis.call("TIME"), sample }`;

/** Describes the store of a namespace: Redis's clock, the keys, and whether they decrypt what is stored. */
async function inspectRedis(
  namespace: string,
  ring: readonly RingKey[],
  run: (script: string, args: readonly (string | number)[]) => Promise<unknown>,
): Promise<StoreInspection> {
  const before = Date.now();
  const reply = await run(INSPECT, [`${namespace}:{*}:credentials`, MAX_SAMPLE]);
  const now = (before + Date.now()) / 2;
  const [time, found] = Array.isArray(reply) ? reply : [];
  const [seconds, microseconds] = texts(time);
  const fields = texts(found);
  const values = fields.flatMap((name, index) =>
    index % 2 === 0 ? [sampled(fields[index + 1] ?? "", ring, name)] : [],
  );
  return {
    place: namespace,
    clockSkewMs: Number(seconds) * 1000 + Number(microseconds) / 1000 - now,
    keyIds: ring.map(({ id }) => id),
    sample: countSample(await Promise.all(values)),
  };
}

/** A client may be configured to return bulk strings as bytes. */
function texts(fields: unknown): string[] {
  return Array.isArray(fields) ? fields.map(String) : [];
}

async function sampled(
  jwe: string,
  ring: readonly RingKey[],
  name: string,
): Promise<Omit<StoredSample, "count">> {
  const keyId = await keyIdOf(jwe);
  if (keyId === undefined) return { problem: "it is not a value of this library" };
  const ringKey = ring.find(({ id }) => id === keyId);
  if (ringKey === undefined) return { keyId, problem: `the key ${keyId} is not among the keys` };
  const unsealed = await unseal(jwe, ringKey, name);
  return "problem" in unsealed ? { keyId, problem: unsealed.problem } : { keyId };
}
