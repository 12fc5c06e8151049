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
import { type RedisClient, RedisPlace } from "./redis-place.js";
import { KeyRing, type RingKey, type StoreKeys } from "./sealing.js";

/** Init of {@link redisStore}. */
export interface RedisStoreInit {
  /**
   * A client that is connected, or connects by itself. Its connection, TLS, authentication, cluster
   * and sentinel are yours; the store never connects or closes it.
   */
  readonly client: RedisClient;
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
  readonly #client: RedisClient;
  readonly #ring: KeyRing;
  readonly #namespace: string;

  constructor(client: RedisClient, ring: KeyRing, namespace: string) {
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
