import { isAbsolute } from "node:path";
import type {
  CredentialStore,
  InspectableStore,
  StoredSample,
  StoredValue,
  StoreEntry,
  StoreInspection,
  StoreLease,
} from "../model/credential-store.js";
import { readField, safeCause } from "../runtime/redact.js";
import { checkKeys, checkString, expected, requireInit } from "../runtime/validators.js";
import { FileLeases } from "./file-lease.js";
import { defaultDirectory, StoreDirectory } from "./store-directory.js";
import { countSample, isInteger, MAX_SAMPLE, parseJson, parseStoredValue } from "./store-entry.js";

/** Init of {@link fileStore}. */
export interface FileStoreInit {
  /**
   * An absolute path. The directory is made with mode 0700; one that belongs to another user, is open to
   * others or is a symbolic link is refused: the store then fails, and the provider calls STS itself.
   * @default `$XDG_RUNTIME_DIR/resilient-sts`, else `resilient-sts` in the user's cache directory
   */
  readonly directory?: string | undefined;
}

/**
 * A store in files, for the processes of one user on one host. Values are not encrypted, because the key
 * would be stored beside them. No user other than root can open their directory and files.
 *
 * Don't put the directory on a network file system: leases rely on exclusive creation and on rename.
 *
 * @throws TypeError for a directory that is not an absolute path.
 *
 * @example
 * ```ts
 * import { fromTokenFile } from "resilient-sts";
 * import { fileStore } from "resilient-sts/stores";
 *
 * const credentials = fromTokenFile({ store: fileStore() });
 * ```
 */
export function fileStore(init: FileStoreInit = {}): CredentialStore {
  requireInit("fileStore", init);
  checkKeys("fileStore", init, ["directory"]);
  const { directory } = init;
  checkString("directory", directory);
  if (directory !== undefined && !isAbsolute(directory)) {
    throw expected("directory", "to be an absolute path", directory);
  }
  const path = directory ?? defaultDirectory(process.env, process.platform);
  return new FileStore(new StoreDirectory(path));
}

/** The content of a value file. */
interface ValueRecord {
  readonly fence: number;
  /** When the store stops returning the value, in milliseconds since the epoch. */
  readonly until: number;
  readonly value: StoredValue;
}

class FileStore implements InspectableStore {
  readonly name = "file";
  readonly #directory: StoreDirectory;
  readonly #leases: FileLeases;

  constructor(directory: StoreDirectory) {
    this.#directory = directory;
    this.#leases = new FileLeases(directory, (key) => this.#storedFence(key));
  }

  async read(key: string): Promise<StoreEntry> {
    const [credentials, refusal, isLeased] = await Promise.all([
      this.#readValue(key, "credentials"),
      this.#readValue(key, "refusal"),
      this.#leases.isHeld(key),
    ]);
    return {
      ...(credentials.record?.value.kind === "credentials" && {
        credentials: credentials.record.value,
        credentialsTtlMs: credentials.record.until - Date.now(),
      }),
      ...(refusal.record?.value.kind === "refusal" && { refusal: refusal.record.value }),
      isLeased,
      problem: credentials.problem ?? refusal.problem,
    };
  }

  async claim(key: string, leaseMs: number): Promise<StoreLease | undefined> {
    return await this.#leases.claim(key, leaseMs);
  }

  async extend(lease: StoreLease, leaseMs: number): Promise<boolean> {
    return await this.#leases.extend(lease, leaseMs);
  }

  async release(lease: StoreLease): Promise<void> {
    await this.#leases.release(lease);
  }

  /**
   * Between the read of the stored value and the rename, a process that claimed the lease after it expired
   * may publish: then the older value replaces the newer one. Both are valid, so this only causes an earlier refresh.
   */
  async publish(
    value: StoredValue,
    lease: StoreLease | undefined,
    ttlMs: number,
  ): Promise<boolean> {
    const { key } = value;
    const { record } = await this.#readValue(key, value.kind);
    const fence = lease?.fence ?? record?.fence ?? 0;
    if (record !== undefined && record.fence > fence) return false;
    if (record !== undefined && record.value.expiresAt >= value.expiresAt) return false;
    const written: ValueRecord = { fence, until: Date.now() + ttlMs, value };
    await this.#directory.replace(valueFile(key, value.kind), JSON.stringify(written), true);
    return true;
  }

  async remove(key: string, accessKeyId: string): Promise<void> {
    const { record } = await this.#readValue(key, "credentials");
    if (record?.value.kind !== "credentials" || record.value.accessKeyId !== accessKeyId) return;
    await this.#directory.remove(valueFile(key, "credentials"));
  }

  /** The directory's clock is that of the file system, which is another machine's on a network. */
  async inspect(key: string): Promise<StoreInspection> {
    const name = `${key}.clock.tmp`;
    await this.#directory.replace(name, "");
    const clockSkewMs = ((await this.#directory.modifiedAt(name)) ?? Date.now()) - Date.now();
    await this.#directory.remove(name);
    const names = (await this.#directory.names()).filter((each) => VALUE_FILE.test(each));
    const sampled = names.slice(0, MAX_SAMPLE).map((each) => this.#sample(each));
    const sample = countSample(await Promise.all(sampled));
    return { place: this.#directory.path, clockSkewMs, sample };
  }

  async forget(key: string): Promise<void> {
    await Promise.all([
      this.#leases.remove(key),
      this.#directory.remove(valueFile(key, "credentials")),
      this.#directory.remove(valueFile(key, "refusal")),
    ]);
  }

  async #sample(name: string): Promise<Omit<StoredSample, "count">> {
    const [, key = "", kind] = VALUE_FILE.exec(name) ?? [];
    try {
      const text = (await this.#directory.read(name)) ?? "";
      const read = readValueRecord(text, key, kind as StoredValue["kind"]);
      return "problem" in read ? { problem: read.problem } : {};
    } catch (error) {
      return { problem: safeCause(error).message };
    }
  }

  async #readValue(
    key: string,
    kind: StoredValue["kind"],
  ): Promise<{ readonly record?: ValueRecord; readonly problem?: string }> {
    const text = await this.#directory.read(valueFile(key, kind));
    if (text === undefined) return {};
    const read = readValueRecord(text, key, kind);
    if ("record" in read) return read.record.until > Date.now() ? read : {};
    await this.#directory.remove(valueFile(key, kind));
    return { problem: `a stored value can't be used: ${read.problem}` };
  }

  async #storedFence(key: string): Promise<number> {
    const values = await Promise.all([
      this.#readValue(key, "credentials"),
      this.#readValue(key, "refusal"),
    ]);
    return Math.max(...values.map(({ record }) => record?.fence ?? 0));
  }
}

const VALUE_FILE = /^([\w-]+)\.(credentials|refusal)\.json$/;

function valueFile(key: string, kind: StoredValue["kind"]): string {
  return `${key}.${kind}.json`;
}

function readValueRecord(
  text: string,
  key: string,
  kind: StoredValue["kind"],
): { readonly record: ValueRecord } | { readonly problem: string } {
  const parsed = parseJson(text);
  const fence = readField(parsed, "fence");
  const until = readField(parsed, "until");
  const value = parseStoredValue(JSON.stringify(readField(parsed, "value") ?? null));
  if ("problem" in value) return value;
  if (!isInteger(fence) || !isInteger(until)) return { problem: "it is not a record of a store" };
  if (value.key !== key || value.kind !== kind) return { problem: "it belongs to another key" };
  return { record: { fence, until, value } };
}
