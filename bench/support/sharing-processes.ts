import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import type { SharingInstructions, SharingReport } from "./sharing-process.js";

/** One process that gets credentials, with or without a store. */
export interface SharingProcess extends Disposable {
  readonly child: ChildProcess;
  /** Creates a store and a provider, and does not call them yet. */
  prepare(instructions: SharingInstructions): Promise<void>;
  /** Gets credentials, and reports the result. */
  go(): Promise<SharingReport>;
}

/** The program that {@link ProcessStarter.start} starts, in one file. */
export interface ProcessStarter extends Disposable {
  start(): Promise<SharingProcess>;
  /** Starts this many processes, a few at a time, because each start takes processor time. */
  startMany(count: number): Promise<SharingProcess[]>;
}

const AT_A_TIME = 5;

const REQUIRE_IN_ESM =
  'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';

/** Builds the program as one file, because resolving a thousand modules in fifty processes would distort the figures. */
export async function buildSharingProcess(): Promise<ProcessStarter> {
  const folder = mkdtempSync(join(tmpdir(), "sharing-process-"));
  const script = join(folder, "process.mjs");
  await build({
    entryPoints: [join(import.meta.dirname, "sharing-process.ts")],
    outfile: script,
    bundle: true,
    platform: "node",
    format: "esm",
    mainFields: ["module", "main"],
    logLevel: "silent",
    banner: { js: REQUIRE_IN_ESM },
  });
  const start = () => startProcess(script);
  return {
    start,
    async startMany(count) {
      const started: SharingProcess[] = [];
      while (started.length < count) {
        const few = Math.min(AT_A_TIME, count - started.length);
        started.push(...(await Promise.all(Array.from({ length: few }, start))));
      }
      return started;
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

async function startProcess(script: string): Promise<SharingProcess> {
  const child = fork(script, [], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    env: { PATH: process.env.PATH, AWS_EC2_METADATA_DISABLED: "true", NODE_NO_WARNINGS: "1" },
  });
  await once(child, "message");
  const ask = async (message: SharingInstructions | "go") => {
    const reported = once(child, "message");
    child.send(message);
    const [report] = await reported;
    return report as SharingReport;
  };
  return {
    child,
    prepare: async (instructions) => void (await ask(instructions)),
    go: () => ask("go"),
    [Symbol.dispose]: () => void child.kill("SIGKILL"),
  };
}
