import type { Finding } from "../model/findings.js";
import type { DocumentName, RequestTiming } from "../model/issuer-report.js";
import type { Clock } from "../runtime/clock.js";
import { fetchDocument, type Transport } from "./fetch-document.js";
import { problemFinding, statusFinding } from "./fetch-findings.js";
import { lifetimeMs, restMs } from "./freshness.js";
import { proxyFor } from "./proxy.js";

/** How and for how long documents are fetched. */
export interface FetchContext {
  readonly clock: Clock;
  readonly transport: Transport;
  readonly allowPrivate: boolean;
  /** What both documents are given together, in milliseconds. */
  readonly timeoutMs: number;
}

/** A document as it is kept between visits. */
export interface KeptDocument<Content> {
  readonly url: string;
  readonly content: Content;
  readonly findings: readonly Finding[];
  readonly timing: RequestTiming;
  readonly etag: string | undefined;
  /** Of the body that it was read from. */
  readonly bytes: number;
  /** Tells one fetch from the next, whether or not the document changed. */
  readonly fetchId: number;
  /** In milliseconds since the epoch. */
  readonly fetchedAt: number;
  /** In milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** Why there is no document, and how long its issuer asks to be left alone. */
export interface DocumentFailure {
  readonly finding: Finding;
  readonly timing: RequestTiming;
  /** In milliseconds; absent when the answer does not say "slow down". */
  readonly restMs: number | undefined;
}

interface Renewal<Content> {
  readonly document: DocumentName;
  readonly url: URL;
  readonly kept: KeptDocument<Content> | undefined;
  /** How old it may be, in milliseconds, before it is asked for again. */
  readonly maxAgeMs: number;
  readonly read: (body: Buffer) => Pick<KeptDocument<Content>, "findings" | "content">;
  readonly signal: AbortSignal;
}

let fetches = 0;

/** The kept document while it may be used, else a new or revalidated one. Never rejects. */
export async function renewDocument<Content>(
  renewal: Renewal<Content>,
  context: FetchContext,
): Promise<KeptDocument<Content> | DocumentFailure> {
  const { document, url, signal } = renewal;
  const { clock, transport, allowPrivate, timeoutMs } = context;
  const kept = renewal.kept?.url === url.href ? renewal.kept : undefined;
  if (kept && isUsable(kept, renewal.maxAgeMs, clock.now())) {
    return { ...kept, timing: { ...kept.timing, fromCache: true } };
  }
  const proxy = proxyFor(url, transport.env);
  const outcome = await fetchDocument(url, {
    document,
    transport,
    allowPrivate,
    proxy,
    clock,
    signal,
    etag: kept?.etag,
  });
  const { timing } = outcome;
  if ("problem" in outcome) {
    const finding = problemFinding(outcome.problem, { document, timing, timeoutMs, proxy });
    return { finding, timing, restMs: undefined };
  }
  const { status, headers, body } = outcome;
  const now = clock.now();
  const unchanged = status === 304 ? kept : undefined;
  if (status !== 200 && unchanged === undefined) {
    const asksForRest = status === 429 || headers["retry-after"] !== undefined;
    const finding = statusFinding(document, timing, now);
    return { finding, timing, restMs: asksForRest ? restMs(headers, now) : undefined };
  }
  // A 304 need not repeat what has not changed.
  const { age: _, ...before } = unchanged?.timing.headers ?? {};
  const read = unchanged ?? renewal.read(body);
  fetches += 1;
  return {
    url: url.href,
    content: read.content,
    findings: read.findings,
    timing: { ...timing, headers: { ...before, ...timing.headers } },
    etag: bounded(headers.etag) ?? unchanged?.etag,
    bytes: unchanged?.bytes ?? body.length,
    fetchId: fetches,
    fetchedAt: now,
    expiresAt: now + lifetimeMs({ ...before, ...headers }, now),
  };
}

/** Longer ones are not worth keeping; those of CDNs and web servers have up to 70 characters. */
const MAX_ETAG = 1_024;

function bounded(etag: string | undefined): string | undefined {
  return etag !== undefined && etag.length > MAX_ETAG ? undefined : etag;
}

function isUsable(kept: KeptDocument<unknown>, maxAgeMs: number, now: number): boolean {
  const age = now - kept.fetchedAt;
  // A negative age means that somebody set the clock: nothing is known then.
  return age >= 0 && age <= maxAgeMs && now < kept.expiresAt;
}
