import { untilAborted } from "../runtime/abort.js";
import {
  type FetchSettings,
  IssuerDocuments,
  type MaxAge,
  type Snapshot,
} from "./issuer-documents.js";
import { discoveryUrl } from "./issuer-url.js";
import { KeySetsSeen, MissingKids } from "./key-history.js";

/** Issuers come from tokens, and strangers can send tokens: the cache keeps no more than these. */
const MAX_ISSUERS = 100;

/**
 * The length of all cached documents together. A hundred issuers with a JWKS of Entra's size have
 * 2 MiB. Hostile documents take up to three times their length in memory.
 */
const MAX_CACHED_BYTES = 8 * 1024 * 1024;

interface SharedIssuerInit {
  readonly issuer: string;
  readonly discoveryUrl: URL;
  readonly settings: FetchSettings;
  readonly onRenewed: () => void;
}

/** One issuer, shared by all checks of the process. */
export class SharedIssuer {
  readonly missingKids: MissingKids;
  readonly keySets: KeySetsSeen;
  readonly #documents: IssuerDocuments;
  readonly #settings: FetchSettings;
  readonly #onRenewed: () => void;
  #snapshot: Snapshot | undefined;
  #running: Promise<Snapshot> | undefined;

  constructor({ issuer, discoveryUrl: url, settings, onRenewed }: SharedIssuerInit) {
    this.#documents = new IssuerDocuments(issuer, url, settings);
    this.#settings = settings;
    this.#onRenewed = onRenewed;
    this.missingKids = new MissingKids(settings.clock);
    this.keySets = new KeySetsSeen(settings.clock);
  }

  /** Whether requests to the issuer are in progress. */
  get isBusy(): boolean {
    return this.#running !== undefined;
  }

  /** The length of the cached documents. */
  get bytes(): number {
    return this.#documents.bytes;
  }

  /** The cached snapshot while it may be used. It is not a promise, so that a cached check is cheap. */
  cached(maxAge: MaxAge): Snapshot | undefined {
    const snapshot = this.#snapshot;
    const now = this.#settings.clock.now();
    if (snapshot === undefined || now >= snapshot.expiresAt) return undefined;
    const age = now - snapshot.fetchedAt;
    // The clock was set back: how old the snapshot is is not known.
    if (age < 0) return undefined;
    // After a failure no caller may ask again: another request would add to the issuer's load.
    if (snapshot.isFailure) return snapshot;
    const keysAge = now - (snapshot.keys?.fetchedAt ?? snapshot.fetchedAt);
    return age <= maxAge.discoveryMs && keysAge <= maxAge.jwksMs ? snapshot : undefined;
  }

  /**
   * What the issuer publishes, no older than `maxAge`, unless the pause after a failure is still on.
   * Checks that ask at the same time share the requests, which go on when a check stops waiting.
   */
  async get(maxAge: MaxAge, signal: AbortSignal): Promise<Snapshot> {
    const cached = this.#running === undefined ? this.cached(maxAge) : undefined;
    if (cached) return cached;
    signal.throwIfAborted();
    this.#running ??= this.#renew(maxAge);
    return await untilAborted(this.#running, signal);
  }

  async #renew(maxAge: MaxAge): Promise<Snapshot> {
    try {
      const before = this.#documents.fetchIds;
      const snapshot = await this.#documents.renew(maxAge);
      this.#snapshot = asCached(snapshot);
      const { isComplete, fetchIds, keySet, findings } = this.#documents;
      if (isComplete && fetchIds !== before) {
        this.keySets.note(
          keySet,
          findings.map(({ id }) => id),
        );
      }
      return snapshot;
    } finally {
      this.#running = undefined;
      this.#onRenewed();
    }
  }
}

/** For all later checks, the requests were made by an earlier one. */
function asCached(snapshot: Snapshot): Snapshot {
  const requests = snapshot.requests.map((timing) => ({ ...timing, fromCache: true }));
  return { ...snapshot, requests };
}

/** The issuers that a process knows. When the cache is full, it drops the least recently used. */
export class IssuerCache {
  readonly #issuers = new Map<string, SharedIssuer>();

  /** The issuer that all checks with the same settings share; nothing for an invalid issuer URL. */
  of(issuer: string, settings: FetchSettings): SharedIssuer | undefined {
    const key = `${settings.timeoutMs} ${settings.reach} ${issuer}`;
    const url = discoveryUrl(issuer);
    if (url === undefined) return undefined;
    const onRenewed = () => this.#trim();
    const shared =
      this.#issuers.get(key) ??
      new SharedIssuer({ issuer, discoveryUrl: url, settings, onRenewed });
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
