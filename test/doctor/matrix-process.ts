import { scoreMatrix } from "./matrix.js";

// `npm run doctor:matrix`: the score, one line for each world.
const scores = await scoreMatrix();
const print = (line: string) => process.stdout.write(`${line}\n`);
for (const { row, mistakes, ms } of scores) {
  const mark = mistakes.length === 0 ? "ok  " : "FAIL";
  const seconds = `${(ms / 1000).toFixed(1)} s`.padStart(7);
  print(`${mark} ${seconds}  ${row.name} -> ${row.verdict}, ${row.cause ?? "no cause"}`);
  for (const mistake of mistakes) print(`              ${mistake}`);
}
const right = scores.filter(({ mistakes }) => mistakes.length === 0).length;
const broken = scores.filter(({ row }) => row.cause !== null).length;
print(`${right} of ${scores.length} worlds (${broken} broken ones) told right`);
process.exitCode = right === scores.length ? 0 : 1;
