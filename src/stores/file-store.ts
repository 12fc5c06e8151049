import { randomBytes } from "node:crypto";
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
import { hasEnded, type LeaseOwner, thisProcess } from "./lease-owner.js";
import { defaultDirectory, StoreDirectory } from "./store-directory.js";
import { countSample, MAX_SAMPLE, parseStoredValue } from "./stored-value.js";

/** Init of {@link fileStore}. */
export interface FileStoreInit {
  /**
   * An absolute path. The folder is made with mode 0700; one that belongs to another user, is open to
   * others or is a symbolic link is refused: the store then fails, and the provider asks STS itself.
   * @default `$XDG_RUNTIME_DIR/resilient-sts`, else `resilient-sts` in the user's cache folder
   */
  readonly directory?: string | undefined;
}

/** No lease is longer: one whose end lies beyond this is of a clock that was set back. */
const MAX_LEASE_MS = 120_000;

/**
 * A lease file without content, or one process's turn to replace a lease, is of a process that ended in
 * between, after this; in milliseconds.
 */
const UNWRITTEN_AFTER_MS = 2_000;

/**
 * A store in files, for the processes of one user on one host. Values are not encrypted: the key
 * would lie beside them. Their folder and files are closed to every other user but root.
 *
 * Don't put the folder on a network file system: leases rely on exclusive creation and on rename.
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

/** What a lease file holds. */
interface LeaseRecord {
  readonly owner: string;
  readonly fence: number;
  /** When the lease lapses, in milliseconds since the epoch. */
  readonly until: number;
  readonly process: LeaseOwner;
}

/** What a value file holds. */
interface ValueRecord {
  readonly fence: number;
  /** When the store stops returning the value, in milliseconds since the epoch. */
  readonly until: number;
  readonly value: StoredValue;
}

class FileStore implements InspectableStore {
  readonly name = "file";
  readonly #directory: StoreDirectory;
  readonly #self = thisProcess();

  constructor(directory: StoreDirectory) {
    this.#directory = directory;
  }

  async read(key: string): Promise<StoreEntry> {
    const [credentials, refusal, lease] = await Promise.all([
      this.#readValue(key, "credentials"),
      this.#readValue(key, "refusal"),
      this.#readLease(key),
    ]);
    return {
      ...(credentials.record?.value.kind === "credentials" && {
        credentials: credentials.record.value,
        credentialsTtlMs: credentials.record.until - Date.now(),
      }),
      ...(refusal.record?.value.kind === "refusal" && { refusal: refusal.record.value }),
      isLeased: lease !== undefined && this.#isHeld(lease),
      problem: credentials.problem ?? refusal.problem,
    };
  }

  async claim(key: string, leaseMs: number): Promise<StoreLease | undefined> {
    const owner = randomBytes(16).toString("base64url");
    const [before, lastFence] = await Promise.all([this.#readLease(key), this.#lastFence(key)]);
    if (before !== undefined && this.#isHeld(before)) return undefined;
    // Higher than all that can be seen; the time makes it higher than what was removed since.
    const fence = Math.max(Date.now(), lastFence, before?.fence ?? 0) + 1;
    const text = this.#leaseText({ owner, fence }, leaseMs);
    const isMine =
      before === undefined
        ? await this.#directory.create(leaseFile(key), text)
        : await this.#takeOver(key, before, text);
    return isMine ? { key, owner, fence } : undefined;
  }

  async extend(lease: StoreLease, leaseMs: number): Promise<boolean> {
    if (!(await this.#isMine(lease))) return false;
    await this.#directory.replace(leaseFile(lease.key), this.#leaseText(lease, leaseMs));
    return true;
  }

  /**
   * Between the look at what is stored and the rename another process may publish, if it broke this
   * lease: then an older value replaces a newer one, and both are valid. Only time is lost.
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

  /** The file stays, as a lease that has lapsed: the next one must have a higher fence. */
  async release(lease: StoreLease): Promise<void> {
    if (!(await this.#isMine(lease))) return;
    await this.#directory.replace(leaseFile(lease.key), this.#leaseText(lease, 0));
  }

  async remove(key: string, accessKeyId: string): Promise<void> {
    const { record } = await this.#readValue(key, "credentials");
    if (record?.value.kind !== "credentials" || record.value.accessKeyId !== accessKeyId) return;
    await this.#directory.remove(valueFile(key, "credentials"));
  }

  /** The folder's clock is that of the file system, which is another machine's on a network. */
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
    const names = [leaseFile(key), valueFile(key, "credentials"), valueFile(key, "refusal")];
    await Promise.all(names.map((name) => this.#directory.remove(name)));
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

  /** A lease file that is being written counts as a lease. */
  async #readLease(key: string): Promise<LeaseRecord | undefined> {
    const text = await this.#directory.read(leaseFile(key));
    if (text === undefined) return undefined;
    return readLeaseRecord(text) ?? (await this.#unwritten(key));
  }

  async #unwritten(key: string): Promise<LeaseRecord | undefined> {
    const madeAt = await this.#directory.modifiedAt(leaseFile(key));
    if (madeAt === undefined) return undefined;
    return { owner: "", fence: 0, until: madeAt + UNWRITTEN_AFTER_MS, process: this.#self };
  }

  #isHeld({ until, process: owner }: LeaseRecord): boolean {
    const leftMs = until - Date.now();
    return leftMs > 0 && leftMs <= MAX_LEASE_MS && !hasEnded(owner, this.#self);
  }

  async #isMine({ key, owner }: StoreLease): Promise<boolean> {
    const text = await this.#directory.read(leaseFile(key));
    return text !== undefined && readLeaseRecord(text)?.owner === owner;
  }

  /**
   * Replaces a lapsed lease. One process at a time: of all that saw it lapse, only the first still finds
   * it when its turn comes, and the file is never missing in between.
   */
  async #takeOver(key: string, lapsed: LeaseRecord, text: string): Promise<boolean> {
    const turn = `${key}.takeover`;
    if (!(await this.#directory.create(turn, ""))) {
      const takenAt = (await this.#directory.modifiedAt(turn)) ?? Date.now();
      // Its process ended in between: whoever claims next can have the turn.
      if (Date.now() - takenAt > UNWRITTEN_AFTER_MS) await this.#directory.remove(turn);
      return false;
    }
    try {
      const current = await this.#readLease(key);
      if (current?.owner !== lapsed.owner || current.fence !== lapsed.fence) return false;
      await this.#directory.replace(leaseFile(key), text);
      return true;
    } finally {
      await this.#directory.remove(turn);
    }
  }

  async #lastFence(key: string): Promise<number> {
    const values = await Promise.all([
      this.#readValue(key, "credentials"),
      this.#readValue(key, "refusal"),
    ]);
    return Math.max(...values.map(({ record }) => record?.fence ?? 0));
  }

  #leaseText({ owner, fence }: Pick<StoreLease, "owner" | "fence">, leaseMs: number): string {
    const record: LeaseRecord = {
      owner,
      fence,
      until: Date.now() + leaseMs,
      process: this.#self,
    };
    return JSON.stringify(record);
  }
}

const VALUE_FILE = /^([\w-]+)\.(credentials|refusal)\.json$/;

function leaseFile(key: string): string {
  return `${key}.lease`;
}

function valueFile(key: string, kind: StoredValue["kind"]): string {
  return `${key}.${kind}.json`;
}

function readValueRecord(
  text: string,
  key: string,
  kind: StoredValue["kind"],
): { readonly record: ValueRecord } | { readonly problem: string } {
  const parsed = parse(text);
  const fence = readField(parsed, "fence");
  const until = readField(parsed, "until");
  const value = parseStoredValue(JSON.stringify(readField(parsed, "value") ?? null));
  if ("problem" in value) return value;
  if (!isWhole(fence) || !isWhole(until)) return { problem: "it is not a record of a store" };
  if (value.key !== key || value.kind !== kind) return { problem: "it is another key's" };
  return { record: { fence, until, value } };
}

function readLeaseRecord(text: string): LeaseRecord | undefined {
  const parsed = parse(text);
  const owner = readField(parsed, "owner");
  const fence = readField(parsed, "fence");
  const until = readField(parsed, "until");
  const process = readField(parsed, "process");
  const pid = readField(process, "pid");
  if (typeof owner !== "string" || !isWhole(fence) || !isWhole(until) || !isPid(pid)) {
    return undefined;
  }
  const fact = (name: string) => String(readField(process, name) ?? "");
  const [startedAt, bootId] = [fact("startedAt"), fact("bootId")];
  const pidNamespace = fact("pidNamespace");
  return { owner, fence, until, process: { pid, startedAt, bootId, pidNamespace } };
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

/** Signals to 0 and to negative numbers go to groups of processes. */
function isPid(value: unknown): value is number {
  return isWhole(value) && value > 0;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
