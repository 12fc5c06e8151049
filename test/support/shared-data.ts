import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Beside the repository: recordings of others that stay out of it. */
const FOLDER = fileURLToPath(new URL("../../../shared/data/", import.meta.url));

/**
 * Reads a recording, or says in one line what its absence leaves out.
 *
 * @throws when it is absent in CI, where nothing may be left out.
 */
export function readSharedJson(file: string, leftOut: string): unknown {
  if (!isThere(file, leftOut)) return undefined;
  return JSON.parse(readFileSync(FOLDER + file, "utf8"));
}

/** The names of the files in a folder of recordings. */
export function listSharedFiles(folder: string, leftOut: string): string[] {
  return isThere(folder, leftOut) ? readdirSync(FOLDER + folder) : [];
}

function isThere(path: string, leftOut: string): boolean {
  if (existsSync(FOLDER + path)) return true;
  const line = `No ${FOLDER}${path}: left out ${leftOut}`;
  if (process.env.CI) throw new Error(line);
  process.stdout.write(`${line}\n`);
  return false;
}
