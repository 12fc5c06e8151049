/**
 * Shared stores, for the `store` option of the providers: one process gets credentials from STS, and
 * the others use what it publishes. {@link fileStore} is for one host, {@link redisStore} for a fleet.
 *
 * @module resilient-sts/stores
 */

/*
 * `file-store.ts` keeps values in files (`store-directory.ts`; the leases are in `file-lease.ts`), and
 * `redis-store.ts` in Redis (`redis-place.ts`), encrypted by `sealing.ts`. `store-entry.ts` has the form of
 * keys and values. A provider calls every store through `guarded-store.ts`.
 */

export type {
  CredentialStore,
  StoredCredentials,
  StoredRefusal,
  StoredValue,
  StoreEntry,
  StoreLease,
  StoreOperation,
} from "../model/credential-store.js";
export { type FileStoreInit, fileStore } from "./file-store.js";
export type { IoredisClient, NodeRedisClient, RedisClient } from "./redis-place.js";
export { type RedisStoreInit, redisStore } from "./redis-store.js";
export type { StoreKeyOptions, StoreKeys } from "./sealing.js";
