import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Diagnosis } from "../../../src/doctor/diagnosis.js";
import { ROOT } from "../../house/sources.js";
import type { Scored } from "../matrix.js";
import { mistakes } from "../matrix-row.js";
import { NETWORK_ROWS } from "./matrix-of-networks.js";
import { UNSHARE } from "./namespaces.js";

/** Tries the doctor on every world of network namespaces, all of them below one of its own. */
export async function scoreNetworks(): Promise<Scored[]> {
  const internet = join(ROOT, "test/doctor/networks/internet-process.ts");
  const child = spawn("unshare", [...UNSHARE, process.execPath, "--import", "tsx", internet], {
    cwd: ROOT,
    stdio: ["pipe", "pipe", "inherit"],
  });
  const scores: Scored[] = [];
  const ended = once(child, "close");
  for await (const line of createInterface(child.stdout)) {
    const { index, diagnosis } = JSON.parse(line) as { index: number; diagnosis: Diagnosis };
    const row = NETWORK_ROWS[index];
    if (row === undefined) continue;
    scores[index] = { row, mistakes: mistakes(row, diagnosis), ms: diagnosis.facts.elapsedMs };
  }
  const [code] = (await ended) as [number | null];
  if (code !== 0) throw new Error(`The worlds ended with ${code}; see above.`);
  return scores;
}
