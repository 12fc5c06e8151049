/**
 * The two drawings of the page, each on one axis of time: every request (`waterfall`), and how long
 * the token is valid and the documents may be cached (`cacheTimeline`). A drawing is a table that says
 * the same in words, for readers who don't see it.
 */
import type { Diagnosis, Timing, TokenReport } from "../../doctor/diagnosis.js";
import type { RequestTiming } from "../../model/findings.js";
import { STS_ISSUER_TIMEOUT_MS, STS_TIME_TOLERANCE_SECONDS } from "../../model/sts-limits.js";
import { readFreshness } from "../../preflight/freshness.js";
import { END_OF_DATES, formatDuration } from "../../runtime/time-text.js";
import { isOverLimit, outcomeOf, PART_TITLES, PARTS, partsOf } from "../doctor/report-words.js";
import {
  joined,
  type Lane,
  type LegendEntry,
  laneTable,
  legend,
  type Markup,
  markup,
  NOTHING,
  TimeScale,
} from "./page.js";

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
    // Only the lane of the first request for a URL shows the URL.
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

/** An STS endpoint may refuse the plain GET of a probe: any response shows that it can be reached. */
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

/** Shows every span if possible, but never so much that the nearest end can't be distinguished from now. */
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

/** An arrowhead at the edge, which shows that the span continues outside the drawing. */
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

const TOLERANCE_MS = STS_TIME_TOLERANCE_SECONDS * 1000;

type SpanKind = "valid" | "tolerated" | "aged";

/** One row of the timeline, with times in milliseconds since the epoch. */
interface CacheLane {
  readonly name: string;
  readonly words: string;
  readonly isBad: boolean;
  readonly spans: readonly {
    readonly kind: SpanKind;
    readonly fromMs: number;
    readonly toMs: number;
  }[];
  /** Single moments: claims of the token, the arrival of a document. */
  readonly marks: readonly number[];
}

/** The lifetimes of the token and of both documents, as far as the facts give them. */
export function cacheLanes({ facts, timings }: Diagnosis, nowMs: number): CacheLane[] {
  const startedMs = Date.parse(facts.startedAt);
  const documents = (facts.issuer?.requests ?? []).map((request) =>
    documentLane(request, startedMs + arrivalMs(request, timings), nowMs),
  );
  return [...tokenLane(facts.token, nowMs, facts.clockSkewMs ?? 0), ...documents];
}

function tokenLane(token: TokenReport | undefined, nowMs: number, skewMs: number): CacheLane[] {
  if (token === undefined) return [];
  const claims = [
    ["Issued", "iat", token.iat],
    ["Not before", "nbf", token.notBefore],
    [(token.exp ?? 0) * 1000 < nowMs ? "Expired" : "Expires", "exp", token.exp],
  ] as const;
  const times = claims.flatMap(([verb, claim, seconds]) =>
    seconds === undefined ? [] : [{ verb, claim, ms: seconds * 1000 }],
  );
  if (times.length === 0) return [];
  const words = times.map(
    ({ verb, claim, ms }) => `${verb} ${clockTime(ms, nowMs)} (${claim}, ${fromNow(ms, nowMs)})`,
  );
  // STS decides by its own clock.
  const { spans, isBad } = tokenLife(token, nowMs + skewMs);
  return [
    {
      name: "Token",
      words: `${words.join(". ")}. STS tolerates a difference of 5 min.`,
      isBad,
      spans,
      marks: times.map(({ ms }) => ms),
    },
  ];
}

function tokenLife(
  { iat, notBefore, exp }: TokenReport,
  nowMs: number,
): Pick<CacheLane, "spans" | "isBad"> {
  if (exp === undefined) return { spans: [], isBad: false };
  const toMs = exp * 1000;
  const begins = [iat, notBefore].filter((each) => each !== undefined);
  const fromMs = begins.length === 0 ? Math.min(nowMs, toMs) : Math.max(...begins) * 1000;
  return {
    isBad: toMs + TOLERANCE_MS <= nowMs || fromMs - TOLERANCE_MS > nowMs,
    spans: [
      { kind: "tolerated", fromMs: fromMs - TOLERANCE_MS, toMs: fromMs },
      { kind: "valid", fromMs, toMs },
      { kind: "tolerated", fromMs: toMs, toMs: toMs + TOLERANCE_MS },
    ],
  };
}

function documentLane(request: RequestTiming, atMs: number, nowMs: number): CacheLane {
  const { document, status, error, headers } = request;
  const name = document === "jwks" ? "JWKS" : "Discovery document";
  const when = `at ${clockTime(atMs, nowMs)}`;
  const only = (words: string, isBad: boolean): CacheLane => {
    return { name, words, isBad, spans: [], marks: [atMs] };
  };
  if (status === undefined) return only(`No response ${when} (${error ?? "cut off"}).`, true);
  // With 304, the cached document is still current.
  if (status !== 200 && status !== 304) {
    const wait = headers["retry-after"];
    const pause = wait === undefined ? "" : ` with Retry-After: ${wait}`;
    return only(`Returned ${status} ${when}${pause}: there is no document to cache.`, true);
  }
  const freshness = readFreshness(headers);
  if (freshness.kind === "unsaid")
    return only(`Fetched ${when}; the headers do not say how long it may be cached.`, false);
  if (freshness.kind === "refused") {
    const cost =
      document === "jwks"
        ? "STS does not cache it, and requests it again whenever it needs a key"
        : "it may not be cached";
    return only(`Fetched ${when} with ${freshness.words}: ${cost}.`, document === "jwks");
  }
  const { ageSeconds, lifetimeSeconds, source } = freshness;
  const madeMs = atMs - ageSeconds * 1000;
  const staleMs = madeMs + lifetimeSeconds * 1000;
  const age = ageSeconds === 0 ? "" : `, ${ageSeconds} s old at that time (Age)`;
  const until =
    staleMs <= atMs
      ? `stale immediately (${source})`
      : `may be cached until ${clockTime(staleMs, nowMs)} (${source}, ${fromNow(staleMs, nowMs)})`;
  return {
    name,
    words: `Fetched ${when}${age}; ${until}.`,
    isBad: false,
    spans: [
      { kind: "aged", fromMs: madeMs, toMs: atMs },
      { kind: "valid", fromMs: atMs, toMs: staleMs },
    ],
    marks: [atMs],
  };
}

/** When a document arrived, counted from the start of the run: at the end of the first request for its URL. */
function arrivalMs({ url, document, totalMs }: RequestTiming, timings: readonly Timing[]): number {
  const ofDocuments = timings.filter(({ step }) => step === "issuer-documents");
  const same = ofDocuments.filter((timing) => timing.url === url);
  const at = same[0] ?? (document === "discovery" ? ofDocuments[0] : ofDocuments.at(-1));
  return at === undefined ? totalMs : at.startMs + at.totalMs;
}

/** A time of day in UTC, with the date unless it is today's. */
export function clockTime(ms: number, nowMs: number): string {
  if (!(ms >= 0 && ms <= END_OF_DATES)) return ms < 0 ? "before 1970" : "after the year 9999";
  const [date = "", time = ""] = new Date(ms).toISOString().split(/[T.]/);
  return new Date(nowMs).toISOString().startsWith(date) ? time : `${date} ${time}`;
}

/** The distance from now, in words. */
export function fromNow(ms: number, nowMs: number): string {
  const distance = formatDuration(Math.abs(ms - nowMs));
  return ms >= nowMs ? `in ${distance}` : `${distance} ago`;
}
