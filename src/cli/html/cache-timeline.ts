import type { Diagnosis } from "../../doctor/diagnosis.js";
import { formatDuration } from "../../runtime/time-text.js";
import { type CacheLane, cacheLanes, type SpanKind } from "./cache-lanes.js";
import { type Lane, type LegendEntry, laneTable, legend } from "./lane-table.js";
import { type Markup, markup, NOTHING } from "./markup.js";
import { clockTime } from "./moment.js";
import { TimeScale } from "./time-scale.js";

const MINUTE_MS = 60_000;
/** A clock that is off by less is drawn as the same. */
const MIN_SKEW_MS = MINUTE_MS;
/** However soon the first copy ends, the picture reaches this far. */
const MIN_REACH_MS = 15 * MINUTE_MS;

const SPAN_TITLES: Readonly<Record<SpanKind, string>> = {
  valid: "valid, or may be kept",
  tolerated: "tolerated by STS",
  aged: "already old when it came (Age)",
};

const CAPTION =
  "How long the token lives, and how long the headers let each document be kept. Times are UTC. Of a JWKS that says no-cache STS keeps no copy: it asks the issuer again for every key. How long it keeps others is not documented.";

/** The token's life and the documents' copies on one axis of time; nothing without either. */
export function cacheTimeline(diagnosis: Diagnosis): Markup {
  const { startedAt, elapsedMs, clockSkewMs = 0 } = diagnosis.facts;
  const nowMs = Date.parse(startedAt) + elapsedMs;
  const lanes = Number.isNaN(nowMs) ? [] : cacheLanes(diagnosis, nowMs);
  if (lanes.length === 0) return NOTHING;
  const skewMs = Math.abs(clockSkewMs) >= MIN_SKEW_MS ? clockSkewMs : 0;
  const scale = scaleOf(lanes, nowMs, skewMs);
  const heads = {
    caption: CAPTION,
    head: "What",
    axis: `Time from now: the end of the run, ${clockTime(nowMs, nowMs)}`,
    tick,
  };
  const drawn = lanes.map((lane) => drawnLane(lane, scale, nowMs, skewMs));
  const used = new Set(lanes.flatMap(({ spans }) => spans.filter(isLong).map(({ kind }) => kind)));
  const kinds = (["valid", "tolerated", "aged"] as const).filter((kind) => used.has(kind));
  return markup`${laneTable(heads, scale, drawn)}
${legend([
  ...kinds.map((kind) => ({ tone: kind, title: SPAN_TITLES[kind] })),
  { tone: "mark-line", title: "iat, nbf, exp; fetched", isLine: true },
  { tone: "now", title: "now", isLine: true },
  ...(skewMs === 0 ? [] : [stsClock(skewMs)]),
])}`;
}

function stsClock(skewMs: number): LegendEntry {
  const off = `${formatDuration(Math.abs(skewMs))} ${skewMs > 0 ? "ahead" : "behind"}`;
  return { tone: "sts-now", title: `now by the clock of STS, ${off}`, isLine: true };
}

/** All of it where it fits, yet nothing so far away that the nearest end could not be told from now. */
function scaleOf(lanes: readonly CacheLane[], nowMs: number, skewMs: number): TimeScale {
  const spans = lanes.flatMap((lane) => lane.spans.filter(isLong));
  const times = [
    ...spans.flatMap(({ fromMs, toMs }) => [fromMs, toMs]),
    ...lanes.flatMap(({ marks }) => marks),
  ];
  const distances = [...times.map((ms) => ms - nowMs), skewMs];
  const ends = spans.map(({ toMs }) => toMs - nowMs).filter((ms) => ms > 0);
  const reach = Math.max(MIN_REACH_MS, 12 * Math.min(...ends));
  const before = Math.min(reach, Math.max(0, ...distances.map((ms) => -ms)));
  const after = Math.min(reach, Math.max(0, ...distances));
  const margin = Math.max(0.03 * (before + after), MINUTE_MS / 2);
  return new TimeScale(-before - margin, after + margin);
}

function drawnLane(lane: CacheLane, scale: TimeScale, nowMs: number, skewMs: number): Lane {
  const bars = lane.spans.filter(isLong).map(({ kind, fromMs, toMs }) => {
    const [from, to] = [fromMs - nowMs, toMs - nowMs];
    return markup`<rect class="${kind}" x="${scale.x(from)}" width="${scale.width(from, to)}" y="6" height="12"/>`;
  });
  const ends = lane.spans.flatMap(({ fromMs, toMs }) => [fromMs - nowMs, toMs - nowMs]);
  const marks = lane.marks.map((ms) => verticalLine("mark-line", ms - nowMs, scale));
  return {
    head: lane.name,
    words: lane.isBad ? markup`<span class="bad">✗ ${lane.words}</span>` : lane.words,
    drawing: [
      ...bars,
      ...marks,
      verticalLine("now", 0, scale),
      ...(skewMs === 0 ? [] : [verticalLine("sts-now", skewMs, scale)]),
      ...(ends.some((ms) => ms < scale.fromMs) ? [goesOn("0%", "M8 6 L0 12 L8 18z")] : []),
      ...(ends.some((ms) => ms > scale.toMs) ? [goesOn("100%", "M-8 6 L0 12 L-8 18z")] : []),
    ],
  };
}

function verticalLine(tone: string, ms: number, scale: TimeScale): Markup {
  if (!scale.holds(ms)) return NOTHING;
  const x = scale.x(ms);
  return markup`<line class="${tone}" x1="${x}" x2="${x}" y1="0" y2="24"/>`;
}

/** The tip of an arrow: there is more than the picture has room for. */
function goesOn(x: string, path: string): Markup {
  return markup`<svg class="goes-on" x="${x}" overflow="visible"><path d="${path}"/></svg>`;
}

function isLong({ fromMs, toMs }: { readonly fromMs: number; readonly toMs: number }): boolean {
  return toMs > fromMs;
}

function tick(ms: number): string {
  if (ms === 0) return "now";
  return `${ms < 0 ? "−" : "+"}${formatDuration(Math.abs(ms))}`;
}
