import { HEALTHY_ROWS } from "./matrix-of-health.js";
import { ISSUER_ROWS } from "./matrix-of-issuers.js";
import { PAIR_ROWS } from "./matrix-of-pairs.js";
import { STS_ROWS } from "./matrix-of-sts.js";
import { TLS_ROWS } from "./matrix-of-tls.js";
import { TOKEN_ROWS } from "./matrix-of-tokens.js";
import { UNREACHABLE_ROWS } from "./matrix-of-unreachable-issuers.js";
import { mistakes, type Row } from "./matrix-row.js";
import { examine } from "./matrix-world.js";

/** Every world the doctor is tried on, built for real. */
export const MATRIX: readonly Row[] = [
  ...TOKEN_ROWS,
  ...UNREACHABLE_ROWS,
  ...ISSUER_ROWS,
  ...TLS_ROWS,
  ...STS_ROWS,
  ...PAIR_ROWS,
  ...HEALTHY_ROWS,
];

/** Worlds at a time: more of them would be slow because of each other. */
const SIDE_BY_SIDE = 6;

export interface Scored {
  readonly row: Row;
  readonly mistakes: readonly string[];
  readonly ms: number;
}

/** Tries the doctor on every world; tells of each as it ends. */
export async function scoreMatrix(
  onScored: (scored: Scored) => void = () => {},
): Promise<Scored[]> {
  const waiting = MATRIX.map((row, index) => ({ row, index }));
  const scores: Scored[] = [];
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { row, index } = next;
      const diagnosis = await examine(row.build);
      const scored = { row, mistakes: mistakes(row, diagnosis), ms: diagnosis.facts.elapsedMs };
      scores[index] = scored;
      onScored(scored);
    }
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, work));
  return scores;
}
