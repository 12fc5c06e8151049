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
  /** Makes a store and a provider; asks for nothing yet. */
  prepare(instructions: SharingInstructions): Promise<void>;
  /** Asks for credentials, and says how that went. */
  go(): Promise<SharingReport>;
}

/** The program that {@link ProcessStarter.start} starts, in one file. */
export interface ProcessStarter extends Disposable {
  start(): Promise<SharingProcess>;
  /** So many, a few at a time: a start is work. */
  startMany(count: number): Promise<SharingProcess[]>;
}

const AT_A_TIME = 5;

const REQUIRE_IN_ESM =
  'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';

/** Builds the program. One file: fifty processes that look for a thousand modules would measure that. */
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
    const answer = once(child, "message");
    child.send(message);
    const [report] = await answer;
    return report as SharingReport;
  };
  return {
    child,
    prepare: async (instructions) => void (await ask(instructions)),
    go: () => ask("go"),
    [Symbol.dispose]: () => void child.kill("SIGKILL"),
  };
}
