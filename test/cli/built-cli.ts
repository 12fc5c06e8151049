import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { bundlePrograms } from "../support/bundle-programs.js";
import { ROOT } from "../support/sources.js";
import type { Finished } from "./run-cli.js";

/** The command, built as JavaScript into a folder of its own, so that it starts as fast as the published one. */
export interface BuiltCli extends AsyncDisposable {
  readonly script: string;
  run(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Finished>;
}

interface BuildOptions {
  /** Whether packages can be loaded. Where they can't, a command that needs one fails. */
  readonly withPackages: boolean;
  /** A package that can't be loaded, like an optional peer that is not installed. */
  readonly without?: string;
}

export async function buildCli({ withPackages, without }: BuildOptions): Promise<BuiltCli> {
  // Node looks for packages in the folders above a script.
  const parent = withPackages ? join(ROOT, "node_modules", ".test-builds") : tmpdir();
  await mkdir(parent, { recursive: true });
  const folder = await mkdtemp(join(parent, "cli-"));
  const alias = without === undefined ? {} : { [without]: `${without}-that-is-not-installed` };
  await bundlePrograms({ bin: "src/cli/bin.ts" }, folder, alias);
  const script = join(folder, "bin.mjs");
  return {
    script,
    async run(args, env) {
      const child = spawn(process.execPath, [script, ...args], {
        env: { PATH: process.env.PATH, LC_ALL: "C.UTF-8", ...env },
        stdio: ["ignore", "pipe", "pipe"],
      });
      const [exitCode, stdout, stderr] = await Promise.all([
        new Promise<number | null>((resolve, reject) => {
          child.once("error", reject).once("close", resolve);
        }),
        text(child.stdout),
        text(child.stderr),
      ]);
      return { exitCode, stdout, stderr };
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
