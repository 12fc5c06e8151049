import { sideBySide } from "../side-by-side.js";
import { Internet } from "./internet.js";
import { NETWORK_ROWS } from "./matrix-of-networks.js";
import type { NetworkRow } from "./network-row.js";

// In a network namespace of its own: tells the diagnosis of each world, a line each. It ends with
// whoever started it.
const internet = await Internet.open(NETWORK_ROWS);
process.stdin.resume().once("end", () => process.exit(1));

async function tell(row: NetworkRow): Promise<void> {
  const diagnosis = await internet.examine(row);
  const index = NETWORK_ROWS.indexOf(row);
  process.stdout.write(`${JSON.stringify({ index, diagnosis })}\n`);
}

// Doctors that wait for what was dropped take nothing from those that work.
const isWaiting = ({ cause }: NetworkRow) => cause?.endsWith("-timeout") ?? false;
await Promise.all([
  sideBySide(NETWORK_ROWS.filter(isWaiting), 16, tell),
  sideBySide(
    NETWORK_ROWS.filter((row) => !isWaiting(row)),
    3,
    tell,
  ),
]);
process.exit(0);
