import type { CacheSnapshot } from "../credentials/credential-cache.js";
import { MIN_LIFETIME_MS, windowsFor } from "../credentials/refresh-timing.js";
import type {
  CredentialStore,
  StoredCredentials,
  StoredValue,
  StoreEntry,
  StoreLease,
  StoreOperation,
} from "../model/credential-store.js";
import { type EmitEvent, publishUnusableValue } from "../model/events.js";
import type { Failure } from "../model/failure.js";
import { decodeToken } from "../model/jwt.js";
import { sleep } from "../runtime/abort.js";
import type { Deadline } from "../runtime/clock.js";
import { readField, safeText } from "../runtime/redact.js";
import { type GuardedStore, guardOf } from "../stores/guarded-store.js";
import { readStoredValue, storeKey } from "../stores/store-entry.js";
import type { ServerClock } from "../sts/server-clock.js";
import type { StsTarget } from "../sts/target.js";
import type { ResolvedOptions, WebIdentityInit } from "./options.js";
import type { Identity, Runtime } from "./runtime.js";
import {
  endpointName,
  type Issued,
  type Shared,
  toCredentials,
  toFailure,
  toStoredCredentials,
  toStoredRefusal,
} from "./shared-values.js";

/**
 * How long a lease holds without being extended, in milliseconds. Short, so that of the processes that
 * wait for a killed holder one takes over before they stop waiting.
 */
const LEASE_MS = 4_000;

/** How long callers without valid credentials wait for another process's refresh, in milliseconds. */
const MAX_WAIT_MS = 5_000;

/**
 * The part of a wait that is drawn: processes that started together do not all stop waiting together,
 * and the first of them may publish credentials for the others.
 */
const DRAWN_PART = 0.1;

/** Bounds of the wait between two looks at the store, in milliseconds; each is half again as long. */
const POLL_MS = { first: 60, urgent: 400, background: 2_000 };

interface SharedRefreshOptions {
  readonly store: CredentialStore;
  readonly init: WebIdentityInit;
  readonly options: ResolvedOptions;
  readonly runtime: Runtime;
}

/** What the store's part in one refresh needs to know about it. */
export interface TurnOptions {
  readonly identity: Identity;
  /** The STS that would be asked first. */
  readonly target: StsTarget;
  /** What is cached when the refresh begins. */
  readonly snapshot: CacheSnapshot;
  /** Whether a caller asked for credentials that are newer than any stored ones. */
  readonly isForced: boolean;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/**
 * One provider's share of a store: what it does with the store in each refresh, and what it learned
 * from its callers. Nothing of the store's failures leaves it but events.
 */
export class SharedRefresh {
  readonly guard: GuardedStore;
  readonly options: SharedRefreshOptions;
  /** The access key id that a service rejected. It is never adopted, even if it is stored again. */
  rejectedId: string | undefined;
  /** The key of the last refresh. */
  key: string | undefined;
  /** When a caller began to wait for a refresh that was in the background; monotonic. */
  hurriedAt = Number.POSITIVE_INFINITY;
  #publishing: Promise<unknown> = Promise.resolve();

  constructor(options: SharedRefreshOptions) {
    const { clock, random } = options.runtime;
    this.options = options;
    this.guard = guardOf(options.store, { clock, random });
  }

  begin(options: TurnOptions): SharedTurn {
    this.hurriedAt = Number.POSITIVE_INFINITY;
    return new SharedTurn(this, options);
  }

  /** A caller waits for the refresh that is under way, although the cached credentials are valid. */
  hurry(): void {
    this.hurriedAt = Math.min(this.hurriedAt, this.options.runtime.clock.monotonic());
  }

  /** A service rejected the cached credentials: they are removed from the store too. */
  rejected(accessKeyId: string, emit: EmitEvent): void {
    const { key } = this;
    this.rejectedId = accessKeyId;
    this.hurry();
    if (key === undefined) return;
    const removing = this.guard.run("remove", (store) => store.remove(key, accessKeyId), {
      onFailure: (failure) => emit({ type: "store.failed", store: this.guard.name, ...failure }),
    });
    this.#publishing = Promise.allSettled([this.#publishing, removing]);
  }

  /** Settles when nothing is being written to the store. */
  async settled(): Promise<void> {
    await this.#publishing;
  }

  /** Writes in the background: no caller waits for it, and the process does. */
  publishing(work: () => Promise<void>): void {
    const letGo = this.options.runtime.clock.hold();
    const written = work().finally(letGo);
    this.#publishing = Promise.allSettled([this.#publishing, written]);
  }
}

/** The store's part in one refresh. */
export class SharedTurn {
  readonly #shared: SharedRefresh;
  readonly #options: TurnOptions;
  readonly #serverClock: ServerClock;
  #key: string | undefined;
  #lease: StoreLease | undefined;
  /** A claim that the refresh does not wait for. */
  #claiming: Promise<unknown> = Promise.resolve();
  #isOver = false;
  #stopExtending = () => {};
  #refusal: Failure | undefined;
  /** Whether the last attempt's token is one of this key: only its result may be stored under it. */
  #isForKey = false;
  #hasReportedValue = false;

  constructor(shared: SharedRefresh, options: TurnOptions) {
    const { pool } = shared.options.runtime;
    this.#shared = shared;
    this.#options = options;
    this.#serverClock = pool.serverClock(options.target);
  }

  /**
   * What another process got from STS, or gets while it is waited for; `undefined` when this process is to ask
   * STS: it has the lease, or the store is of no help.
   *
   * @param token - passed the local checks.
   * @throws the signal's reason.
   */
  async before(token: string, deadline: Deadline): Promise<Shared | undefined> {
    const key = this.#keyOf(token);
    const isFirst = this.#key === undefined;
    // Another token may have other claims: what is shared is the first one's.
    this.#key ??= key;
    this.#shared.key = this.#key;
    this.#isForKey = key !== undefined && key === this.#key;
    if (!this.#isForKey || this.#lease !== undefined) return undefined;
    if (this.#options.isForced) {
      if (isFirst) this.#claiming = this.#claim();
      return undefined;
    }
    return isFirst ? await this.#adoptOrClaim(deadline) : this.#usable(await this.#read());
  }

  /** Notes why STS refused: if the refresh ends with it, other processes need not ask. */
  refused(failure: Failure): void {
    this.#refusal = failure;
  }

  /**
   * The refresh has ended: its result is stored for the others, and the lease released. A process that
   * stopped waiting for the holder of the lease stores credentials too, so that the others need not
   * ask; but no refusal, since the holder may still succeed.
   */
  end(issued?: Issued): void {
    this.#isOver = true;
    this.#stopExtending();
    this.#shared.publishing(async () => {
      await this.#claiming;
      const lease = this.#lease;
      const value = this.#toStored(issued);
      if (value !== undefined && (lease !== undefined || value.kind === "credentials")) {
        const ttlMs = value.expiresAt - this.#stsNow();
        await this.#run("publish", (store) => store.publish(value, lease, ttlMs));
      }
      if (lease !== undefined) await this.#run("release", (store) => store.release(lease));
    });
  }

  #keyOf(token: string): string | undefined {
    const { identity, target } = this.#options;
    const { durationSeconds, policy, policyArns } = this.#shared.options.init;
    const decoded = decodeToken(token);
    const endpoint = endpointName(target);
    if (!("claims" in decoded) || endpoint === undefined) return undefined;
    const { roleArn, roleSessionName } = identity;
    const session = { roleArn, roleSessionName, durationSeconds, policy, policyArns };
    return storeKey({ claims: decoded.claims, ...session, endpoint });
  }

  async #adoptOrClaim(deadline: Deadline): Promise<Shared | undefined> {
    const { clock, random } = this.#shared.options.runtime;
    const start = clock.monotonic();
    const maxMs = this.#waitLimitMs(deadline);
    const limitMs = maxMs * (1 - DRAWN_PART * random());
    const isUrgent = maxMs <= MAX_WAIT_MS;
    let pollMs = POLL_MS.first;
    for (;;) {
      const entry = await this.#read();
      const usable = this.#usable(entry);
      if (usable !== undefined || entry === undefined) return usable;
      const isFree = readField(entry, "isLeased") !== true;
      if (isFree && (await this.#claim())) return await this.#afterClaim();
      // Not claimed and not held: the store failed, or another process was faster.
      if (this.#shared.guard.openUntil !== undefined) return undefined;
      const { hurriedAt } = this.#shared;
      const until = Math.min(start + limitMs, Math.max(start, hurriedAt) + MAX_WAIT_MS);
      if (clock.monotonic() >= until) return undefined;
      const waitMs = Math.min(pollMs * (0.5 + random()), until - clock.monotonic());
      await sleep(clock, waitMs, this.#options.signal);
      pollMs = Math.min(pollMs * 1.5, isUrgent ? POLL_MS.urgent : POLL_MS.background);
    }
  }

  /** The holder before may have published between the look and the claim. */
  async #afterClaim(): Promise<Shared | undefined> {
    const usable = this.#usable(await this.#read());
    if (usable !== undefined) this.#giveBack();
    return usable;
  }

  #giveBack(): void {
    const lease = this.#lease;
    this.#lease = undefined;
    this.#stopExtending();
    if (lease === undefined) return;
    this.#shared.publishing(async () => {
      await this.#run("release", (store) => store.release(lease));
    });
  }

  /**
   * Callers without valid credentials wait 5 s at most. A refresh that no caller waits for may wait
   * for half of the time that the cached credentials are still valid.
   */
  #waitLimitMs(deadline: Deadline): number {
    const half = deadline.remainingMs() / 2;
    if (this.#options.snapshot.invalidated) return Math.min(MAX_WAIT_MS, half);
    return Math.min(half, Math.max(MAX_WAIT_MS, this.#cachedMs() / 2));
  }

  /** How long the cached credentials may still be served, in milliseconds. */
  #cachedMs(): number {
    const { entry, age } = this.#options.snapshot;
    return entry === undefined ? 0 : Math.max(0, entry.lifetimeMs - age.possibleMs);
  }

  async #claim(): Promise<boolean> {
    const key = this.#key as string;
    const release = (lease: StoreLease | undefined) => {
      if (lease !== undefined) void this.#run("release", (store) => store.release(lease));
    };
    const lease = await this.#run("claim", (store) => store.claim(key, LEASE_MS), release);
    if (lease === undefined) return false;
    this.#lease = lease;
    if (!this.#isOver) this.#extendLater(lease);
    return true;
  }

  #extendLater(lease: StoreLease): void {
    const { clock } = this.#shared.options.runtime;
    this.#stopExtending = clock.schedule(LEASE_MS / 3, async () => {
      const isHeld = await this.#run("extend", (store) => store.extend(lease, LEASE_MS));
      // Lost or not: the refresh goes on, and the fence decides what its result replaces.
      if (isHeld === true && !this.#isOver) this.#extendLater(lease);
    });
  }

  async #read(): Promise<StoreEntry | undefined> {
    const key = this.#key as string;
    const entry = await this.#run("read", (store) => store.read(key));
    if (typeof entry !== "object" || entry === null) return undefined;
    const problem = readField(entry, "problem");
    if (typeof problem === "string") this.#reportValue(problem);
    return entry;
  }

  #usable(entry: StoreEntry | undefined): Shared | undefined {
    const credentials = this.#checked(readField(entry, "credentials"));
    if (credentials?.kind === "credentials" && this.#isWanted(credentials, entry)) {
      const leftMs = this.#leftMs(credentials, readField(entry, "credentialsTtlMs"));
      const expiration = new Date(this.#shared.options.runtime.clock.now() + leftMs);
      return { credentials: toCredentials(credentials, expiration), region: credentials.region };
    }
    const refusal = this.#checked(readField(entry, "refusal"));
    if (refusal?.kind !== "refusal") return undefined;
    const { retryAccessDenied } = this.#shared.options.options;
    const failure = toFailure(refusal, { now: this.#stsNow(), retryAccessDenied });
    return failure && { refused: failure };
  }

  /** A complete value of this key and role. A store that a user wrote may return anything. */
  #checked(stored: unknown): StoredValue | undefined {
    if (stored === undefined || stored === null) return undefined;
    const value = readStoredValue(stored);
    if ("problem" in value) {
      this.#reportValue(`a stored value can't be used: ${value.problem}`);
      return undefined;
    }
    if (value.key === this.#key && value.roleArn === this.#options.identity.roleArn) return value;
    this.#reportValue("a stored value can't be used: it is another workload's");
    return undefined;
  }

  /** Whether stored credentials are worth having: newer than the cached ones, and for long enough. */
  #isWanted(stored: StoredCredentials, entry: StoreEntry | undefined): boolean {
    const { options } = this.#shared.options;
    const { snapshot } = this.#options;
    const { accessKeyId, expiresAt, issuedAt } = stored;
    const isCached = accessKeyId === snapshot.entry?.credentials.accessKeyId;
    if (isCached || accessKeyId === this.#shared.rejectedId) return false;
    const leftMs = this.#leftMs(stored, readField(entry, "credentialsTtlMs"));
    const { advisoryMs, mandatoryMs } = windowsFor(expiresAt - issuedAt, options.refresh);
    const cachedMs = snapshot.invalidated ? 0 : this.#cachedMs();
    // A process that has some does not adopt what is due for a refresh itself.
    const leastMs = Math.max(cachedMs > 0 ? advisoryMs : mandatoryMs, MIN_LIFETIME_MS);
    return leftMs > cachedMs && leftMs > leastMs;
  }

  /** By this machine's clock, which may be wrong, and by the store's: the smaller one counts. */
  #leftMs({ expiresAt, issuedAt }: StoredCredentials, storeTtlMs: unknown): number {
    const ttlMs = typeof storeTtlMs === "number" ? storeTtlMs : Number.POSITIVE_INFINITY;
    return Math.min(expiresAt - this.#stsNow(), ttlMs, expiresAt - issuedAt);
  }

  #toStored(issued: Issued | undefined): StoredValue | undefined {
    const { roleArn } = this.#options.identity;
    const { clock } = this.#shared.options.runtime;
    if (this.#key === undefined || !this.#isForKey) return undefined;
    const bound = { key: this.#key, roleArn, issuedAt: Math.floor(this.#stsNow()) };
    if (issued !== undefined) return toStoredCredentials(issued, bound, clock.now());
    return this.#refusal && toStoredRefusal(this.#refusal, bound);
  }

  #stsNow(): number {
    return this.#serverClock.read().now;
  }

  #reportValue(message: string): void {
    if (this.#hasReportedValue) return;
    this.#hasReportedValue = true;
    const store = this.#shared.guard.name;
    const text = safeText(message);
    publishUnusableValue({ store });
    this.#options.emit({
      ...{ type: "store.failed", store, operation: "read", reason: "bad-value", message: text },
      openUntil: undefined,
    });
  }

  #run<T>(
    operation: StoreOperation,
    act: (store: CredentialStore) => Promise<T>,
    late?: (result: T) => void,
  ): Promise<T | undefined> {
    const { guard } = this.#shared;
    return guard.run(operation, act, {
      late,
      onFailure: (failure) =>
        this.#options.emit({ type: "store.failed", store: guard.name, ...failure }),
    });
  }
}
