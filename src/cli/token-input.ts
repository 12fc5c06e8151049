import { open, stat } from "node:fs/promises";
import { addAbortSignal, type Readable } from "node:stream";
import { safeText } from "../runtime/redact.js";
import { type CommandFailure, wrongUsage } from "./command-failure.js";

/** STS takes 20,000 characters; what is longer than this is no token at all. */
const MAX_TOKEN_BYTES = 64 * 1024;

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Makes sure that the file named on the command line can hold a token at all. */
export async function checkTokenFile(path: string): Promise<void> {
  const named = JSON.stringify(safeText(path, 200));
  try {
    const found = await stat(path);
    // A pipe can be read only once, and not by this check.
    if (!found.isFile() && !found.isDirectory()) return;
    if (found.isFile() && found.size > MAX_TOKEN_BYTES) throw tooLong(`the token file ${named}`);
    const file = await open(path, "r");
    try {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(MAX_TOKEN_BYTES));
      decode(`the token file ${named}`, buffer.subarray(0, bytesRead));
    } finally {
      await file.close();
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    const problem = SYSTEM_WORDS[code] ?? code;
    throw wrongUsage(`cannot read the token file ${named}: ${problem}`);
  }
}

/** Reads a token from standard input: to its end, but never more than a token can have. */
export async function readTokenFrom(input: Readable, signal: AbortSignal): Promise<string> {
  addAbortSignal(signal, input);
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of input) {
    const bytes = Buffer.from(piece as Buffer);
    pieces.push(bytes);
    length += bytes.length;
    if (length > MAX_TOKEN_BYTES) {
      input.destroy();
      throw tooLong("standard input");
    }
  }
  const text = decode("standard input", Buffer.concat(pieces)).trim();
  if (text !== "") return text;
  throw wrongUsage(
    "standard input is empty; pipe the token in: resilient-sts doctor --token - < FILE",
  );
}

const SYSTEM_WORDS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file; see that it is mounted and the path is right",
  EACCES: "permission denied; run as the workload's user",
  EPERM: "permission denied; run as the workload's user",
  ENOTDIR: "a part of its path is no directory",
  EISDIR: "it is a directory; name the file in it",
  ELOOP: "its symbolic links go round in a circle",
};

function decode(what: string, bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw wrongUsage(`${what} is not UTF-8 text; give the JWT itself, as text`);
  }
}

function tooLong(what: string): CommandFailure {
  return wrongUsage(
    `${what} has more than ${MAX_TOKEN_BYTES / 1024} KiB, no token is that long; give the JWT alone`,
  );
}
