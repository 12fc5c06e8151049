/**
 * The two drawings of the page, each on one axis of time: every request (`waterfall`), and how long
 * the token is valid and the documents may be cached (`cacheTimeline`). A drawing is a table with the same content in
 * words, for readers who don't see it.
 */
import type { Diagnosis, Timing } from "../../doctor/diagnosis.js";
import { STS_ISSUER_TIMEOUT_MS } from "../../model/sts-limits.js";
import { formatDuration } from "../../runtime/time-text.js";
import { outcomeOf, PART_TITLES, PARTS, partsOf } from "../doctor/report-words.js";
import { type CacheLane, cacheLanes, clockTime, type SpanKind } from "./cache-lanes.js";
import { joined, type Markup, markup, NOTHING } from "./markup.js";

const WATERFALL_CAPTION =
  "Each bar starts when its request was sent. The dashed line marks 5 s after that, the time that STS waits for an identity provider. It is red for requests to the identity provider.";

/** Every request on one axis of time, each compared with the 5 s that STS waits. */
export function waterfall(timings: readonly Timing[]): Markup {
  if (timings.length === 0) return markup`<p>No request was made.</p>`;
  const ends = timings.map(({ startMs, totalMs, limitMs = STS_ISSUER_TIMEOUT_MS }) => {
    return startMs + Math.max(totalMs, limitMs);
  });
  const scale = new TimeScale(0, Math.max(...ends) * 1.02);
  const heads = {
    caption: WATERFALL_CAPTION,
    head: "Request",
    axis: "Time since the run began",
    figure: "Duration",
    tick: (ms: number) => (ms === 0 ? "0" : formatDuration(ms)),
  };
  const used = new Set(timings.flatMap((timing) => partsOf(timing).map(({ name }) => name)));
  const names = PARTS.filter((name) => used.has(name));
  const lanes = timings.map((timing, index) => {
    // The lane of the first request for a URL shows it.
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
  // Even the shortest request stays visible.
  const least = markup`<rect class="${parts.at(-1)?.name ?? "wait"}" x="${scale.x(startMs)}" y="4" width="2" height="16"/>`;
  const limit = scale.x(startMs + (limitMs ?? STS_ISSUER_TIMEOUT_MS));
  const line = (tone: string) =>
    markup`<line class="${tone}" x1="${limit}" x2="${limit}" y1="0" y2="24"/>`;
  // Dashes alone are hard to see on top of a bar.
  const limitLine = limitMs === undefined ? [line("measure")] : [line("gap"), line("limit")];
  const isOver = isOverLimit(timing);
  const durations = parts
    .map(({ name, ms }) => `${PART_TITLES[name]} ${formatDuration(ms)}`)
    .join(", ");
  const where = url === undefined ? NOTHING : markup`<br><span class="quiet mono">${url}</span>`;
  const figure = [
    isOver ? `✗ ${formatDuration(totalMs)}` : formatDuration(totalMs),
    outcomeOf(timing),
  ];
  const lines = figure.filter((text) => text !== "").map((text) => markup`${text}`);
  return {
    head: markup`${label}${where}`,
    drawing: [least, ...bars, ...limitLine],
    words: `at ${formatDuration(startMs)}: ${durations || "no measurable time"}${isOver ? "; STS would have timed out" : ""}`,
    figure: markup`<span${isOver || isFailed(timing) ? markup` class="bad"` : NOTHING}>${joined(lines, markup`<br>`)}</span>`,
  };
}

function isOverLimit({ totalMs, limitMs }: Timing): boolean {
  return limitMs !== undefined && totalMs >= limitMs;
}

/** An STS endpoint may refuse the plain GET of a probe: any answer shows that it can be reached. */
function isFailed({ error, status = 0, step }: Timing): boolean {
  return error !== undefined || (status >= 400 && step !== "sts-endpoint");
}

const MINUTE_MS = 60_000;
/** A smaller clock difference is not drawn. */
const MIN_SKEW_MS = MINUTE_MS;
/** The axis reaches at least this far. */
const MIN_REACH_MS = 15 * MINUTE_MS;

const SPAN_TITLES: Readonly<Record<SpanKind, string>> = {
  valid: "valid, or may be cached",
  tolerated: "within the tolerance of STS",
  aged: "age when it was fetched (Age)",
};

const CACHE_CAPTION =
  "How long the token is valid, and how long the headers allow each document to be cached. Times are in UTC. STS does not cache a JWKS with no-cache: it requests it again whenever it needs a key. How long STS caches other documents is not documented.";

/** The lifetime of the token and of both documents on one axis of time; nothing if neither is known. */
export function cacheTimeline(diagnosis: Diagnosis): Markup {
  const { startedAt, elapsedMs, clockSkewMs = 0 } = diagnosis.facts;
  const nowMs = Date.parse(startedAt) + elapsedMs;
  const lanes = Number.isNaN(nowMs) ? [] : cacheLanes(diagnosis, nowMs);
  if (lanes.length === 0) return NOTHING;
  const skewMs = Math.abs(clockSkewMs) >= MIN_SKEW_MS ? clockSkewMs : 0;
  const scale = scaleOf(lanes, nowMs, skewMs);
  const heads = {
    caption: CACHE_CAPTION,
    head: "What",
    axis: `Time from now: the end of the run, ${clockTime(nowMs, nowMs)}`,
    tick,
  };
  const drawn = lanes.map((lane) => drawnLane(lane, scale, { nowMs, skewMs }));
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

/** Shows every span if possible, but reaches only so far that the nearest end stays distinct from now. */
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

interface Clocks {
  readonly nowMs: number;
  /** How far the clock of STS is ahead, or 0 where the difference is not drawn. */
  readonly skewMs: number;
}

function drawnLane(lane: CacheLane, scale: TimeScale, { nowMs, skewMs }: Clocks): Lane {
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

/** An arrowhead at the edge: the span goes on outside the drawing. */
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

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Round distances between two ticks, in milliseconds. */
const STEPS: readonly number[] = [
  ...[0.1, 0.2, 0.5, 1, 2, 5, 10, 30].map((each) => each * SECOND),
  ...[1, 2, 5, 10, 20, 30].map((each) => each * MINUTE),
  ...[1, 2, 3, 6, 12].map((each) => each * HOUR),
  ...[1, 2, 5, 10, 30, 60, 180, 365, 730].map((each) => each * DAY),
];

/** As many as fit on the narrowest screen. */
const MAX_TICKS = 6;

/** Turns a time into a horizontal position, as a share of the width so that it fits every screen. */
export class TimeScale {
  constructor(
    readonly fromMs: number,
    readonly toMs: number,
  ) {}

  /** The position of a time. A time outside the axis is placed at its edge. */
  x(ms: number): string {
    return `${(this.#share(ms) * 100).toFixed(3)}%`;
  }

  /** The width of the part of a span that is on the axis. */
  width(fromMs: number, toMs: number): string {
    return `${(Math.max(0, this.#share(toMs) - this.#share(fromMs)) * 100).toFixed(3)}%`;
  }

  holds(ms: number): boolean {
    return ms >= this.fromMs && ms <= this.toMs;
  }

  /** Round times, counted from zero, few enough to be legible. */
  ticks(): number[] {
    const { fromMs, toMs } = this;
    const rough = (toMs - fromMs) / MAX_TICKS;
    const step = STEPS.find((each) => each >= rough) ?? Math.ceil(rough / DAY) * DAY;
    const first = Math.ceil(fromMs / step);
    const last = Math.floor(toMs / step);
    return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
  }

  #share(ms: number): number {
    return Math.min(1, Math.max(0, (ms - this.fromMs) / (this.toMs - this.fromMs)));
  }
}

/** One row: a drawing on the axis of time, and the same in words. */
interface Lane {
  readonly head: string | Markup;
  /** The inside of an SVG, 24 pixels high. */
  readonly drawing: readonly Markup[];
  /** Everything that the drawing shows. */
  readonly words: string | Markup;
  /** A value at the end of the row. */
  readonly figure?: Markup;
}

interface LaneHeads {
  readonly caption: string;
  readonly head: string;
  readonly axis: string;
  /** Left out when no lane has a figure. */
  readonly figure?: string;
  readonly tick: (ms: number) => string;
}

interface LegendEntry {
  readonly tone: string;
  readonly title: string;
  readonly isLine?: boolean;
}

/** A table with a drawing in each row, all on one axis of time, and below each drawing the same in words. */
function laneTable(heads: LaneHeads, scale: TimeScale, lanes: readonly Lane[]): Markup {
  const { caption, head, axis, figure, tick } = heads;
  const lines = lanes.map(
    (
      lane,
    ) => markup`<tr role="row"><th scope="row" role="rowheader">${lane.head}</th><td class="lane" role="cell"><svg aria-hidden="true" focusable="false">${lane.drawing}</svg><p class="words">${lane.words}</p></td>${
      lane.figure === undefined ? [] : markup`<td class="figure" role="cell">${lane.figure}</td>`
    }</tr>
`,
  );
  const last =
    figure === undefined
      ? []
      : markup`<th scope="col" role="columnheader" class="figure">${figure}</th>`;
  return markup`<table class="lanes" role="table"><caption>${caption}</caption>
<thead role="rowgroup"><tr role="row"><th scope="col" role="columnheader">${head}</th><th scope="col" role="columnheader" class="axis">${axis}${axisTicks(scale, tick)}</th>${last}</tr></thead>
<tbody role="rowgroup">
${lines}</tbody></table>`;
}

/** Explains the colors that are in use. */
function legend(entries: readonly LegendEntry[]): Markup {
  const items = entries.map(({ tone, title, isLine = false }) => {
    const place = isLine ? markup`x="6" width="2"` : markup`x="1" width="12"`;
    return markup`<li><svg aria-hidden="true" focusable="false" viewBox="0 0 14 14"><rect class="${tone}" ${place} y="1" height="12"/></svg>${title}</li>`;
  });
  return markup`<ul class="legend">${items}</ul>`;
}

function axisTicks(scale: TimeScale, tick: (ms: number) => string): Markup {
  const span = scale.toMs - scale.fromMs;
  const marks = scale.ticks().map((ms) => {
    const share = (ms - scale.fromMs) / span;
    const anchor = share < 0.05 ? "start" : share > 0.95 ? "end" : "middle";
    return markup`<text x="${scale.x(ms)}" y="16" text-anchor="${anchor}">${tick(ms)}</text>`;
  });
  return markup`<svg aria-hidden="true" focusable="false">${marks}</svg>`;
}
