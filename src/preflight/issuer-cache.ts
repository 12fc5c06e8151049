// The issuers that a process knows, each with its two documents: when the documents are fetched again, how
// long no request follows a failure, and how simultaneous checks share requests.

import type { DocumentName, Finding, RequestTiming } from "../model/findings.js";
import { startLimit, untilAborted } from "../runtime/abort.js";
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
import { failurePauseMs, isUncacheable, isUsable, lifetimeMs, pauseMs } from "./freshness.js";
import type { Reach } from "./guarded-lookup.js";
import { KeySetsSeen, MissingKids } from "./key-history.js";
import { type Fetch, type FetchedKeys, type KeySet, readKeySet } from "./key-set.js";
import { isHttpProxy, proxyFor } from "./proxy.js";
import { discoveryUrl } from "./subject.js";

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

/** What is known about an issuer at one time, independent of a token. */
export interface Snapshot {
  readonly findings: readonly Finding[];
  readonly requests: readonly RequestTiming[];
  /** Absent when no key set was read. */
  readonly keys?: FetchedKeys | undefined;
  /** When the oldest of the documents was fetched, in milliseconds since the epoch. */
  readonly fetchedAt: number;
  /** When the first document expires, or the pause after a failure ends. */
  readonly expiresAt: number;
  /** Whether a document could not be fetched. No request is then sent until {@link expiresAt}. */
  readonly isFailure: boolean;
}

interface CachedDocument<Content> extends Fetch {
  readonly url: string;
  readonly content: Content;
  readonly findings: readonly Finding[];
  readonly timing: RequestTiming;
  readonly etag: string | undefined;
  /** The length of the body. */
  readonly bytes: number;
  /** In milliseconds since the epoch. */
  readonly expiresAt: number;
}

interface DocumentFailure {
  readonly finding: Finding;
  readonly timing: RequestTiming;
  /** The pause that the issuer requires (`Retry-After`, 429), in milliseconds, if any. */
  readonly pauseMs: number | undefined;
  /** Whether no request was sent, because the discovery document names an address that STS can't reach. */
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

interface SharedIssuerInit {
  readonly issuer: string;
  readonly discoveryUrl: URL;
  readonly settings: FetchSettings;
  /** Called when a fetch has ended and the cached documents may have changed. */
  readonly onFetched: () => void;
}

/** Counts the fetched documents of the process. */
let fetches = 0;

/** One issuer, shared by all checks of the process. */
export class SharedIssuer {
  readonly missingKids: MissingKids;
  readonly keySets: KeySetsSeen;
  readonly #issuer: string;
  readonly #discoveryUrl: URL;
  readonly #settings: FetchSettings;
  readonly #onFetched: () => void;
  #discovery: CachedDocument<URL | undefined> | undefined;
  #jwks: CachedDocument<KeySet | undefined> | undefined;
  /** Why the JWKS was not requested. */
  #unsent: Finding | undefined;
  /** The number of failed fetches in a row. */
  #failures = 0;
  #snapshot: Snapshot | undefined;
  #running: Promise<Snapshot> | undefined;

  constructor({ issuer, discoveryUrl: url, settings, onFetched }: SharedIssuerInit) {
    this.#issuer = issuer;
    this.#discoveryUrl = url;
    this.#settings = settings;
    this.#onFetched = onFetched;
    this.missingKids = new MissingKids(settings.clock);
    this.keySets = new KeySetsSeen(settings.clock);
  }

  /** Whether requests to the issuer are in progress. */
  get isBusy(): boolean {
    return this.#running !== undefined;
  }

  /** The length of both cached documents. */
  get bytes(): number {
    return (this.#discovery?.bytes ?? 0) + (this.#jwks?.bytes ?? 0);
  }

  /** The cached snapshot, while it may be used. Not a promise, so that a cached check is cheap. */
  cached(maxAge: MaxAge): Snapshot | undefined {
    const snapshot = this.#snapshot;
    const now = this.#settings.clock.now();
    if (snapshot === undefined || now >= snapshot.expiresAt) return undefined;
    const age = now - snapshot.fetchedAt;
    // The clock was set back, so the age of the snapshot is unknown.
    if (age < 0) return undefined;
    // During the pause no caller may cause another request, which would add to the issuer's load.
    if (snapshot.isFailure) return snapshot;
    const keysAge = now - (snapshot.keys?.fetchedAt ?? snapshot.fetchedAt);
    return age <= maxAge.discoveryMs && keysAge <= maxAge.jwksMs ? snapshot : undefined;
  }

  /**
   * What the issuer publishes, no older than `maxAge` unless the pause after a failure lasts. Simultaneous
   * checks share the requests, which continue when a check stops waiting.
   */
  async get(maxAge: MaxAge, signal: AbortSignal): Promise<Snapshot> {
    const cached = this.#running === undefined ? this.cached(maxAge) : undefined;
    if (cached) return cached;
    signal.throwIfAborted();
    this.#running ??= this.#fetch(maxAge);
    return await untilAborted(this.#running, signal);
  }

  async #fetch(maxAge: MaxAge): Promise<Snapshot> {
    try {
      const before = this.#fetchIds;
      const snapshot = await this.#fetchDocuments(maxAge);
      this.#snapshot = asCached(snapshot);
      // Both documents were fetched, or there is no JWKS to fetch.
      if (this.#failures === 0 && this.#fetchIds !== before) {
        const faults = this.#documentFindings.map(({ id }) => id);
        this.keySets.note(this.#jwks?.content, faults);
      }
      return snapshot;
    } finally {
      this.#running = undefined;
      this.#onFetched();
    }
  }

  /** A text that changes with every fetched document. */
  get #fetchIds(): string {
    return `${this.#discovery?.fetchId} ${this.#jwks?.fetchId}`;
  }

  /** The findings about the documents themselves. */
  get #documentFindings(): readonly Finding[] {
    const unsent = this.#unsent === undefined ? [] : [this.#unsent];
    return [...(this.#discovery?.findings ?? []), ...unsent, ...(this.#jwks?.findings ?? [])];
  }

  /** Fetches the documents that are too old, discovery first. Never rejects. */
  async #fetchDocuments(maxAge: MaxAge): Promise<Snapshot> {
    const { clock, timeoutMs } = this.#settings;
    const limit = startLimit({ clock, timeoutMs, reason: new Error("time is up") });
    const { signal } = limit;
    try {
      const discovery = await this.#getDiscovery(maxAge.discoveryMs, signal);
      if ("finding" in discovery) return this.#failed(discovery, []);
      this.#discovery = discovery;
      const jwksUrl = discovery.content;
      const jwks = jwksUrl && (await this.#getJwks(jwksUrl, maxAge.jwksMs, signal));
      const isFailure = jwks !== undefined && "finding" in jwks;
      if (isFailure && !jwks.isUnsent) return this.#failed(jwks, [discovery]);
      this.#unsent = isFailure ? jwks.finding : undefined;
      this.#jwks = isFailure ? undefined : jwks;
      this.#failures = 0;
      return this.#succeeded(discovery, this.#jwks, isFailure ? [jwks.timing] : []);
    } finally {
      limit.end();
    }
  }

  #getDiscovery(maxAgeMs: number, signal: AbortSignal) {
    const url = this.#discoveryUrl;
    const cached = this.#discovery;
    const read = (body: Buffer) => {
      const { findings, jwksUrl } = checkDiscovery(body, this.#issuer, url.href);
      return { findings, content: jwksUrl };
    };
    return this.#document({ document: "discovery", url, cached, maxAgeMs, read, signal });
  }

  #getJwks(url: URL, maxAgeMs: number, signal: AbortSignal) {
    const cached = this.#jwks;
    const read = (body: Buffer) => {
      const { findings, keySet } = readKeySet(body, url.href);
      return { findings, content: keySet };
    };
    return this.#document({ document: "jwks", url, cached, maxAgeMs, read, signal });
  }

  /** The cached document while it may be used, or else a new or revalidated one. Never rejects. */
  async #document<Content>(
    request: DocumentRequest<Content>,
  ): Promise<CachedDocument<Content> | DocumentFailure> {
    const { document, url, signal } = request;
    const { clock, transport, reach, timeoutMs } = this.#settings;
    const cached = request.cached?.url === url.href ? request.cached : undefined;
    if (cached && isUsable(cached, request.maxAgeMs, clock.now())) {
      return { ...cached, timing: { ...cached.timing, fromCache: true } };
    }
    const proxy = proxyFor(url, transport.env);
    const options = { document, transport, reach, proxy, clock, signal, etag: cached?.etag };
    const outcome = await fetchDocument(url, options);
    const { timing } = outcome;
    if ("problem" in outcome) {
      const finding = problemFinding(outcome.problem, { document, timing, timeoutMs, proxy });
      // The discovery document names an unreachable address. Another replica may name a different one.
      const isUnsent = outcome.problem.kind === "not-public" && finding.confirmedBy !== undefined;
      return { finding, timing, pauseMs: undefined, isUnsent };
    }
    const { status, headers, body } = outcome;
    const now = clock.now();
    const unchanged = status === 304 ? cached : undefined;
    if (status !== 200 && unchanged === undefined) {
      const isPauseRequired = status === 429 || headers["retry-after"] !== undefined;
      const finding = statusFinding(document, timing, now);
      return { finding, timing, pauseMs: isPauseRequired ? pauseMs(headers, now) : undefined };
    }
    // A 304 may leave out headers that have not changed.
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
        ...this.#documentFindings,
        ...(jwks && isUncacheable(jwks.timing.headers) ? [notCacheable(jwks.timing)] : []),
        ...this.#findingsOf(requests),
      ],
      requests,
      ...(jwks?.content && { keys: keysOf(jwks, jwks.content) }),
      fetchedAt: Math.min(...documents.map(({ fetchedAt }) => fetchedAt)),
      expiresAt: Math.min(...documents.map(({ expiresAt }) => expiresAt)),
      isFailure: false,
    };
  }

  #failed(failure: DocumentFailure, before: readonly CachedDocument<unknown>[]): Snapshot {
    this.#failures += 1;
    const { finding, timing, pauseMs: requiredMs = 0 } = failure;
    const now = this.#settings.clock.now();
    const requests = [...before.map((document) => document.timing), timing];
    return {
      findings: [
        ...before.flatMap(({ findings }) => findings),
        finding,
        ...this.#findingsOf(requests).filter(({ id }) => id !== finding.id),
      ],
      requests,
      fetchedAt: Math.min(now, ...before.map(({ fetchedAt }) => fetchedAt)),
      expiresAt: now + Math.max(failurePauseMs(this.#failures), requiredMs),
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

/** The snapshot for later checks, which did not make its requests. */
function asCached(snapshot: Snapshot): Snapshot {
  const requests = snapshot.requests.map((timing) => ({ ...timing, fromCache: true }));
  return { ...snapshot, requests };
}

function keysOf(
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

/** The maximum of cached issuers: they come from tokens, which may be hostile. */
const MAX_ISSUERS = 100;

/**
 * The maximum length of all cached documents together. A hundred issuers with a JWKS of Entra's size have
 * 2 MiB. Hostile documents take up to three times their length in memory.
 */
const MAX_CACHED_BYTES = 8 * 1024 * 1024;

/** The issuers that a process knows. When the cache is full, it drops the least recently used. */
export class IssuerCache {
  readonly #issuers = new Map<string, SharedIssuer>();

  /** The issuer that all checks with the same settings share; `undefined` for an invalid issuer URL. */
  of(issuer: string, settings: FetchSettings): SharedIssuer | undefined {
    const key = `${settings.timeoutMs} ${settings.reach} ${issuer}`;
    const url = discoveryUrl(issuer);
    if (url === undefined) return undefined;
    const onFetched = () => this.#trim();
    const shared =
      this.#issuers.get(key) ??
      new SharedIssuer({ issuer, discoveryUrl: url, settings, onFetched });
    this.#issuers.delete(key);
    this.#issuers.set(key, shared);
    this.#trim();
    return shared;
  }

  /** The issuer that was used last. */
  get latest(): SharedIssuer | undefined {
    return [...this.#issuers.values()].at(-1);
  }

  #trim(): void {
    let bytes = 0;
    for (const issuer of this.#issuers.values()) bytes += issuer.bytes;
    for (const [key, issuer] of this.#issuers) {
      if (this.#issuers.size <= MAX_ISSUERS && bytes <= MAX_CACHED_BYTES) return;
      if (issuer.isBusy) continue;
      this.#issuers.delete(key);
      bytes -= issuer.bytes;
    }
  }
}
