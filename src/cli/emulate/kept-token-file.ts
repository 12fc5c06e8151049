import { rmSync } from "node:fs";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { CommandFailure, EXIT, wrongUsage } from "../command.js";

/** Only its owner may read it. */
const MODE = 0o600;

/** A token file that is replaced in one step and removed at the end. */
export class KeptTokenFile implements AsyncDisposable {
  readonly path: string;
  readonly #folder: string | undefined;
  /** Removes the file also where the process does not end in the regular way. */
  readonly #onExit = () => {
    for (const [path, recursive] of this.#paths()) rmSync(path, { recursive, force: true });
  };

  private constructor(path: string, folder: string | undefined) {
    this.path = path;
    this.#folder = folder;
    process.once("exit", this.#onExit);
  }

  /** Writes the first token. An existing file is never replaced: it may belong to another program. */
  static async create(path: string | undefined, token: string): Promise<KeptTokenFile> {
    const folder = path === undefined ? await mkdtemp(join(tmpdir(), "resilient-sts-")) : undefined;
    const full = resolve(path ?? join(folder ?? "", "token"));
    try {
      await writeFile(full, token, { mode: MODE, flag: "wx" });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const named = JSON.stringify(full);
      if (code === "EEXIST") {
        throw wrongUsage(
          `the token file ${named} exists already; name a new one, because it is removed at the end`,
        );
      }
      throw new CommandFailure(`cannot write the token file ${named}: ${code}`, EXIT.usage);
    }
    return new KeptTokenFile(full, folder);
  }

  /** Replaces the token. A reader sees the old one or the new one. */
  async replace(token: string): Promise<void> {
    await writeFile(this.#next, token, { mode: MODE });
    await rename(this.#next, this.path);
  }

  get #next(): string {
    return `${this.path}.${process.pid}.next`;
  }

  /** What to remove, and whether with all that is in it, as for the folder that this object created. */
  #paths(): [path: string, recursive: boolean][] {
    const files: [string, boolean][] = [
      [this.path, false],
      [this.#next, false],
    ];
    return this.#folder === undefined ? files : [...files, [this.#folder, true]];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const [path, recursive] of this.#paths()) await rm(path, { recursive, force: true });
    process.removeListener("exit", this.#onExit);
  }
}
