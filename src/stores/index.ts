export type {
  CredentialStore,
  StoredCredentials,
  StoredRefusal,
  StoredValue,
  StoreEntry,
  StoreLease,
} from "../model/credential-store.js";
export { type FileStoreInit, fileStore } from "./file-store.js";
export {
  type IoredisClient,
  type NodeRedisClient,
  type RedisStoreInit,
  redisStore,
} from "./redis-store.js";
export type { StoreKeyOptions, StoreKeys } from "./sealing.js";
