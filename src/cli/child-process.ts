import { spawn } from "node:child_process";
import { constants } from "node:os";
import { safeText } from "../runtime/redact.js";
import { CommandFailure } from "./command-failure.js";
import type { Surroundings } from "./surroundings.js";

/** Signals that a supervisor or a person sends to the command, and that are meant for the child. */
const FORWARDED = [
  "SIGTERM",
  "SIGHUP",
  "SIGINT",
  "SIGQUIT",
  "SIGUSR1",
  "SIGUSR2",
  "SIGWINCH",
] as const;

/** Signals that a terminal sends to the whole foreground group: the child has them already. */
const FROM_TERMINAL: readonly string[] = ["SIGINT", "SIGQUIT", "SIGWINCH"];

/** What a shell reports for a command that is not there, and for one that can't be run (POSIX). */
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;

export interface Child {
  /** Resolves with the exit code, or with 128 and the number of the signal that ended the child. */
  readonly exitCode: Promise<number>;
}

/**
 * Runs a command with this process's input and output, passes signals on to it, and reports its end
 * as a shell does. The command is not run by a shell: its arguments reach it as they were given.
 *
 * @throws CommandFailure when the command can't be started.
 */
export async function runChild(
  [command = "", ...args]: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  { stdin, stdout, stderr }: Pick<Surroundings, "stdin" | "stdout" | "stderr">,
): Promise<Child> {
  const child = spawn(command, args, { stdio: "inherit", env, windowsHide: false });
  const hasTerminal = [stdin, stdout, stderr].some(({ isTTY }) => isTTY === true);
  const listeners = FORWARDED.map((signal) => {
    const forward = () => {
      if (!hasTerminal || !FROM_TERMINAL.includes(signal)) child.kill(signal);
    };
    process.on(signal, forward);
    return () => process.off(signal, forward);
  });
  const ended = new Promise<number>((resolve) => {
    child.once("close", (code, signal) => {
      for (const remove of listeners) remove();
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (error: NodeJS.ErrnoException) => {
      for (const remove of listeners) remove();
      reject(startFailure(command, error));
    });
  });
  return { exitCode: ended };
}

function startFailure(command: string, { code = "unknown error" }: NodeJS.ErrnoException) {
  const named = JSON.stringify(safeText(command, 200));
  if (code === "ENOENT") {
    return new CommandFailure(`there is no command ${named} on the PATH`, NOT_FOUND);
  }
  return new CommandFailure(`the command ${named} can't be started: ${code}`, NOT_EXECUTABLE);
}
