import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { PROGRAMS } from "../support/bundle-programs.js";

/** Longer than any example takes, even on a busy machine. */
const LIMIT_MS = 60_000;

export interface Finished {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts a file of `examples/`. Its only AWS settings are those in `env`, and the defaults below. */
export function startExample(
  path: string,
  env: Readonly<Record<string, string>>,
  args: readonly string[] = [],
): ChildProcess {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(AWS_|NODE_OPTIONS$|FORCE_COLOR$|ACTIONS_|GITHUB_)/.test(name),
  );
  const program = join(PROGRAMS, "examples", path.replace(/\.ts$/, ".mjs"));
  return spawn(process.execPath, [program, ...args], {
    env: {
      ...Object.fromEntries(inherited),
      AWS_CONFIG_FILE: "/nonexistent/config",
      AWS_SHARED_CREDENTIALS_FILE: "/nonexistent/credentials",
      AWS_EC2_METADATA_DISABLED: "true",
      AWS_REGION: "eu-west-1",
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: LIMIT_MS,
  });
}

/** Runs a file of `examples/` to its end. */
export async function runExample(
  path: string,
  env: Readonly<Record<string, string>> = {},
  args: readonly string[] = [],
): Promise<Finished> {
  const child = startExample(path, env, args);
  const [exitCode, stdout, stderr] = await Promise.all([
    new Promise<number | null>((resolve, reject) => {
      child.once("error", reject).once("close", resolve);
    }),
    child.stdout ? text(child.stdout) : "",
    child.stderr ? text(child.stderr) : "",
  ]);
  return { exitCode, stdout, stderr };
}
