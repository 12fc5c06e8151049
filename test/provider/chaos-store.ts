import type { CredentialStore, StoreEntry } from "../../src/model/credential-store.js";
import { sleep } from "../../src/runtime/abort.js";
import type { Clock } from "../../src/runtime/clock.js";

/** How often a chaos store plays each fault; from 0 to 1. */
export interface Chaos {
  readonly errors: number;
  /** Responds after the limit of an operation, or never. */
  readonly delays: number;
  /** Returns wrong values. */
  readonly lies: number;
}

interface ChaosOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly chaos: Chaos;
  /** All that the stores of this world ever read: what a lie is taken from. */
  readonly seen: StoreEntry[];
}

/** A store that fails, delays and lies in front of a sound one. */
export function chaosStore(
  store: CredentialStore,
  { clock, random, chaos, seen }: ChaosOptions,
): CredentialStore {
  const { signal } = new AbortController();
  const act = async <T>(work: () => Promise<T>, lie: (truth: T) => unknown): Promise<T> => {
    if (random() < chaos.errors) {
      if (random() < 0.5) throw new Error("the store is out of order");
      await work();
      throw new Error("the connection ended after the store had done it");
    }
    if (random() < chaos.delays) {
      if (random() < 0.2) return new Promise<never>(() => {});
      await sleep(clock, 250 + random() * 20_000, signal);
    } else {
      await sleep(clock, random() * 20, signal);
    }
    const truth = await work();
    return random() < chaos.lies ? (lie(truth) as T) : truth;
  };
  const pick = <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)] as T;
  return {
    name: "chaos",
    read: (key) =>
      act(
        () => store.read(key),
        (truth) => {
          seen.push(truth);
          return pick<() => unknown>([
            // Another key's, or what has been replaced or removed, or has expired since.
            () => pick(seen),
            () => pick(seen.slice(0, 8)),
            () => ({ ...truth, credentials: pick(seen).credentials }),
            () => ({ ...truth, refusal: { ...truth.credentials, kind: "refusal" } }),
            () => undefined,
            () => ({ ...truth, isLeased: !truth.isLeased }),
            () => ({ ...truth, credentials: undefined }),
            () => ({ ...truth, credentialsTtlMs: 1e12 }),
            () => ({ ...truth, credentials: "credentials" }),
            () => ({ ...truth, credentials: { ...truth.credentials, expiresAt: 9e15 } }),
            () => ({ ...truth, credentials: { ...truth.credentials, secretAccessKey: undefined } }),
          ])();
        },
      ),
    claim: (key, leaseMs) =>
      act(
        () => store.claim(key, leaseMs),
        () => pick([undefined, { key, owner: "liar", fence: 1 }]),
      ),
    extend: (lease, leaseMs) =>
      act(
        () => store.extend(lease, leaseMs),
        (truth) => !truth,
      ),
    publish: (value, lease, ttlMs) =>
      act(
        () => store.publish(value, lease, ttlMs),
        (truth) => !truth,
      ),
    release: (lease) =>
      act(
        () => store.release(lease),
        () => undefined,
      ),
    remove: (key, id) =>
      act(
        () => store.remove(key, id),
        () => undefined,
      ),
  };
}
