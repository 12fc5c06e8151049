import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { REGION, ROLE_ARN } from "./in-process.js";

export type System = "ESM" | "CJS";

/** Their arguments are a package and how to use it. They report the time to the first credentials. */
export const PROGRAMS: Readonly<Record<System, string>> = {
  ESM: fileURLToPath(new URL("processes/cold-start.mjs", import.meta.url)),
  CJS: fileURLToPath(new URL("processes/cold-start.cjs", import.meta.url)),
};

interface Workload extends Disposable {
  /** The environment of such a process. */
  readonly env: NodeJS.ProcessEnv;
}

/** The environment of a workload whose token is in a file. */
export function workload(token: string, stsUrl: string): Workload {
  const folder = mkdtempSync(join(tmpdir(), "resilient-sts-bench-"));
  const tokenFile = join(folder, "token");
  writeFileSync(tokenFile, token);
  return {
    env: {
      PATH: process.env.PATH,
      NODE_NO_WARNINGS: "1",
      AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile,
      AWS_ROLE_ARN: ROLE_ARN,
      AWS_REGION: REGION,
      AWS_ENDPOINT_URL_STS: stsUrl,
      AWS_CONFIG_FILE: join(folder, "none"),
      AWS_SHARED_CREDENTIALS_FILE: join(folder, "none"),
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  };
}

interface Started {
  readonly ms: number;
  /** Processor time in those milliseconds: a busy machine changes it less. */
  readonly cpuMs: number;
  /** From the credentials to the end of the process, in milliseconds. */
  readonly endedAfterMs: number;
}

/** Runs a program to its end. */
export function startProcess(args: readonly string[], env: NodeJS.ProcessEnv): Promise<Started> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    let complained = "";
    child.stdout.on("data", (piece) => {
      said += piece;
    });
    child.stderr.on("data", (piece) => {
      complained += piece;
    });
    child.on("error", reject);
    child.on("close", (code) => {
      if (code !== 0 || said === "") {
        reject(new Error(`${args.join(" ")} ended with ${code}: ${complained.slice(0, 500)}`));
        return;
      }
      const { ms, cpuMs, doneAt } = JSON.parse(said) as Omit<Started, "endedAfterMs"> & {
        readonly doneAt: number;
      };
      resolve({ ms, cpuMs, endedAfterMs: Date.now() - doneAt });
    });
  });
}
