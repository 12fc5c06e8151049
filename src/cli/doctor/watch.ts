import { setTimeout as sleep } from "node:timers/promises";
import type { Diagnosis } from "../../doctor/diagnosis.js";
import { formatDuration } from "../../runtime/time-text.js";
import { EXIT, type ExitCode } from "../command-failure.js";
import { fitFor } from "../glyphs.js";
import { wrap } from "../layout.js";
import { type Paint, paintFor, type Style } from "../paint.js";
import { print } from "../print.js";
import type { Surroundings } from "../surroundings.js";
import { type Change, changesBetween } from "./diagnosis-changes.js";
import { LatencyRecord } from "./latency-record.js";

const STYLES: Readonly<Record<Change["kind"], Style>> = {
  verdict: "bold",
  worse: "yellow",
  better: "green",
  other: "cyan",
};

/** Looks again and again until Ctrl-C and tells what changed; ends with the worst that was seen. */
export async function watch(
  look: () => Promise<Diagnosis>,
  intervalMs: number,
  around: Surroundings,
): Promise<ExitCode> {
  const { stdout, env, signal } = around;
  const paint = paintFor(stdout, env);
  const asShown = fitFor(stdout, env);
  const record = new LatencyRecord();
  const verdicts = { healthy: 0, degraded: 0, broken: 0 };
  const startedAt = performance.now();
  let before: Diagnosis | undefined;
  await print(stdout, `Looking every ${formatDuration(intervalMs)}; Ctrl-C ends it.\n`);
  try {
    for (;;) {
      const lookedAt = performance.now();
      const now = await look();
      record.add(now);
      verdicts[now.verdict] += 1;
      const changes = changesBetween(before, now);
      if (changes.length > 0) {
        await print(stdout, asShown(changeText(changes, stdout.columns || 80, paint)));
      }
      before = now;
      const pauseMs = Math.max(0, intervalMs - (performance.now() - lookedAt));
      await sleep(pauseMs, undefined, { signal });
    }
  } catch (error) {
    // Who ended it before the first look has seen nothing, well or ill.
    if (!signal.aborted || before === undefined) throw error;
  }
  const count = verdicts.healthy + verdicts.degraded + verdicts.broken;
  const took = formatDuration(performance.now() - startedAt);
  const told = Object.entries(verdicts).filter(([, times]) => times > 0);
  const shares = told.map(([verdict, times]) => `${times} ${verdict}`).join(", ");
  const looks = count === 1 ? "1 look" : `${count} looks`;
  const summary = [`${looks} in ${took}: ${shares}`, ...record.lines()];
  await print(stdout, `\n${summary.join("\n")}\n`);
  return verdicts.degraded + verdicts.broken > 0 ? EXIT.found : EXIT.fine;
}

function changeText(changes: readonly Change[], columns: number, paint: Paint): string {
  const time = new Date().toTimeString().slice(0, 8);
  const indent = " ".repeat(10);
  const lines = changes.flatMap(({ kind, text }, index) =>
    wrap(text, columns, indent).map((line, row) => {
      const isFirst = index === 0 && row === 0;
      const body = paint(STYLES[kind], line.trimStart());
      return (isFirst ? `${paint("dim", time)}  ` : indent) + body;
    }),
  );
  return `${lines.join("\n")}\n`;
}
