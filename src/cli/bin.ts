#!/usr/bin/env node
/**
 * The file behind the command `resilient-sts`. SDKs run `credential-process` again and again, and nearly
 * always its answer is stored: one CommonJS file reads that in half of the time that the whole program
 * takes. Everything else is `main.ts`.
 */
import { writeSync } from "node:fs";

const [, , command, ...args] = process.argv;

async function start(): Promise<void> {
  if (command === "credential-process") {
    const { storedAnswer } = await import("./credential-process/stored-answer.js");
    const answer = await storedAnswer(args, process.env);
    if (answer !== undefined && (await print(answer))) process.exit();
  }
  await import("./main.js");
}

/**
 * Without `process.stdout`, which takes milliseconds to load, unless a pipe that does not block is full.
 *
 * @returns whether the text was written. The whole program reports why it could not be.
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
    // A failed write is reported by its callback. Without a listener, the event would end the process.
    process.stdout.on("error", () => {}).write(rest, (error) => resolve(!error));
  });
}

void start();
