import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { ROOT } from "../../support/sources.js";
import type { Score } from "../score-rows.js";
import { NETWORK_ROWS } from "./matrix-of-networks.js";
import { UNSHARE } from "./namespaces.js";
import type { NetworkRow } from "./network-row.js";

/** Tries the doctor on every world of network namespaces, all of them below one of its own. */
export async function scoreNetworks(): Promise<Map<NetworkRow, Score>> {
  const internet = join(ROOT, "test/doctor/networks/internet-process.ts");
  const child = spawn("unshare", [...UNSHARE, process.execPath, "--import", "tsx", internet], {
    cwd: ROOT,
    stdio: ["pipe", "pipe", "inherit"],
  });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, "close")]);
  if (code !== 0) throw new Error(`The worlds ended with ${code}; see above.`);
  const scores = JSON.parse(output) as readonly Score[];
  return new Map(
    NETWORK_ROWS.flatMap((row, index) => {
      const score = scores[index];
      return score === undefined ? [] : [[row, score]];
    }),
  );
}
