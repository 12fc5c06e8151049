import { examine } from "../support/matrix-world.js";
import { HEALTHY_ROWS } from "./matrix-of-health.js";
import { ISSUER_ROWS } from "./matrix-of-issuers.js";
import { PAIR_ROWS } from "./matrix-of-pairs.js";
import { STORE_ROWS } from "./matrix-of-stores.js";
import { STS_ROWS } from "./matrix-of-sts.js";
import { removeAuthority, TLS_ROWS } from "./matrix-of-tls.js";
import { TOKEN_ROWS } from "./matrix-of-tokens.js";
import { UNREACHABLE_ROWS } from "./matrix-of-unreachable-issuers.js";
import type { Expectation, Row } from "./matrix-row.js";
import { type Score, scoreRows } from "./score-rows.js";

/** Every world the doctor is tried on, built for real. */
export const MATRIX: readonly Row[] = [
  ...TOKEN_ROWS,
  ...UNREACHABLE_ROWS,
  ...ISSUER_ROWS,
  ...TLS_ROWS,
  ...STS_ROWS,
  ...STORE_ROWS,
  ...PAIR_ROWS,
  ...HEALTHY_ROWS,
];

/** Worlds at a time: more of them would be slow because of each other. */
const AT_A_TIME = 6;

/** Tries the doctor on every world. */
export async function scoreMatrix(): Promise<ReadonlyMap<Expectation, Score>> {
  try {
    return await scoreRows([{ rows: MATRIX, atATime: AT_A_TIME }], ({ build }) => examine(build));
  } finally {
    removeAuthority();
  }
}
