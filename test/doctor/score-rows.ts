import type { Diagnosis } from "../../src/doctor/diagnosis.js";
import { type Expectation, mistakes } from "./matrix-row.js";

/** What came of one world. */
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
 * Tries the doctor on every world. One that it got wrong is looked at once more by itself, and that
 * is told: the doctor goes by seconds, and a machine that is busy with many worlds may not keep them.
 */
export async function scoreRows<R extends Expectation>(
  lanes: readonly Lane<R>[],
  examine: (row: R) => Promise<Diagnosis>,
): Promise<Map<R, Score>> {
  const scores = new Map<R, Score>();
  const look = async (row: R) => {
    const diagnosis = await examine(row);
    scores.set(row, { mistakes: mistakes(row, diagnosis), ms: diagnosis.facts.elapsedMs });
  };
  await Promise.all(lanes.map((lane) => sideBySide(lane, look)));
  for (const [row, { mistakes: wrong }] of [...scores]) {
    if (wrong.length === 0) continue;
    process.stderr.write(`looked at again by itself: ${row.name}: ${wrong.join("; ")}\n`);
    await look(row);
  }
  return scores;
}

async function sideBySide<R>(
  { rows, atATime }: Lane<R>,
  look: (row: R) => Promise<void>,
): Promise<void> {
  const waiting = [...rows];
  const next = async () => {
    for (let row = waiting.shift(); row !== undefined; row = waiting.shift()) await look(row);
  };
  await Promise.all(Array.from({ length: atATime }, next));
}
