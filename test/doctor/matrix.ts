import { HEALTHY_ROWS } from "./matrix-of-health.js";
import { ISSUER_ROWS } from "./matrix-of-issuers.js";
import { PAIR_ROWS } from "./matrix-of-pairs.js";
import { STS_ROWS } from "./matrix-of-sts.js";
import { TLS_ROWS } from "./matrix-of-tls.js";
import { TOKEN_ROWS } from "./matrix-of-tokens.js";
import { UNREACHABLE_ROWS } from "./matrix-of-unreachable-issuers.js";
import { type Expectation, mistakes, type Row } from "./matrix-row.js";
import { examine } from "./matrix-world.js";
import { sideBySide } from "./side-by-side.js";

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
const AT_A_TIME = 6;

export interface Scored {
  readonly row: Expectation;
  readonly mistakes: readonly string[];
  readonly ms: number;
}

/** Tries the doctor on every world. */
export async function scoreMatrix(): Promise<Scored[]> {
  const scores: Scored[] = [];
  await sideBySide(MATRIX, AT_A_TIME, async (row, index) => {
    const diagnosis = await examine(row.build);
    scores[index] = { row, mistakes: mistakes(row, diagnosis), ms: diagnosis.facts.elapsedMs };
  });
  return scores;
}
