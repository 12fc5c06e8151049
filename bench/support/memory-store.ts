import { randomUUID } from "node:crypto";
import type {
  CredentialStore,
  StoredValue,
  StoreEntry,
  StoreLease,
} from "../../src/model/credential-store.js";

interface Held<T> {
  readonly value: T;
  readonly until: number;
}

interface StoredAt extends Held<StoredValue> {
  readonly fence: number;
}

/** The data that the stores of several processes of a test share. */
export class Memory {
  readonly leases = new Map<string, Held<StoreLease>>();
  readonly values = new Map<string, StoredAt>();
  /** The last fence of each key. */
  readonly fences = new Map<string, number>();
}

/** A store in this process's memory: the contract in its plainest form. */
export function memoryStore(memory: Memory, now: () => number = Date.now): CredentialStore {
  const value = (key: string, kind: StoredValue["kind"]) => {
    const stored = memory.values.get(`${kind} ${key}`);
    return stored !== undefined && stored.until > now() ? stored : undefined;
  };
  const leaseOf = (key: string) => {
    const held = memory.leases.get(key);
    return held !== undefined && held.until > now() ? held.value : undefined;
  };
  const isHeld = ({ key, owner }: StoreLease) => leaseOf(key)?.owner === owner;
  return {
    name: "memory",
    async read(key): Promise<StoreEntry> {
      const credentials = value(key, "credentials");
      const refusal = value(key, "refusal");
      return {
        ...(credentials?.value.kind === "credentials" && {
          credentials: credentials.value,
          credentialsTtlMs: credentials.until - now(),
        }),
        ...(refusal?.value.kind === "refusal" && { refusal: refusal.value }),
        isLeased: leaseOf(key) !== undefined,
      };
    },
    async claim(key, leaseMs) {
      if (leaseOf(key) !== undefined) return undefined;
      const fence = (memory.fences.get(key) ?? 0) + 1;
      const claimed = { key, owner: randomUUID(), fence };
      memory.fences.set(key, fence);
      memory.leases.set(key, { value: claimed, until: now() + leaseMs });
      return claimed;
    },
    async extend(extended, leaseMs) {
      if (!isHeld(extended)) return false;
      memory.leases.set(extended.key, { value: extended, until: now() + leaseMs });
      return true;
    },
    async publish(published, lease, ttlMs) {
      const { key } = published;
      const stored = value(key, published.kind);
      const fence = lease?.fence ?? stored?.fence ?? 0;
      const isOlder = stored !== undefined && stored.fence > fence;
      if (isOlder || (stored?.value.expiresAt ?? 0) >= published.expiresAt) return false;
      const until = now() + ttlMs;
      memory.values.set(`${published.kind} ${key}`, { value: published, until, fence });
      return true;
    },
    async release(released) {
      if (isHeld(released)) memory.leases.delete(released.key);
    },
    async remove(key, accessKeyId) {
      const stored = value(key, "credentials")?.value;
      if (stored?.kind !== "credentials" || stored.accessKeyId !== accessKeyId) return;
      memory.values.delete(`credentials ${key}`);
    },
  };
}
