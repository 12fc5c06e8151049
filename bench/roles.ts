import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { startPlace } from "./in-process.js";
import { figure, type PartResult, ratio } from "./report.js";

const ROLES = 1_000;
const CONTENDERS = ["ours", "stock", "stock + p-retry", "floor"];
const PROGRAM = fileURLToPath(new URL("processes/thousand-roles.mjs", import.meta.url));

interface Measured {
  readonly heapMb: number;
  readonly ms: number;
  readonly connections: number;
  readonly open: number;
}

/** A thousand providers, each with its own role, all called at the same moment. */
export async function rolesPart(): Promise<PartResult> {
  const measured: (readonly [string, Measured])[] = [];
  for (const name of CONTENDERS) measured.push([name, await measure(name)]);
  const stock = measured.find(([name]) => name === "stock")?.[1] as Measured;
  return {
    tables: [
      {
        title: `${figure(ROLES)} roles at the same moment in one process`,
        note: "Heap after a garbage collection, beyond that of the loaded SDK; floor: one STSClient.",
        columns: [
          "",
          "heap",
          "/ stock",
          "connections to STS",
          "sockets left open",
          "all served",
          "/ stock",
        ],
        rows: measured.map(([name, { heapMb, ms, connections, open }]) => [
          name,
          figure(heapMb, "MiB"),
          ratio(heapMb, stock.heapMb),
          figure(connections),
          figure(open),
          figure(ms, "ms"),
          ratio(ms, stock.ms),
        ]),
      },
    ],
  };
}

async function measure(contender: string): Promise<Measured> {
  await using place = await startPlace();
  const args = [contender, place.sts.url, await place.idp.issueToken(), String(ROLES)];
  const child = fork(PROGRAM, args, { execArgv: ["--no-warnings"] });
  const { heapMb, ms } = await new Promise<Measured>((resolve, reject) => {
    child.once("message", (message) => resolve(message as Measured));
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`${contender} ended with ${code}`)));
  });
  const { total: connections, open } = place.sts.connections;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.send("end");
  await ended;
  return { heapMb, ms, connections, open };
}
