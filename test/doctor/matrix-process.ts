import { scoreMatrix } from "./matrix.js";
import { NETWORK_ROWS } from "./networks/matrix-of-networks.js";
import { leftOut, refusal } from "./networks/namespaces.js";
import { scoreNetworks } from "./networks/score-networks.js";

// `npm run doctor:matrix`: the score, one line for each world.
const refused = refusal();
const scores = [...(await scoreMatrix()), ...(refused ? [] : await scoreNetworks())];
const print = (line: string) => process.stdout.write(`${line}\n`);
for (const [row, { mistakes, ms }] of scores) {
  const mark = mistakes.length === 0 ? "ok  " : "FAIL";
  const seconds = `${(ms / 1000).toFixed(1)} s`.padStart(7);
  print(`${mark} ${seconds}  ${row.name} -> ${row.verdict}, ${row.cause ?? "no cause"}`);
  for (const mistake of mistakes) print(`              ${mistake}`);
}
const right = scores.filter(([, { mistakes }]) => mistakes.length === 0).length;
const broken = scores.filter(([{ cause }]) => cause !== null).length;
if (refused) print(leftOut(NETWORK_ROWS.length, refused));
print(`${right} of ${scores.length} worlds (${broken} broken) diagnosed correctly`);
process.exitCode = right === scores.length ? 0 : 1;
