import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { PROGRAMS } from "../support/bundle-programs.js";
import { ROOT } from "../support/sources.js";

/** Longer than any command takes on a busy machine. */
const LIMIT_MS = 60_000;

export interface Finished {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string | Buffer;
  /** A process group of its own, as a terminal gives one to a command. */
  readonly ownGroup?: boolean;
}

/** Starts the command line without the AWS settings of this machine: only `options.env`. */
export function startCli(args: readonly string[], options: CliOptions = {}): ChildProcess {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(AWS_|NODE_OPTIONS$|FORCE_COLOR$|NO_COLOR$|ACTIONS_|GITHUB_)/.test(name),
  );
  const child = spawn(process.execPath, [join(PROGRAMS, "cli.mjs"), ...args], {
    cwd: ROOT,
    env: {
      ...Object.fromEntries(inherited),
      LC_ALL: "C.UTF-8",
      AWS_CONFIG_FILE: "/nonexistent/config",
      AWS_SHARED_CREDENTIALS_FILE: "/nonexistent/credentials",
      ...options.env,
    },
    timeout: LIMIT_MS,
    detached: options.ownGroup ?? false,
  });
  // In some tests, the command stops reading a long input.
  child.stdin?.on("error", () => {});
  child.stdin?.end(options.stdin ?? "");
  return child;
}

/** Waits for the end of the command. Returns its exit code and everything that it wrote. */
export async function finished(child: ChildProcess): Promise<Finished> {
  const [exitCode, stdout, stderr] = await Promise.all([
    new Promise<number | null>((resolve, reject) => {
      child.once("error", reject).once("close", resolve);
    }),
    // A test may have closed standard output.
    child.stdout ? text(child.stdout).catch(() => "") : "",
    child.stderr ? text(child.stderr) : "",
  ]);
  return { exitCode, stdout, stderr };
}

/** Runs the command to its end. */
export async function runCli(args: readonly string[], options: CliOptions = {}): Promise<Finished> {
  return await finished(startCli(args, options));
}

/** Waits until standard output matches, and returns what was written so far. */
export async function waitFor(child: ChildProcess, words: RegExp): Promise<string> {
  let seen = "";
  for await (const piece of child.stdout ?? []) {
    seen += String(piece);
    if (words.test(seen)) return seen;
  }
  throw new Error(`ended without ${words}: ${seen}`);
}
