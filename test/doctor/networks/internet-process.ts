import { scoreRows } from "../score-rows.js";
import { Internet } from "./internet.js";
import { NETWORK_ROWS } from "./matrix-of-networks.js";
import type { NetworkRow } from "./network-row.js";

// In a network namespace of its own: prints the scores of the worlds in their order. It ends with
// the process that started it.
const internet = await Internet.open(NETWORK_ROWS);
process.stdin.resume().once("end", () => process.exit(1));

// Doctors that wait for what was dropped take nothing from those that work.
const isWaiting = ({ cause }: NetworkRow) => cause?.endsWith("-timeout") ?? false;
const scores = await scoreRows(
  [
    { rows: NETWORK_ROWS.filter(isWaiting), atATime: 8 },
    { rows: NETWORK_ROWS.filter((row) => !isWaiting(row)), atATime: 2 },
  ],
  (row) => internet.examine(row),
);
const inOrder = NETWORK_ROWS.map((row) => scores.get(row));
process.stdout.write(JSON.stringify(inOrder), () => process.exit(0));
