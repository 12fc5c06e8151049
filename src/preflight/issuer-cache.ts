import { untilAborted } from "../runtime/abort.js";
import { discoveryUrl } from "./issuer-url.js";
import { KeySetsSeen, MissingKids } from "./key-history.js";
import type { FetchContext } from "./renew-document.js";
import type { Snapshot } from "./snapshot.js";
import { type KeptDocuments, type MaxAge, visitIssuer } from "./visit-issuer.js";

/** Issuers come from tokens, and tokens may come from strangers: no more than these are kept. */
const MAX_ISSUERS = 100;

/**
 * The documents behind what is kept, together. A hundred issuers with a JWKS of Entra's size have
 * 2 MiB; what is kept of hostile ones takes up to three times the bytes of their documents.
 */
const MAX_KEPT_BYTES = 8 * 1024 * 1024;

/** One issuer as everybody in the process shares it. */
export class SharedIssuer {
  readonly missingKids: MissingKids;
  readonly keySets: KeySetsSeen;
  readonly #issuer: string;
  readonly #url: URL;
  readonly #context: FetchContext;
  readonly #onVisited: () => void;
  readonly #kept: KeptDocuments = { failures: 0 };
  #snapshot: Snapshot | undefined;
  #flight: Promise<Snapshot> | undefined;

  constructor(issuer: string, url: URL, context: FetchContext, onVisited: () => void) {
    this.#onVisited = onVisited;
    this.#issuer = issuer;
    this.#url = url;
    this.#context = context;
    this.missingKids = new MissingKids(context.clock);
    this.keySets = new KeySetsSeen(context.clock);
  }

  get isBusy(): boolean {
    return this.#flight !== undefined;
  }

  /** Of the documents behind what is kept. */
  get bytes(): number {
    const { discovery, jwks } = this.#kept;
    return (discovery?.bytes ?? 0) + (jwks?.bytes ?? 0);
  }

  /** What is kept and may still be used: no promise, so that a warm look costs nothing. */
  kept(maxAge: MaxAge): Snapshot | undefined {
    const snapshot = this.#snapshot;
    const now = this.#context.clock.now();
    if (snapshot === undefined || now >= snapshot.expiresAt) return undefined;
    const age = now - snapshot.fetchedAt;
    // Somebody set the clock back: nothing is known then.
    if (age < 0) return undefined;
    // A failure is left alone whoever asks: looking again would add to the issuer's trouble.
    if (snapshot.isFailure) return snapshot;
    const keysAge = now - (snapshot.keys?.fetchedAt ?? snapshot.fetchedAt);
    return age <= maxAge.discoveryMs && keysAge <= maxAge.jwksMs ? snapshot : undefined;
  }

  /**
   * What the issuer publishes, no older than asked for, unless a failure has to be waited out. One
   * visit for all who ask meanwhile; it goes on when those who wait give up.
   */
  async get(maxAge: MaxAge, signal: AbortSignal): Promise<Snapshot> {
    const kept = this.#flight === undefined ? this.kept(maxAge) : undefined;
    if (kept) return kept;
    signal.throwIfAborted();
    this.#flight ??= this.#visit(maxAge);
    return await untilAborted(this.#flight, signal);
  }

  async #visit(maxAge: MaxAge): Promise<Snapshot> {
    try {
      const before = this.#kept.jwks?.fetchId;
      const visit = visitIssuer(this.#issuer, this.#url, this.#kept, maxAge, this.#context);
      this.#snapshot = withoutWaiting(await visit);
      const { jwks } = this.#kept;
      const isEmpty = jwks?.findings.some(({ id }) => id === "jwks-empty");
      const isRead = jwks?.content !== undefined || isEmpty === true;
      if (isRead && jwks?.fetchId !== before) this.keySets.note(jwks?.content);
      return await visit;
    } finally {
      this.#flight = undefined;
      this.#onVisited();
    }
  }
}

/** For all who ask later, the requests were somebody else's. */
function withoutWaiting(snapshot: Snapshot): Snapshot {
  const requests = snapshot.requests.map((timing) => ({ ...timing, fromCache: true }));
  return { ...snapshot, requests };
}

/** The issuers a process knows, the longest unused forgotten first. */
export class IssuerCache {
  readonly #issuers = new Map<string, SharedIssuer>();

  /** The issuer as it is shared by all who look in the same way; nothing for what is no issuer URL. */
  of(issuer: string, context: FetchContext): SharedIssuer | undefined {
    const key = `${context.timeoutMs} ${context.allowPrivate} ${issuer}`;
    const url = discoveryUrl(issuer);
    if (url === undefined) return undefined;
    const shared =
      this.#issuers.get(key) ?? new SharedIssuer(issuer, url, context, () => this.#trim());
    this.#issuers.delete(key);
    this.#issuers.set(key, shared);
    this.#trim();
    return shared;
  }

  /** The one that was asked for last. */
  get latest(): SharedIssuer | undefined {
    return [...this.#issuers.values()].at(-1);
  }

  #trim(): void {
    let bytes = 0;
    for (const issuer of this.#issuers.values()) bytes += issuer.bytes;
    for (const [key, issuer] of this.#issuers) {
      if (this.#issuers.size <= MAX_ISSUERS && bytes <= MAX_KEPT_BYTES) return;
      if (issuer.isBusy) continue;
      this.#issuers.delete(key);
      bytes -= issuer.bytes;
    }
  }
}
