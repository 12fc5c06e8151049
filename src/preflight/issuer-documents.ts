import type { Finding } from "../model/findings.js";
import type { DocumentName, RequestTiming } from "../model/issuer-report.js";
import type { Clock } from "../runtime/clock.js";
import { checkDiscovery } from "./discovery.js";
import {
  notCacheable,
  problemFinding,
  proxyInUse,
  slow,
  statusFinding,
} from "./document-findings.js";
import { fetchDocument, type Transport } from "./fetch-document.js";
import { isUncacheable, lifetimeMs, pauseMs } from "./freshness.js";
import type { Reach } from "./guarded-lookup.js";
import { type KeySet, readKeySet } from "./key-set.js";
import { isHttpProxy, proxyFor } from "./proxy.js";

/** How and for how long documents are fetched. */
export interface FetchSettings {
  readonly clock: Clock;
  readonly transport: Transport;
  readonly reach: Reach;
  /** The limit of both requests together, in milliseconds. */
  readonly timeoutMs: number;
}

/** How old cached documents may be, in milliseconds, before they are fetched again. */
export interface MaxAge {
  readonly discoveryMs: number;
  readonly jwksMs: number;
}

/** What is known of an issuer at one time, apart from what depends on a token. */
export interface Snapshot {
  readonly findings: readonly Finding[];
  readonly requests: readonly RequestTiming[];
  /** Absent when no key set was read. */
  readonly keys?: FetchedKeys | undefined;
  /** When the oldest of the documents was fetched, in milliseconds since the epoch. */
  readonly fetchedAt: number;
  /** When the first document expires, or the pause after a failure ends. */
  readonly expiresAt: number;
  /** Whether a document is missing: the issuer is left alone until {@link expiresAt}. */
  readonly isFailure: boolean;
}

export interface FetchedKeys {
  readonly keySet: KeySet;
  /** Differs between two fetches of the JWKS, whether or not it changed. */
  readonly fetchId: number;
  /** In milliseconds since the epoch. */
  readonly fetchedAt: number;
  /** The same moment by the monotonic clock. */
  readonly fetchedMonotonic: number;
}

interface CachedDocument<Content> {
  readonly url: string;
  readonly content: Content;
  readonly findings: readonly Finding[];
  readonly timing: RequestTiming;
  readonly etag: string | undefined;
  /** The length of the body. */
  readonly bytes: number;
  /** Differs between two fetches, whether or not the document changed. */
  readonly fetchId: number;
  /** In milliseconds since the epoch. */
  readonly fetchedAt: number;
  /** The same moment by the monotonic clock. */
  readonly fetchedMonotonic: number;
  /** In milliseconds since the epoch. */
  readonly expiresAt: number;
}

interface DocumentFailure {
  readonly finding: Finding;
  readonly timing: RequestTiming;
  /** The pause that the issuer asks for, in milliseconds; absent when it asks for none. */
  readonly pauseMs: number | undefined;
  /** Whether no request was sent, because of what the document before this one says. */
  readonly isUnsent?: boolean | undefined;
}

interface DocumentRequest<Content> {
  readonly document: DocumentName;
  readonly url: URL;
  readonly cached: CachedDocument<Content> | undefined;
  readonly maxAgeMs: number;
  readonly read: (body: Buffer) => Pick<CachedDocument<Content>, "findings" | "content">;
  readonly signal: AbortSignal;
}

/** After a failure an issuer is left alone for this long; each further failure doubles the pause. */
const BASE_PAUSE_MS = 5_000;
const MAX_PAUSE_MS = 60_000;

let fetches = 0;

/** The two documents of one issuer, as they were fetched last. */
export class IssuerDocuments {
  readonly #issuer: string;
  readonly #discoveryUrl: URL;
  readonly #settings: FetchSettings;
  #discovery: CachedDocument<URL | undefined> | undefined;
  #jwks: CachedDocument<KeySet | undefined> | undefined;
  /** Why the JWKS that the discovery document names was not requested. */
  #unsent: Finding | undefined;
  /** How many renewals in a row failed. */
  #failures = 0;

  constructor(issuer: string, discoveryUrl: URL, settings: FetchSettings) {
    this.#issuer = issuer;
    this.#discoveryUrl = discoveryUrl;
    this.#settings = settings;
  }

  /** The length of both cached documents. */
  get bytes(): number {
    return (this.#discovery?.bytes ?? 0) + (this.#jwks?.bytes ?? 0);
  }

  /** Whether the last renewal fetched both documents, or found that there is no JWKS to fetch. */
  get isComplete(): boolean {
    return this.#failures === 0;
  }

  /** Changes with every document that is fetched. */
  get fetchIds(): string {
    return `${this.#discovery?.fetchId} ${this.#jwks?.fetchId}`;
  }

  /** The keys that were fetched last; absent when there were none, or the JWKS was unreadable. */
  get keySet(): KeySet | undefined {
    return this.#jwks?.content;
  }

  /** What is wrong with the documents themselves. */
  get findings(): readonly Finding[] {
    const unsent = this.#unsent === undefined ? [] : [this.#unsent];
    return [...(this.#discovery?.findings ?? []), ...unsent, ...(this.#jwks?.findings ?? [])];
  }

  /** Fetches the documents that are too old, discovery first. Never rejects. */
  async renew(maxAge: MaxAge): Promise<Snapshot> {
    const { clock, timeoutMs } = this.#settings;
    const controller = new AbortController();
    const { signal } = controller;
    const cancel = clock.schedule(timeoutMs, () => controller.abort(new Error("time is up")));
    try {
      const discovery = await this.#renewDiscovery(maxAge.discoveryMs, signal);
      if ("finding" in discovery) return this.#failed(discovery, []);
      this.#discovery = discovery;
      const jwksUrl = discovery.content;
      const jwks = jwksUrl && (await this.#renewJwks(jwksUrl, maxAge.jwksMs, signal));
      const isFailure = jwks !== undefined && "finding" in jwks;
      if (isFailure && !jwks.isUnsent) return this.#failed(jwks, [discovery]);
      this.#unsent = isFailure ? jwks.finding : undefined;
      this.#jwks = isFailure ? undefined : jwks;
      this.#failures = 0;
      return this.#succeeded(discovery, this.#jwks, isFailure ? [jwks.timing] : []);
    } finally {
      cancel();
    }
  }

  #renewDiscovery(maxAgeMs: number, signal: AbortSignal) {
    const url = this.#discoveryUrl;
    return this.#renew({
      document: "discovery",
      url,
      cached: this.#discovery,
      maxAgeMs,
      read: (body) => {
        const { findings, jwksUrl } = checkDiscovery(body, this.#issuer, url.href);
        return { findings, content: jwksUrl };
      },
      signal,
    });
  }

  #renewJwks(url: URL, maxAgeMs: number, signal: AbortSignal) {
    return this.#renew({
      document: "jwks",
      url,
      cached: this.#jwks,
      maxAgeMs,
      read: (body) => {
        const { findings, keySet } = readKeySet(body, url.href);
        return { findings, content: keySet };
      },
      signal,
    });
  }

  /** The cached document while it may be used, otherwise a new or revalidated one. Never rejects. */
  async #renew<Content>(
    request: DocumentRequest<Content>,
  ): Promise<CachedDocument<Content> | DocumentFailure> {
    const { document, url, signal } = request;
    const { clock, transport, reach, timeoutMs } = this.#settings;
    const cached = request.cached?.url === url.href ? request.cached : undefined;
    if (cached && isUsable(cached, request.maxAgeMs, clock.now())) {
      return { ...cached, timing: { ...cached.timing, fromCache: true } };
    }
    const proxy = proxyFor(url, transport.env);
    const outcome = await fetchDocument(url, {
      document,
      transport,
      reach,
      proxy,
      clock,
      signal,
      etag: cached?.etag,
    });
    const { timing } = outcome;
    if ("problem" in outcome) {
      const finding = problemFinding(outcome.problem, { document, timing, timeoutMs, proxy });
      // An address in the URL itself: what the discovery document says is the fault, and may be another replica's.
      const isUnsent = outcome.problem.kind === "not-public" && finding.confirmedBy !== undefined;
      return { finding, timing, pauseMs: undefined, isUnsent };
    }
    const { status, headers, body } = outcome;
    const now = clock.now();
    const unchanged = status === 304 ? cached : undefined;
    if (status !== 200 && unchanged === undefined) {
      const asksForPause = status === 429 || headers["retry-after"] !== undefined;
      const finding = statusFinding(document, timing, now);
      return { finding, timing, pauseMs: asksForPause ? pauseMs(headers, now) : undefined };
    }
    // A 304 need not repeat headers that have not changed.
    const { age: _, ...before } = unchanged?.timing.headers ?? {};
    const read = unchanged ?? request.read(body);
    fetches += 1;
    return {
      url: url.href,
      content: read.content,
      findings: read.findings,
      timing: { ...timing, headers: { ...before, ...timing.headers } },
      etag: withoutLong(headers.etag) ?? unchanged?.etag,
      bytes: unchanged?.bytes ?? body.length,
      fetchId: fetches,
      fetchedAt: now,
      fetchedMonotonic: clock.monotonic(),
      expiresAt: now + lifetimeMs({ ...before, ...headers }, now),
    };
  }

  #succeeded(
    discovery: CachedDocument<unknown>,
    jwks: CachedDocument<KeySet | undefined> | undefined,
    unsent: readonly RequestTiming[],
  ): Snapshot {
    const documents = jwks ? [discovery, jwks] : [discovery];
    const requests = [...documents.map(({ timing }) => timing), ...unsent];
    return {
      findings: [
        ...this.findings,
        ...(jwks && isUncacheable(jwks.timing.headers) ? [notCacheable(jwks.timing)] : []),
        ...this.#findingsOf(requests),
      ],
      requests,
      ...(jwks?.content && { keys: fetchedKeys(jwks, jwks.content) }),
      fetchedAt: Math.min(...documents.map(({ fetchedAt }) => fetchedAt)),
      expiresAt: Math.min(...documents.map(({ expiresAt }) => expiresAt)),
      isFailure: false,
    };
  }

  #failed(failure: DocumentFailure, before: readonly CachedDocument<unknown>[]): Snapshot {
    this.#failures += 1;
    const { finding, timing, pauseMs: askedMs = 0 } = failure;
    const now = this.#settings.clock.now();
    const ownMs = Math.min(MAX_PAUSE_MS, BASE_PAUSE_MS * 2 ** (this.#failures - 1));
    const requests = [...before.map((document) => document.timing), timing];
    return {
      findings: [
        ...before.flatMap(({ findings }) => findings),
        finding,
        ...this.#findingsOf(requests).filter(({ id }) => id !== finding.id),
      ],
      requests,
      fetchedAt: Math.min(now, ...before.map(({ fetchedAt }) => fetchedAt)),
      expiresAt: now + Math.max(ownMs, askedMs),
      isFailure: true,
    };
  }

  #findingsOf(requests: readonly RequestTiming[]): Finding[] {
    const proxy = requests
      .map(({ url }) => proxyFor(new URL(url), this.#settings.transport.env))
      .find((each) => each !== undefined && isHttpProxy(each));
    return [...slow(requests), ...(proxy ? [proxyInUse(proxy)] : [])];
  }
}

function fetchedKeys(
  { fetchId, fetchedAt, fetchedMonotonic }: CachedDocument<unknown>,
  keySet: KeySet,
): FetchedKeys {
  return { keySet, fetchId, fetchedAt, fetchedMonotonic };
}

/** Longer entity tags are not cached; those of CDNs and web servers have up to 70 characters. */
const MAX_ETAG = 1_024;

function withoutLong(etag: string | undefined): string | undefined {
  return etag !== undefined && etag.length > MAX_ETAG ? undefined : etag;
}

function isUsable(cached: CachedDocument<unknown>, maxAgeMs: number, now: number): boolean {
  const age = now - cached.fetchedAt;
  // A negative age means that the clock was set back: how old the document is is not known.
  return age >= 0 && age <= maxAgeMs && now < cached.expiresAt;
}
