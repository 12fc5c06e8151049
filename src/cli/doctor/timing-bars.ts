import type { Timing } from "../../doctor/diagnosis.js";
import { STS_ISSUER_TIMEOUT_MS } from "../../model/sts-limits.js";
import { formatDuration } from "../../runtime/time-text.js";
import { clip, padEnd, padStart, widthOf } from "../layout.js";
import type { Paint, Style } from "../paint.js";
import { outcomeOf, PART_TITLES, PARTS, type PartName, partsOf } from "./timing-parts.js";

const MARKS: Readonly<Record<PartName, readonly [mark: string, style: Style]>> = {
  dns: ["░", "blue"],
  connect: ["▒", "cyan"],
  tls: ["▓", "magenta"],
  wait: ["█", "green"],
  read: ["▆", "green"],
};

/** Fewer cells than this show nothing. */
const MIN_CELLS = 10;

/** One bar a request, all on one scale that has the 5 s limit on it. */
export function timingBars(timings: readonly Timing[], width: number, paint: Paint): string[] {
  if (timings.length === 0) return [];
  const longest = Math.max(...timings.map(({ totalMs }) => totalMs));
  const scaleMs = Math.max(STS_ISSUER_TIMEOUT_MS * 1.1, longest);
  const names = timings.map(({ label }) => shortName(label));
  const labelWidth = Math.min(Math.max(...names.map(widthOf)), Math.floor(width * 0.4));
  const figureWidth = 8;
  const outcomeWidth = Math.min(16, Math.max(3, ...timings.map((one) => outcomeOf(one).length)));
  const room = width - labelWidth - figureWidth - outcomeWidth - 6;
  const cells = room < MIN_CELLS ? 0 : room;
  const limitCell = Math.min(cells - 1, Math.round((STS_ISSUER_TIMEOUT_MS / scaleMs) * cells));
  const used = new Set(timings.flatMap((timing) => partsOf(timing).map(({ name }) => name)));
  const legend = PARTS.filter((name) => used.has(name)).map(
    (name) => `${paint(MARKS[name][1], MARKS[name][0])} ${PART_TITLES[name]}`,
  );
  const rows = timings.map((timing, index) => {
    const bar = drawBar(timing, scaleMs, cells, limitCell, paint);
    const figure = padStart(formatDuration(timing.totalMs), figureWidth);
    const outcome = clip(outcomeOf(timing), outcomeWidth);
    const name = padEnd(clip(names[index] ?? "", labelWidth), labelWidth);
    return [
      `  ${name} ${bar}`,
      isOver(timing) ? paint("red", figure) : figure,
      timing.error === undefined ? outcome : paint("red", outcome),
    ]
      .join(" ")
      .trimEnd();
  });
  if (cells === 0) return rows;
  const head = `${" ".repeat(labelWidth + 3)}${padEnd("0", limitCell - 2)}5 s`;
  const limit = `${paint("red", "│")} STS gives up`;
  return [paint("dim", head), ...rows, `  ${[...legend, limit].join("  ")}`];
}

/** Labels are for a line of their own; here a bar has to fit in beside them. */
function shortName(label: string): string {
  return label
    .replace(/^AssumeRoleWithWebIdentity\b/, "assume role")
    .replace(/^discovery document\b/, "discovery")
    .replace(/\((\d+) of (\d+)\)$/, "$1/$2");
}

/** Only what somebody gives up on can take too long. */
function isOver({ totalMs, limitMs }: Timing): boolean {
  return limitMs !== undefined && totalMs >= limitMs;
}

function drawBar(
  timing: Timing,
  scaleMs: number,
  cells: number,
  limitCell: number,
  paint: Paint,
): string {
  const parts = partsOf(timing);
  const total = Math.max(1, Math.min(cells, Math.round((timing.totalMs / scaleMs) * cells)));
  let bar = "";
  for (let cell = 0; cell < cells; cell += 1) {
    // A bar of one cell shows the part that took longest.
    const atMs = ((cell + 0.5) / total) * timing.totalMs;
    const part =
      total === 1
        ? parts.toSorted((a, b) => b.ms - a.ms)[0]
        : (parts.find(({ fromMs, ms }) => atMs < fromMs + ms) ?? parts.at(-1));
    // The limit shows through: without colours nothing else tells where it is.
    if (cell === limitCell) bar += paint("red", "│");
    else if (cell < total) {
      const [mark, style] = MARKS[part?.name ?? "wait"];
      bar += paint(cell > limitCell && timing.limitMs !== undefined ? "red" : style, mark);
    } else bar += " ";
  }
  return bar;
}
