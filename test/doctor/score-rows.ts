import type { Diagnosis } from "../../src/doctor/diagnosis.js";
import { type Expectation, mistakes } from "./matrix-row.js";

/** The result of one world. */
export interface Score {
  readonly mistakes: readonly string[];
  readonly ms: number;
}

/** Worlds to try, so many at a time. */
export interface Lane<R> {
  readonly rows: readonly R[];
  readonly atATime: number;
}

/**
 * Diagnoses every world. A wrong diagnosis is repeated alone, and a line says so: the doctor measures
 * seconds, and a machine that is busy with many worlds may be too slow.
 */
export async function scoreRows<R extends Expectation>(
  lanes: readonly Lane<R>[],
  examine: (row: R) => Promise<Diagnosis>,
): Promise<Map<R, Score>> {
  const scores = new Map<R, Score>();
  const diagnose = async (row: R) => {
    const diagnosis = await examine(row);
    scores.set(row, { mistakes: mistakes(row, diagnosis), ms: diagnosis.facts.elapsedMs });
  };
  await Promise.all(lanes.map((lane) => inParallel(lane, diagnose)));
  for (const [row, { mistakes: wrong }] of [...scores]) {
    if (wrong.length === 0) continue;
    process.stderr.write(`diagnosed again alone: ${row.name}: ${wrong.join("; ")}\n`);
    await diagnose(row);
  }
  return scores;
}

async function inParallel<R>(
  { rows, atATime }: Lane<R>,
  diagnose: (row: R) => Promise<void>,
): Promise<void> {
  const waiting = [...rows];
  const next = async () => {
    for (let row = waiting.shift(); row !== undefined; row = waiting.shift()) await diagnose(row);
  };
  await Promise.all(Array.from({ length: atATime }, next));
}
