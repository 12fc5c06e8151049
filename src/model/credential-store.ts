import { readField, safeText } from "../runtime/redact.js";
import { expected } from "../runtime/validators.js";

/**
 * Where processes that assume the same role share what STS returned, so that one of them refreshes
 * for all. `fileStore()` and `redisStore()` of `resilient-sts/stores` are stores; a store of your own
 * must pass the tests of `testCredentialStore()` in `resilient-sts/testing`.
 *
 * A provider gives each operation 250 ms, stops using a store that fails for 30 to 60 s, and checks
 * every value that it reads. A method may therefore reject or never settle: the provider then calls
 * STS itself. A store must never return half a value, and never a value under another key.
 */
export interface CredentialStore {
  /** The store's name in events and in `status()`: `file`, `redis`. */
  readonly name: string;
  /** Returns what is stored under the key, and whether a lease of the key is held now. */
  read(key: string): Promise<StoreEntry>;
  /**
   * Acquires the lease of the key: the right to refresh for all. At most one lease of a key is held at a
   * time; it expires `leaseMs` milliseconds after the claim or its last extension.
   *
   * @returns the lease, or `undefined` while another lease is held.
   */
  claim(key: string, leaseMs: number): Promise<StoreLease | undefined>;
  /** Lets the lease expire `leaseMs` milliseconds from now. @returns whether it was still held. */
  extend(lease: StoreLease, leaseMs: number): Promise<boolean>;
  /**
   * Stores a value under its key. A store keeps one value of each kind. A value replaces the stored
   * one of its kind only if it expires later, and the lease's fence is not lower than the one that the
   * stored value has. The store returns a value for no longer than `ttlMs` milliseconds, by a clock of
   * its own.
   *
   * @param lease - `undefined` for a process that stopped waiting for the holder of the lease and
   * called STS itself: its value gets the fence of the value that it replaces, or 0, so that the
   * holder can still replace it.
   * @returns whether the value is stored.
   */
  publish(value: StoredValue, lease: StoreLease | undefined, ttlMs: number): Promise<boolean>;
  /** Ends the lease if it is still held; another holder's lease stays. */
  release(lease: StoreLease): Promise<void>;
  /** Removes the stored credentials if they have this access key ID. */
  remove(key: string, accessKeyId: string): Promise<void>;
}

/** The store's name as events, metrics and reports show it. A user's own store may have any text as its name. */
export function storeName(store: CredentialStore): string {
  const name = readField(store, "name");
  return typeof name === "string" ? safeText(name, 40) : "store";
}

/** A store that can also describe itself to the doctor, and leave no trace of the doctor's own key. */
export interface InspectableStore extends CredentialStore {
  /** Describes the store. @param key - a key of the caller's own, that nothing else uses. */
  inspect(key: string): Promise<StoreInspection>;
  /** Removes the values, the lease and the fence of the key. */
  forget(key: string): Promise<void>;
}

/** What a store reports about itself. Never contains a key or a value. */
export interface StoreInspection {
  /** The directory, or the namespace. */
  readonly place: string;
  /** The store's clock minus this machine's, in milliseconds. */
  readonly clockSkewMs: number;
  /** The IDs of the keys in use, the one that encrypts first; absent if the store does not encrypt. */
  readonly keyIds?: readonly string[] | undefined;
  /** A sample of what is stored, counted by key ID and problem. */
  readonly sample: readonly StoredSample[];
}

/** Values of one kind in a sample. */
export interface StoredSample {
  /** The ID of the key that encrypted them. */
  readonly keyId?: string | undefined;
  /** Number of values that were read. */
  readonly count: number;
  /** Why this process can't use them; absent if it can. */
  readonly problem?: string | undefined;
}

/** The operations of a store. */
export type StoreOperation = Exclude<keyof CredentialStore, "name">;

/** A record, so that the compiler reports a missing name. */
const OPERATIONS: Readonly<Record<StoreOperation, true>> = {
  read: true,
  claim: true,
  extend: true,
  publish: true,
  release: true,
  remove: true,
};

/** @throws TypeError when an optional store lacks a method of the contract. */
export function checkStore(store: unknown): void {
  if (store === undefined) return;
  const methods = Object.keys(OPERATIONS).map((name) => typeof readField(store, name));
  const isComplete = methods.every((type) => type === "function");
  if (isComplete && typeof readField(store, "name") === "string") return;
  throw expected("store", "to be a store, such as fileStore() of resilient-sts/stores", store);
}

/** What is stored under one key. */
export interface StoreEntry {
  /** The stored credentials; absent when there are none. */
  readonly credentials?: StoredCredentials | undefined;
  /** The rest of the credentials' `ttlMs` by the store's own clock, in milliseconds. */
  readonly credentialsTtlMs?: number | undefined;
  /** The stored refusal; absent when there is none. */
  readonly refusal?: StoredRefusal | undefined;
  /** Whether any process holds the lease now. */
  readonly isLeased: boolean;
  /**
   * Why something that is stored under the key can't be used: malformed, truncated, encrypted with another
   * key. The store removes it, so that the next value can be stored.
   */
  readonly problem?: string | undefined;
}

/** The right to refresh for all processes that share a key. */
export interface StoreLease {
  /** The key that the lease is for. */
  readonly key: string;
  /** A random string that identifies this lease. */
  readonly owner: string;
  /**
   * Grows with every lease of the key, so that the value of an earlier holder can't replace that of a
   * later one. A safe integer.
   */
  readonly fence: number;
}

/** The fields of every value that processes share. */
export type StoredValue = StoredCredentials | StoredRefusal;

interface StoredBase {
  /** The key that the value was published under. */
  readonly key: string;
  /** ARN of the role that the value is for. */
  readonly roleArn: string;
  /** When the value was made, by STS's clock: milliseconds since the epoch. */
  readonly issuedAt: number;
  /** When the value ends, by STS's clock: milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** Credentials that one process got from STS for all. */
export interface StoredCredentials extends StoredBase {
  readonly kind: "credentials";
  /** The access key ID. */
  readonly accessKeyId: string;
  /** The secret access key. */
  readonly secretAccessKey: string;
  /** The session token. */
  readonly sessionToken?: string | undefined;
  /** The account of the role. */
  readonly accountId?: string | undefined;
  /** The scope that the SDK signs with, if STS named one. */
  readonly credentialScope?: string | undefined;
  /** The region whose STS issued them. */
  readonly region?: string | undefined;
}

/** A permanent refusal by STS, shared for a few seconds so that other processes do not repeat the call. */
export interface StoredRefusal extends StoredBase {
  readonly kind: "refusal";
  /** The error code of STS's response: `AccessDenied`. */
  readonly code: string;
  /** The message of STS's response. */
  readonly message: string;
  /** HTTP status of the refusal; absent when there was no response. */
  readonly httpStatus?: number | undefined;
  /** Request ID of the refusal, which AWS Support asks for. */
  readonly requestId?: string | undefined;
}
