import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { lstat, mkdir, open, readdir, rename, unlink } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { type Environment, readVariable } from "../runtime/environment.js";
import { readField } from "../runtime/redact.js";
import { MAX_VALUE_BYTES } from "./store-entry.js";

/** Windows has neither the flag nor owners and modes of this kind: its profile directories are private. */
const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;

/** Temporary files of processes that ended in the middle of a write are removed after this. */
const ABANDONED_AFTER_MS = 3_600_000;
/** All other files are removed after this: no session is valid for longer than 12 h. */
const OUTDATED_AFTER_MS = 86_400_000;

/** The directory that all processes of a user find: in memory until the login session ends, or in the user's cache. */
export function defaultDirectory(env: Environment, platform: NodeJS.Platform): string {
  const runtime = readVariable(env, "XDG_RUNTIME_DIR");
  const cache = readVariable(env, "XDG_CACHE_HOME");
  const local = readVariable(env, "LOCALAPPDATA");
  const name = "resilient-sts";
  if (runtime !== undefined) return join(runtime, name);
  if (platform === "win32") return join(local ?? join(homedir(), "AppData", "Local"), name);
  if (cache !== undefined) return join(cache, name);
  return platform === "darwin"
    ? join(homedir(), "Library", "Caches", name)
    : join(homedir(), ".cache", name);
}

/**
 * A directory that only its owner can use, with small files that are replaced as a whole. It refuses a
 * directory or file that belongs to another user, that others can read or write, or that is a symbolic link.
 */
export class StoreDirectory {
  readonly #path: string;
  #isSwept = false;

  constructor(path: string) {
    this.#path = path;
  }

  get path(): string {
    return this.#path;
  }

  /** The names of the files. */
  async names(): Promise<string[]> {
    await this.#prepare();
    return await readdir(this.#path);
  }

  /** The path of a file in the directory. */
  file(name: string): string {
    return join(this.#path, name);
  }

  /** The text of a file; `undefined` without one. Makes few system calls, because each waits for a thread. */
  async read(name: string): Promise<string | undefined> {
    const path = this.file(name);
    const checked = this.#check();
    const opened = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    // If one fails, the other one must not become an unhandled rejection.
    checked.catch(() => {});
    opened.catch(() => {});
    try {
      const file = await opened;
      try {
        const reading = Buffer.allocUnsafe(MAX_VALUE_BYTES + 1);
        const [stats, { bytesRead }] = await Promise.all([
          file.stat(),
          file.read(reading, 0, reading.length, 0),
          checked,
        ]);
        if (!stats.isFile()) throw new Error(`${path} is not a file`);
        checkOwner(path, stats);
        return bytesRead > MAX_VALUE_BYTES ? "" : reading.toString("utf8", 0, bytesRead);
      } finally {
        file.close().catch(() => {});
      }
    } catch (error) {
      if (readField(error, "code") !== "ENOENT") throw error;
      await checked.catch((reason: unknown) => {
        if (readField(reason, "code") !== "ENOENT") throw reason;
      });
      return undefined;
    }
  }

  /** Creates a file unless one of that name exists. @returns whether it was created. */
  async create(name: string, text: string): Promise<boolean> {
    await this.#prepare();
    try {
      await writeNew(this.file(name), text);
      return true;
    } catch (error) {
      if (readField(error, "code") === "EEXIST") return false;
      throw error;
    }
  }

  /**
   * Replaces a file as a whole: a reader sees the old text or the new one.
   *
   * @param isLasting - whether it must be whole after a power failure.
   */
  async replace(name: string, text: string, isLasting = false): Promise<void> {
    await this.#prepare();
    const temporary = this.file(`${name}.${randomBytes(8).toString("hex")}.tmp`);
    await writeNew(temporary, text, isLasting);
    try {
      await moveTo(this.file(name), temporary);
    } catch (error) {
      await unlink(temporary).catch(() => {});
      throw error;
    }
    this.#sweepOnce().catch(() => {});
  }

  /** When a file was written, in milliseconds since the epoch; `undefined` without one. */
  async modifiedAt(name: string): Promise<number | undefined> {
    const stats = await lstat(this.file(name)).catch(() => undefined);
    return stats?.mtimeMs;
  }

  async remove(name: string): Promise<void> {
    await unlink(this.file(name)).catch((error: unknown) => {
      if (readField(error, "code") !== "ENOENT") throw error;
    });
  }

  async #prepare(): Promise<void> {
    try {
      await this.#check();
    } catch (error) {
      if (readField(error, "code") !== "ENOENT") throw error;
      await mkdir(this.#path, { recursive: true, mode: 0o700 });
      await this.#check();
    }
  }

  async #check(): Promise<void> {
    const stats = await lstat(this.#path);
    if (!stats.isDirectory())
      throw new Error(`${this.#path} is not a directory, or is a symbolic link`);
    checkOwner(this.#path, stats);
  }

  /** Removes what killed processes left behind, once in each process. */
  async #sweepOnce(): Promise<void> {
    if (this.#isSwept) return;
    this.#isSwept = true;
    const names = await readdir(this.#path);
    await Promise.all(names.map((name) => this.#sweep(name).catch(() => {})));
  }

  async #sweep(name: string): Promise<void> {
    const isOurs = /^[\w-]{43}\./.test(name);
    if (!isOurs) return;
    const { mtimeMs } = await lstat(this.file(name));
    const limitMs = name.endsWith(".tmp") ? ABANDONED_AFTER_MS : OUTDATED_AFTER_MS;
    if (Date.now() - mtimeMs > limitMs) await this.remove(name);
  }
}

/** Windows refuses to replace a file while another process reads it, which ends after a moment. */
const MOVES = { tries: 5, pauseMs: 10 };

async function moveTo(target: string, source: string): Promise<void> {
  for (let left = MOVES.tries; ; left -= 1) {
    try {
      return await rename(source, target);
    } catch (error) {
      const isBusy = ["EPERM", "EACCES", "EBUSY"].includes(String(readField(error, "code")));
      if (process.platform !== "win32" || !isBusy || left <= 1) throw error;
      await setTimeout(MOVES.pauseMs);
    }
  }
}

async function writeNew(path: string, text: string, isLasting = false): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    await file.write(text);
    // A power failure after the rename must not leave an empty file under the right name.
    if (isLasting) await file.sync();
  } finally {
    await file.close();
  }
}

function checkOwner(path: string, { uid, mode }: { uid: number; mode: number }): void {
  const user = process.getuid?.();
  if (user === undefined) return;
  if (uid !== user) throw new Error(`${path} belongs to another user (${uid}, not ${user})`);
  if ((mode & 0o077) === 0) return;
  throw new Error(`${path} is open to other users; run: chmod go-rwx ${path}`);
}
