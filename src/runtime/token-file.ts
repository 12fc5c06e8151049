import { isUtf8 } from "node:buffer";
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { sleep } from "./abort.js";
import type { Clock } from "./clock.js";
import { errorCode } from "./system-errors.js";

/** A token has at most 20,000 characters: a longer file is not a token. */
const MAX_READ_BYTES = 64 * 1024;

/**
 * How long to wait for a missing or empty file: long enough for a writer that truncates the file first, or
 * for a symlink that is being replaced, and short enough to report a wrong path without delay.
 */
const PATIENCE_MS = 500;
const POLL_MS = 100;

/**
 * A named pipe without a writer would block a thread of Node's pool forever. A few such pipes would block
 * all file and DNS work of the process. (Windows has neither the pipes nor the flag.)
 */
const READ_FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/**
 * Returns a source that reads the token from a file with every call: the kubelet and other agents replace
 * the file while the process runs. It waits half a second for a missing or empty file, then throws.
 */
export function fromFile(
  path: string,
  clock: Clock,
): (context: { readonly signal: AbortSignal }) => Promise<string> {
  return async ({ signal }) => {
    const deadline = clock.monotonic() + PATIENCE_MS;
    const pause = () => sleep(clock, POLL_MS, signal);
    for (;;) {
      const outcome = await readOnce(path, pause);
      if (outcome.token !== undefined) return outcome.token;
      if (clock.monotonic() >= deadline) throw outcome.error;
      await pause();
    }
  };
}

type Outcome = { token: string } | { token?: undefined; error: unknown };

/** Returns the token, or an error that may be temporary; throws any other error. */
async function readOnce(path: string, pause: () => Promise<void>): Promise<Outcome> {
  try {
    const text = await readText(path, pause);
    return text.trim() === "" ? { error: new Error("the file is empty") } : { token: text };
  } catch (error) {
    if (errorCode(error) === "ENOENT") return { error };
    throw error;
  }
}

/**
 * The text of a regular file, at most 64 KiB, without any wait. `undefined` for a pipe or a device: to read
 * one would block, or take the token from the process that needs it.
 */
export async function peekFile(path: string): Promise<string | undefined> {
  const file = await open(path, READ_FLAGS);
  try {
    if (!(await file.stat()).isFile()) return undefined;
    const buffer = Buffer.allocUnsafe(MAX_READ_BYTES);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
    return buffer.toString("utf8", 0, bytesRead);
  } finally {
    await file.close();
  }
}

async function readText(path: string, pause: () => Promise<void>): Promise<string> {
  const file = await open(path, READ_FLAGS);
  try {
    const buffer = Buffer.allocUnsafe(MAX_READ_BYTES);
    let length = 0;
    // A pipe or a slow mount returns the file in pieces.
    while (length < MAX_READ_BYTES) {
      const bytesRead = await readPiece(file, buffer, length);
      if (bytesRead === 0) break;
      if (bytesRead === undefined) await pause();
      else length += bytesRead;
    }
    // The fault of a longer file is its length, and not a character that the limit cuts in two.
    return length < MAX_READ_BYTES ? decode(buffer.subarray(0, length)) : buffer.toString();
  } finally {
    await file.close();
  }
}

/** `undefined` when a pipe has a writer that has not written yet. */
async function readPiece(
  file: FileHandle,
  buffer: Buffer,
  offset: number,
): Promise<number | undefined> {
  try {
    return (await file.read(buffer, offset, buffer.length - offset, null)).bytesRead;
  } catch (error) {
    if (errorCode(error) === "EAGAIN") return undefined;
    throw error;
  }
}

function decode(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new Error("the file is not UTF-8 text");
  return bytes.toString();
}
