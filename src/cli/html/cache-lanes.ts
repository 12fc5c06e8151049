/**
 * How long the token and the copies of the two documents live, from the facts of a diagnosis: as spans
 * of time, which `timelines.ts` draws, and in words.
 */
import type { Diagnosis, Timing, TokenReport } from "../../doctor/diagnosis.js";
import type { RequestTiming } from "../../model/issuer-report.js";
import { STS_TIME_TOLERANCE_SECONDS } from "../../model/sts-limits.js";
import { readFreshness } from "../../preflight/freshness.js";
import { formatDuration } from "../../runtime/time-text.js";

const TOLERANCE_MS = STS_TIME_TOLERANCE_SECONDS * 1000;

export type SpanKind = "valid" | "tolerated" | "aged";

/** What is drawn in one line of the timeline: times in milliseconds since the epoch. */
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

/** The token's life and that of both documents' copies, as far as the facts tell. */
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
    [(token.exp ?? 0) * 1000 < nowMs ? "Ended" : "Ends", "exp", token.exp],
  ] as const;
  const told = claims.flatMap(([verb, claim, seconds]) =>
    seconds === undefined ? [] : [{ verb, claim, ms: seconds * 1000 }],
  );
  if (told.length === 0) return [];
  const words = told.map(
    ({ verb, claim, ms }) => `${verb} ${clockTime(ms, nowMs)} (${claim}, ${fromNow(ms, nowMs)})`,
  );
  // It is STS that takes it or not, by its own clock.
  const { spans, isBad } = tokenLife(token, nowMs + skewMs);
  return [
    {
      name: "Token",
      words: `${words.join(". ")}. STS tolerates 5 min on each.`,
      isBad,
      spans,
      marks: told.map(({ ms }) => ms),
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
  // 304 is the answer to a second look: the document is still the one that is kept.
  if (status !== 200 && status !== 304) {
    const wait = headers["retry-after"];
    const pause = wait === undefined ? "" : `, and asks to be left alone (Retry-After: ${wait})`;
    return only(`Answered ${status} ${when}${pause}: there is no document to keep.`, true);
  }
  const told = readFreshness(headers);
  if (told.kind === "unsaid")
    return only(`Fetched ${when}; does not say how long it keeps.`, false);
  if (told.kind === "refused") {
    const cost =
      document === "jwks"
        ? "STS keeps no copy and asks again for every key"
        : "no copy may be kept";
    return only(`Fetched ${when} with ${told.words}: ${cost}.`, document === "jwks");
  }
  const { ageSeconds, lifetimeSeconds, source } = told;
  const madeMs = atMs - ageSeconds * 1000;
  const staleMs = madeMs + lifetimeSeconds * 1000;
  const age = ageSeconds === 0 ? "" : `, ${ageSeconds} s old by then (Age)`;
  const until =
    staleMs <= atMs
      ? `no copy is fresh (${source})`
      : `may be kept until ${clockTime(staleMs, nowMs)} (${source}, ${fromNow(staleMs, nowMs)})`;
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

/** When a document arrived, since the run began: at the end of the first request of its URL. */
function arrivalMs({ url, document, totalMs }: RequestTiming, timings: readonly Timing[]): number {
  const ofDocuments = timings.filter(({ step }) => step === "issuer-documents");
  const same = ofDocuments.filter((timing) => timing.url === url);
  const at = same[0] ?? (document === "discovery" ? ofDocuments[0] : ofDocuments.at(-1));
  return at === undefined ? totalMs : at.startMs + at.totalMs;
}

/** The last that a date of four-digit years can tell, in milliseconds since the epoch. */
const END_OF_DATES = Date.UTC(9999, 11, 31, 23, 59, 59);

/** A time of day in UTC, with its date when that is not today's. */
export function clockTime(ms: number, nowMs: number): string {
  if (!(ms >= 0 && ms <= END_OF_DATES)) return ms < 0 ? "before 1970" : "after the year 9999";
  const [date = "", time = ""] = new Date(ms).toISOString().split(/[T.]/);
  return new Date(nowMs).toISOString().startsWith(date) ? time : `${date} ${time}`;
}

/** The distance from now, for people. */
export function fromNow(ms: number, nowMs: number): string {
  const distance = formatDuration(Math.abs(ms - nowMs));
  return ms >= nowMs ? `in ${distance}` : `${distance} ago`;
}
