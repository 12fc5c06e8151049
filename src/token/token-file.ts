import { open } from "node:fs/promises";
import { type Clock, sleep } from "../clock.js";
import type { TokenSource } from "./token-source.js";

/** A token is at most 20,000 characters: whatever is longer than this is no token. */
const MAX_READ_BYTES = 64 * 1024;

/**
 * How long a missing or empty file is waited for: long enough for a writer that truncates and
 * writes, or a rotating symlink, and short enough for a wrong path to be told at once.
 */
const PATIENCE_MS = 500;
const POLL_MS = 100;

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * Reads the token from a file, anew every time: the kubelet and friends replace it while the
 * process runs.
 *
 * A file that is missing or empty is looked for again for half a second; what stays wrong is thrown.
 */
export function fromFile(path: string, clock: Clock): TokenSource {
  return async ({ signal }) => {
    const deadline = clock.monotonic() + PATIENCE_MS;
    for (;;) {
      const outcome = await readOnce(path);
      if (outcome.token !== undefined) return outcome.token;
      if (clock.monotonic() >= deadline) throw outcome.error;
      await sleep(clock, POLL_MS, signal);
    }
  };
}

type Outcome = { token: string } | { token?: undefined; error: Error };

/** One look: the token, or a failure that may pass. Any other failure is thrown. */
async function readOnce(path: string): Promise<Outcome> {
  try {
    const text = await readText(path);
    return text.trim() === "" ? { error: new Error("the file is empty") } : { token: text };
  } catch (error) {
    if (isMissing(error)) return { error };
    throw error;
  }
}

async function readText(path: string): Promise<string> {
  const file = await open(path, "r");
  try {
    const buffer = Buffer.allocUnsafe(MAX_READ_BYTES);
    let length = 0;
    // A pipe or a slow mount gives the file in pieces.
    while (length < MAX_READ_BYTES) {
      const { bytesRead } = await file.read(buffer, length, MAX_READ_BYTES - length, null);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return decode(buffer.subarray(0, length));
  } finally {
    await file.close();
  }
}

function decode(bytes: Buffer): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new Error("the file is not UTF-8 text");
  }
}

function isMissing(error: unknown): error is Error {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === "ENOENT";
}
