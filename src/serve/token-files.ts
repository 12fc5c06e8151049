import { randomBytes } from "node:crypto";
import { lstat, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { GuardedRole } from "./request-guard.js";

const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;

/** The files with the bearer tokens, one for each role. Only their owner can read them. */
export class TokenFiles {
  readonly #paths = new Map<string, string>();

  /**
   * Writes each token without a newline: the JavaScript SDK and boto3 refuse a header that ends in
   * one. A reader never sees a part of a token.
   *
   * @throws Error when the directory is a symbolic link, belongs to another user or is open to others.
   */
  async write(directory: string, roles: readonly GuardedRole[]): Promise<void> {
    const folder = resolve(directory);
    await mkdir(folder, { recursive: true, mode: FOLDER_MODE });
    await checkFolder(folder);
    for (const { name, token } of roles) {
      const path = join(folder, `${name}.token`);
      const next = `${path}.${randomBytes(8).toString("hex")}`;
      await writeFile(next, token, { mode: FILE_MODE, flag: "wx" });
      await rename(next, path);
      this.#paths.set(name, path);
    }
  }

  pathOf(role: string): string | undefined {
    return this.#paths.get(role);
  }

  async remove(): Promise<void> {
    for (const path of this.#paths.values()) await rm(path, { force: true });
  }
}

async function checkFolder(folder: string): Promise<void> {
  const { uid, mode } = await lstat(folder).then((stats) => {
    if (stats.isDirectory()) return stats;
    throw new Error(`The token directory ${folder} is not a directory; name another one.`);
  });
  // Windows has neither owners nor modes of this kind.
  if (process.getuid === undefined) return;
  if (uid !== process.getuid()) {
    throw new Error(`The token directory ${folder} belongs to another user; name another one.`);
  }
  if ((mode & 0o077) !== 0) {
    throw new Error(
      `The token directory ${folder} is open to other users (mode ${(mode & 0o777).toString(8)}); run chmod 700 on it, or name a new directory inside it.`,
    );
  }
}
