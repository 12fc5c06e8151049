import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Memory, memoryStore } from "../../bench/support/memory-store.js";
import type {
  CredentialStore,
  InspectableStore,
  StoreInspection,
} from "../../src/model/credential-store.js";
import type { FindingId } from "../../src/model/findings.js";
import { sleep } from "../../src/runtime/abort.js";
import { systemClock } from "../../src/runtime/clock.js";
import { fileStore } from "../../src/stores/index.js";
import { healthy, type Site, settingsFor } from "../support/matrix-world.js";
import type { Row } from "./matrix-row.js";

type MakeStore = (site: Site) => CredentialStore | Promise<CredentialStore>;

/** A world in which nothing but the store is wrong. */
function stored(name: string, make: MakeStore, cause: FindingId): Row {
  return {
    name,
    async build(site) {
      const { options } = await healthy(site);
      return { options: { ...options, store: await make(site) } };
    },
    cause,
    verdict: "degraded",
  };
}

/** A world that works, with advice about the store. */
function advised(name: string, make: MakeStore, also: readonly FindingId[]): Row {
  return {
    ...stored(name, make, "store-broken"),
    cause: null,
    verdict: "healthy",
    also,
  };
}

async function directory(site: Site): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "resilient-sts-test-"));
  site.onEnd(() => rm(path, { recursive: true, force: true }));
  return path;
}

const sound = () => memoryStore(new Memory());

/** A sound store with some of its operations replaced. */
function spoilt(changes: Partial<CredentialStore>): CredentialStore {
  return { ...sound(), ...changes };
}

function rejecting(words: string, code?: string) {
  return async (): Promise<never> => {
    throw Object.assign(new Error(words), code === undefined ? {} : { code });
  };
}

function inspected(inspection: Partial<StoreInspection>): InspectableStore {
  return {
    ...sound(),
    name: "redis",
    inspect: async () => ({ place: "shop", clockSkewMs: 0, sample: [], ...inspection }),
    forget: async () => {},
  };
}

function delayed(ms: number): CredentialStore {
  const store = sound();
  const { signal } = new AbortController();
  const late =
    <A extends unknown[], T>(act: (...args: A) => Promise<T>) =>
    async (...args: A) => {
      await sleep(systemClock, ms, signal);
      return await act(...args);
    };
  return {
    name: store.name,
    read: late(store.read),
    claim: late(store.claim),
    extend: late(store.extend),
    publish: late(store.publish),
    release: late(store.release),
    remove: late(store.remove),
  };
}

export const STORE_ROWS: readonly Row[] = [
  advised(
    "a file store in a directory of its own",
    async (site) => fileStore({ directory: await directory(site) }),
    [],
  ),
  advised(
    "a file store with a file that something else wrote",
    async (site) => {
      const path = await directory(site);
      const name = `${"a".repeat(43)}.credentials.json`;
      await writeFile(join(path, name), "{}", { mode: 0o600 });
      return fileStore({ directory: path });
    },
    ["store-value-unusable"],
  ),
  advised("a store whose values are encrypted with a key that this machine lacks", () => {
    const sample = [{ keyId: "2026-12", count: 3, problem: "the key 2026-12 is not among …" }];
    return inspected({ keyIds: ["2026-11"], sample });
  }, ["store-key-unknown"]),
  advised("a store whose clock is ten minutes ahead", () => inspected({ clockSkewMs: 600_000 }), [
    "store-clock-skew",
  ]),
  stored(
    "two keys with the same ID",
    () => {
      const sample = [{ keyId: "2026-11", count: 1, problem: "it can't be decrypted" }];
      return inspected({ keyIds: ["2026-11"], sample });
    },
    "store-key-unknown",
  ),
  stored(
    "a file store whose directory is a symbolic link",
    async (site) => {
      const path = await directory(site);
      const link = `${path}-link`;
      await symlink(path, link);
      site.onEnd(() => rm(link));
      return fileStore({ directory: link });
    },
    "store-directory-unsafe",
  ),
  stored(
    "a Redis that wants a password",
    () => spoilt({ read: rejecting("NOAUTH Authentication required.") }),
    "store-access-denied",
  ),
  stored(
    "a store that accepts connections and never responds",
    () => spoilt({ read: () => new Promise(() => {}) }),
    "store-unreachable",
  ),
  stored(
    "a store whose disk is full",
    () => spoilt({ publish: rejecting("ENOSPC: no space left on device, write", "ENOSPC") }),
    "store-not-writable",
  ),
  stored(
    "a store that evicts a value immediately",
    () => spoilt({ publish: async () => true }),
    "store-broken",
  ),
  stored("a store on the other side of the world", () => delayed(300), "store-slow"),
  {
    name: "an expired token and a store that is down",
    async build(site) {
      const { idp, sts } = await healthy(site);
      const token = await idp.issueToken({ expiresInSeconds: -7_200 });
      const store = spoilt({ read: rejecting("connect ECONNREFUSED", "ECONNREFUSED") });
      return { options: { ...settingsFor(sts, token), store } };
    },
    cause: "token-expired",
    verdict: "broken",
    also: ["store-unreachable"],
  },
];
