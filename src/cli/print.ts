import type { Writable } from "node:stream";
import { redact } from "../runtime/redact.js";
import { CommandFailure, EXIT } from "./command-failure.js";

/** Writes to standard output or error and waits until it is through; no token passes. */
export async function print(stream: Writable, text: string): Promise<void> {
  await write(stream, redact(text));
}

/**
 * Writes credentials for the SDK that asked for them, in the form of a `credential_process`: one JSON
 * document in one write, as it is.
 */
export async function printCredentials(stream: Writable, document: object): Promise<void> {
  await write(stream, `${JSON.stringify({ Version: 1, ...document })}\n`);
}

async function write(stream: Writable, text: string): Promise<void> {
  const error = await new Promise<Error | null | undefined>((resolve) => {
    stream.write(text, resolve);
  });
  if (!error) return;
  const { code = error.message } = error as NodeJS.ErrnoException;
  const problem = code === "EPIPE" ? "its reader closed it before the end" : String(code);
  throw new CommandFailure(`the output could not be written: ${problem}`, EXIT.failed);
}
