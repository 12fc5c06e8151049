import { randomBytes } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import type { StoreLease } from "../model/credential-store.js";
import { readField } from "../runtime/redact.js";
import type { StoreDirectory } from "./store-directory.js";
import { isInteger, parseJson } from "./store-entry.js";

/*
 * The leases of a file store. Each key has one lease file. It stays when its lease is released, as a
 * lease that has expired, because the next lease must have a higher fence.
 *
 * A lease file is created only if there is none, and is then only replaced under a lock: of all processes
 * that claim, extend or release the same lease at the same time, at most one succeeds. A lock is a file that is
 * created exclusively, and removed after some milliseconds.
 */

/** The longest lease, in milliseconds. If a lease ends later than this, the clock was set back. */
const MAX_LEASE_MS = 120_000;

/**
 * If a lease file without content, or a lock, is older than this, its process ended before it finished;
 * in milliseconds.
 */
const ABANDONED_AFTER_MS = 2_000;

/** The content of a lease file. */
interface LeaseRecord extends Pick<StoreLease, "owner" | "fence"> {
  /** When the lease expires, in milliseconds since the epoch. */
  readonly until: number;
  readonly process: LeaseOwner;
}

/** The leases in one directory, of which each key has at most one. */
export class FileLeases {
  readonly #directory: StoreDirectory;
  readonly #storedFence: (key: string) => Promise<number>;
  readonly #self = thisProcess();

  /** @param storedFence - returns the highest fence of the values that are stored under a key. */
  constructor(directory: StoreDirectory, storedFence: (key: string) => Promise<number>) {
    this.#directory = directory;
    this.#storedFence = storedFence;
  }

  /** Whether any process holds the lease of the key. */
  async isHeld(key: string): Promise<boolean> {
    const record = await this.#read(key);
    return record !== undefined && this.#isCurrent(record);
  }

  /** @returns the new lease, or `undefined` while another process holds the lease or changes it. */
  async claim(key: string, leaseMs: number): Promise<StoreLease | undefined> {
    const [before, storedFence] = await Promise.all([this.#read(key), this.#storedFence(key)]);
    if (before !== undefined && this.#isCurrent(before)) return undefined;
    const owner = randomBytes(16).toString("base64url");
    // Higher than every fence that is stored; the time makes it higher than those that were removed.
    const fence = Math.max(Date.now(), storedFence, before?.fence ?? 0) + 1;
    const lease = { key, owner, fence };
    const text = this.#text(lease, leaseMs);
    const isClaimed =
      before === undefined
        ? await this.#create(lease, text)
        : await this.#replace({ ...before, key }, text, (current) => !this.#isCurrent(current));
    return isClaimed ? lease : undefined;
  }

  /** Returns `false` for a lease that was released or has expired, even if no process has claimed it since. */
  async extend(lease: StoreLease, leaseMs: number): Promise<boolean> {
    const text = this.#text(lease, leaseMs);
    return await this.#replace(lease, text, (current) => this.#isCurrent(current));
  }

  /** If another process is changing the lease at this moment, the lease is not released, and expires later. */
  async release(lease: StoreLease): Promise<void> {
    await this.#replace(lease, this.#text(lease, 0), () => true);
  }

  async remove(key: string): Promise<void> {
    await this.#directory.remove(leaseFile(key));
  }

  /** A lease file without content is being written, and counts as a lease. */
  async #read(key: string): Promise<LeaseRecord | undefined> {
    const text = await this.#directory.read(leaseFile(key));
    if (text === undefined) return undefined;
    return parseRecord(text) ?? (await this.#unwritten(key));
  }

  async #unwritten(key: string): Promise<LeaseRecord | undefined> {
    const createdAt = await this.#directory.modifiedAt(leaseFile(key));
    if (createdAt === undefined) return undefined;
    return { owner: "", fence: 0, until: createdAt + ABANDONED_AFTER_MS, process: this.#self };
  }

  #isCurrent({ until, process: owner }: LeaseRecord): boolean {
    const leftMs = until - Date.now();
    return leftMs > 0 && leftMs <= MAX_LEASE_MS && !hasEnded(owner, this.#self);
  }

  async #create({ key, owner }: StoreLease, text: string): Promise<boolean> {
    if (!(await this.#directory.create(leaseFile(key), text))) return false;
    // If the write was so slow that the file counted as abandoned, another process has replaced it.
    return (await this.#read(key))?.owner === owner;
  }

  /** Replaces the lease file if it still holds this lease, and the lease may be replaced. @returns whether it did. */
  async #replace(
    { key, owner, fence }: StoreLease,
    text: string,
    mayReplace: (current: LeaseRecord) => boolean,
  ): Promise<boolean> {
    const start = performance.now();
    const lock = await this.#lock(key, fence);
    if (lock === undefined) return false;
    // Other processes may soon regard the lock as abandoned. It stays then: if it were removed, two of
    // them could each have a lock.
    const isLate = () => performance.now() - start > 0.75 * ABANDONED_AFTER_MS;
    try {
      const current = await this.#read(key);
      if (current?.owner !== owner || current.fence !== fence) return false;
      if (!mayReplace(current) || isLate()) return false;
      await this.#directory.replace(leaseFile(key), text);
      return true;
    } finally {
      if (!isLate()) await this.#directory.remove(lock);
    }
  }

  /**
   * Locks one lease. An abandoned lock is not removed, because two processes could do so, and the second
   * one would remove the lock of a third. The next lock has the next name instead.
   */
  async #lock(key: string, fence: number): Promise<string | undefined> {
    for (let number = 1; ; number += 1) {
      const name = `${key}.${fence}.${number}.lock`;
      if (await this.#directory.create(name, "")) return name;
      const createdAt = await this.#directory.modifiedAt(name);
      const isAbandoned =
        createdAt !== undefined && Math.abs(Date.now() - createdAt) > ABANDONED_AFTER_MS;
      if (!isAbandoned) return undefined;
    }
  }

  #text({ owner, fence }: StoreLease, leaseMs: number): string {
    const until = Date.now() + leaseMs;
    const record: LeaseRecord = { owner, fence, until, process: this.#self };
    return JSON.stringify(record);
  }
}

function leaseFile(key: string): string {
  return `${key}.lease`;
}

function parseRecord(text: string): LeaseRecord | undefined {
  const parsed = parseJson(text);
  const owner = readField(parsed, "owner");
  const fence = readField(parsed, "fence");
  const until = readField(parsed, "until");
  const process = readField(parsed, "process");
  const pid = readField(process, "pid");
  if (typeof owner !== "string" || !isInteger(fence) || !isInteger(until) || !isPid(pid)) {
    return undefined;
  }
  const fact = (name: string) => String(readField(process, name) ?? "");
  const [startedAt, bootId] = [fact("startedAt"), fact("bootId")];
  const pidNamespace = fact("pidNamespace");
  return { owner, fence, until, process: { pid, startedAt, bootId, pidNamespace } };
}

/** Signals to 0 and to negative numbers go to groups of processes. */
function isPid(value: unknown): value is number {
  return isInteger(value) && value > 0;
}

/** Identifies a process: of which boot, and in which container. */
interface LeaseOwner {
  readonly pid: number;
  /** When the process started, in the kernel's ticks since boot. */
  readonly startedAt: string;
  readonly bootId: string;
  /** The namespace in which the pid counts: two containers may both have a process 7. */
  readonly pidNamespace: string;
}

/** Facts that the system does not report are empty: then a lease of a process that ended expires by time. */
export function thisProcess(): LeaseOwner {
  const { pid } = process;
  return { pid, startedAt: startOf(pid), bootId: bootId(), pidNamespace: pidNamespace() };
}

/** Whether the owner has certainly ended. */
function hasEnded(owner: LeaseOwner, self: LeaseOwner): boolean {
  if (owner.bootId !== self.bootId) return owner.bootId !== "" && self.bootId !== "";
  if (owner.pidNamespace !== self.pidNamespace) return false;
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
  // The system may have given the pid to another process since.
  const startedAt = startOf(owner.pid);
  return owner.startedAt !== "" && startedAt !== "" && startedAt !== owner.startedAt;
}

/** Field 22 of /proc/PID/stat (proc(5)). The name before it may contain anything, also brackets. */
function startOf(pid: number): string {
  const text = readText(`/proc/${pid}/stat`);
  return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}

function bootId(): string {
  return readText("/proc/sys/kernel/random/boot_id").trim();
}

function pidNamespace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return "";
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
