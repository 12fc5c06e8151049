import type { Timing } from "../../doctor/diagnosis.js";
import { STS_ISSUER_TIMEOUT_MS } from "../../model/sts-limits.js";
import { formatDuration } from "../../runtime/time-text.js";
import { outcomeOf, PART_TITLES, PARTS, partsOf } from "../doctor/timings.js";
import { type Lane, laneTable, legend, TimeScale } from "./lane-table.js";
import { joined, type Markup, markup, NOTHING } from "./markup.js";

const CAPTION =
  "Each bar begins when its request did. The dashed line stands 5 s after that: as long as STS waits for an identity provider, and red where an identity provider was asked.";

/** Every request on one axis of time, each against the 5 s that STS waits. */
export function waterfall(timings: readonly Timing[]): Markup {
  if (timings.length === 0) return markup`<p>No request was made.</p>`;
  const ends = timings.map(({ startMs, totalMs, limitMs = STS_ISSUER_TIMEOUT_MS }) => {
    return startMs + Math.max(totalMs, limitMs);
  });
  const scale = new TimeScale(0, Math.max(...ends) * 1.02);
  const heads = {
    caption: CAPTION,
    head: "Request",
    axis: "Time since the run began",
    figure: "Took",
    tick: (ms: number) => (ms === 0 ? "0" : formatDuration(ms)),
  };
  const used = new Set(timings.flatMap((timing) => partsOf(timing).map(({ name }) => name)));
  const names = PARTS.filter((name) => used.has(name));
  const lanes = timings.map((timing, index) => {
    // Asked for again: its address stands above.
    const isNew = timings.findIndex(({ url }) => url === timing.url) === index;
    return requestLane(timing, isNew ? timing.url : undefined, scale);
  });
  return markup`${laneTable(heads, scale, lanes)}
${legend(names.map((name) => ({ tone: name, title: PART_TITLES[name] })))}`;
}

function requestLane(timing: Timing, url: string | undefined, scale: TimeScale): Lane {
  const { label, startMs, totalMs, limitMs } = timing;
  const parts = partsOf(timing);
  const bars = parts.map(({ name, fromMs, ms }) => {
    const from = startMs + fromMs;
    return markup`<rect class="${name}" x="${scale.x(from)}" width="${scale.width(from, from + ms)}" y="4" height="16"/>`;
  });
  // However short a request was, it has to be seen.
  const least = markup`<rect class="${parts.at(-1)?.name ?? "wait"}" x="${scale.x(startMs)}" y="4" width="2" height="16"/>`;
  const limit = scale.x(startMs + (limitMs ?? STS_ISSUER_TIMEOUT_MS));
  const line = (tone: string) =>
    markup`<line class="${tone}" x1="${limit}" x2="${limit}" y1="0" y2="24"/>`;
  // Dashes alone would be lost upon a bar.
  const limitLine = limitMs === undefined ? [line("measure")] : [line("gap"), line("limit")];
  const isOver = isOverLimit(timing);
  const told = parts.map(({ name, ms }) => `${PART_TITLES[name]} ${formatDuration(ms)}`).join(", ");
  const where = url === undefined ? NOTHING : markup`<br><span class="quiet mono">${url}</span>`;
  const figure = [
    isOver ? `✗ ${formatDuration(totalMs)}` : formatDuration(totalMs),
    outcomeOf(timing),
  ];
  const lines = figure.filter((text) => text !== "").map((text) => markup`${text}`);
  return {
    head: markup`${label}${where}`,
    drawing: [least, ...bars, ...limitLine],
    words: `at ${formatDuration(startMs)}: ${told || "no time at all"}${isOver ? "; STS would have given up" : ""}`,
    figure: markup`<span${isOver || isFailed(timing) ? markup` class="bad"` : NOTHING}>${joined(lines, markup`<br>`)}</span>`,
  };
}

function isOverLimit({ totalMs, limitMs }: Timing): boolean {
  return limitMs !== undefined && totalMs >= limitMs;
}

/** A bare GET of an endpoint may be refused: any answer is one. */
function isFailed({ error, status = 0, step }: Timing): boolean {
  return error !== undefined || (status >= 400 && step !== "sts-endpoint");
}
