#!/usr/bin/env node
/**
 * The file behind the command `resilient-sts`. SDKs run `credential-process` again and again, and the
 * credentials are almost always stored: one CommonJS file reads them in half of the time that the whole
 * program needs. `main.ts` does everything else.
 */
import { writeSync } from "node:fs";

const [, , command, ...args] = process.argv;

async function start(): Promise<void> {
  if (command === "credential-process") {
    const { storedCredentials } = await import("./credential-process/stored-credentials.js");
    const credentials = await storedCredentials(args, process.env);
    if (credentials !== undefined && (await print(credentials))) process.exit();
  }
  await import("./main.js");
}

/**
 * Writes to standard output. Uses `process.stdout`, which takes milliseconds to load, only if a
 * non-blocking pipe is full.
 *
 * @returns whether the text was written. If not, the whole program runs and reports why.
 */
async function print(text: string): Promise<boolean> {
  const STDOUT = 1;
  let rest = Buffer.from(text);
  try {
    while (rest.length > 0) rest = rest.subarray(writeSync(STDOUT, rest));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return false;
  }
  return await new Promise((resolve) => {
    // The callback of a write reports its failure. Without a listener, the event would end the process.
    process.stdout.on("error", () => {}).write(rest, (error) => resolve(!error));
  });
}

void start();
