/**
 * How long the token is valid and both documents may be cached, from the facts of a diagnosis: as
 * spans of time, which `timelines.ts` draws, and in words.
 */
import type { Diagnosis, Timing, TokenReport } from "../../doctor/diagnosis.js";
import type { RequestTiming } from "../../model/issuer-report.js";
import { STS_TIME_TOLERANCE_SECONDS } from "../../model/sts-limits.js";
import { readFreshness } from "../../preflight/freshness.js";
import { formatDuration } from "../../runtime/time-text.js";

const TOLERANCE_MS = STS_TIME_TOLERANCE_SECONDS * 1000;

export type SpanKind = "valid" | "tolerated" | "aged";

/** One row of the timeline, with times in milliseconds since the epoch. */
export interface CacheLane {
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
  if (status === undefined) return only(`No answer ${when} (${error ?? "cut off"}).`, true);
  // 304 is the answer to a repeated request: the cached document is still current.
  if (status !== 200 && status !== 304) {
    const wait = headers["retry-after"];
    const pause = wait === undefined ? "" : ` with Retry-After: ${wait}`;
    return only(`Answered ${status} ${when}${pause}: there is no document to cache.`, true);
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
      ? `stale at once (${source})`
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

/** The end of the last year with four digits, in milliseconds since the epoch. */
const END_OF_DATES = Date.UTC(9999, 11, 31, 23, 59, 59);

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
