#!/usr/bin/env node
/**
 * The file behind the command `resilient-sts`. SDKs run `credential-process` again and again, and nearly
 * always its answer is stored: one CommonJS file prints that in half of the time that the whole program
 * takes. Everything else is `main.ts`.
 */

const [, , command, ...args] = process.argv;

async function start(): Promise<void> {
  if (command === "credential-process") {
    const { printStoredAnswer } = await import("./credential-process/stored-answer.js");
    // A failed write is reported by its callback. Without a listener, the event would end the process.
    const stdout = () => process.stdout.on("error", () => {});
    if (await printStoredAnswer(args, process.env, stdout)) process.exit();
  }
  await import("./main.js");
}

void start();
