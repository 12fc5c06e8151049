import { mkdirSync, writeFileSync } from "node:fs";
import { type PartResult, type Promised, printPromise, printTable } from "./report.js";

/** The parts of a benchmark, by their names on the command line. */
export type Parts = Readonly<Record<string, () => Promise<PartResult>>>;

/**
 * Runs the parts that the command line names, or all of them, in order: prints their tables, writes their
 * charts, and ends with the limits that it checked.
 *
 * @param onDemand - parts that run only when they are named.
 */
export async function runParts(parts: Parts, charts: URL, onDemand: Parts = {}): Promise<void> {
  const names = process.argv.slice(2);
  const all = { ...parts, ...onDemand };
  const unknown = names.filter((name) => !(name in all));
  if (unknown.length > 0) {
    const known = Object.keys(all).join(", ");
    console.error(`Unknown part: ${unknown.join(", ")}. The parts are: ${known}`);
    process.exitCode = 2;
    return;
  }
  const promises: Promised[] = [];
  const seconds: string[] = [];
  const startedAt = performance.now();
  mkdirSync(charts, { recursive: true });
  for (const [name, run] of Object.entries(names.length > 0 ? all : parts)) {
    if (names.length > 0 && !names.includes(name)) continue;
    const start = performance.now();
    const { tables, promises: made = [], charts: drawn = {} } = await run();
    for (const table of tables) printTable(table);
    for (const [file, svg] of Object.entries(drawn)) writeFileSync(new URL(file, charts), svg);
    promises.push(...made);
    seconds.push(`${name} ${secondsSince(start)}`);
  }
  if (promises.length > 0) console.log("\nLimits");
  for (const promised of promises) printPromise(promised);
  console.log(`\nDuration: ${seconds.join(", ")}; in all ${secondsSince(startedAt)}`);
}

function secondsSince(start: number): string {
  return `${((performance.now() - start) / 1000).toFixed(1)} s`;
}
