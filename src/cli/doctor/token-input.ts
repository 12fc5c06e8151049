import { open, stat } from "node:fs/promises";
import { addAbortSignal, type Readable } from "node:stream";
import { type CommandFailure, wrongUsage } from "../command.js";
import { quoted } from "../option-values.js";

/** STS accepts 20,000 characters. A longer text than this is not a token. */
const MAX_TOKEN_BYTES = 64 * 1024;

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** @throws CommandFailure when the file that the command line names can't hold a token. */
export async function checkTokenFile(path: string): Promise<void> {
  const named = quoted(path);
  try {
    const found = await stat(path);
    // A pipe can be read only once, so this check leaves it alone.
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

/** Reads a token from standard input to its end, and at most as much as a token can have. */
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
  ENOENT: "there is no such file; check the path, and that it is mounted",
  EACCES: "permission denied; run as the workload's user",
  EPERM: "permission denied; run as the workload's user",
  ENOTDIR: "a part of its path is not a directory",
  EISDIR: "it is a directory; name a file in it",
  ELOOP: "its symbolic links form a loop",
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
    `${what} has more than ${MAX_TOKEN_BYTES / 1024} KiB, and no token is that long; give the JWT alone`,
  );
}
