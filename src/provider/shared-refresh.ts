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
import type { Identity, ResolvedOptions, Runtime, WebIdentityInit } from "./options.js";
import {
  endpointName,
  type Issued,
  type SharedResult,
  toCredentials,
  toFailure,
  toStoredCredentials,
  toStoredRefusal,
} from "./shared-values.js";

/**
 * How long a lease lasts without being extended, in milliseconds. Short, so that when its holder was
 * killed, a waiting process can claim it before it stops waiting.
 */
const LEASE_MS = 4_000;

/** How long callers without valid credentials wait for another process's refresh, in milliseconds. */
const MAX_WAIT_MS = 5_000;

/**
 * The random part of a wait: processes that started together do not all stop waiting together, and the
 * first of them may publish credentials for the others.
 */
const RANDOM_PART = 0.1;

/** Bounds of the wait between two reads of the store, in milliseconds; each wait is 1.5 times the last one. */
const POLL_MS = { first: 60, urgent: 400, background: 2_000 };

interface SharedStoreOptions {
  readonly store: CredentialStore;
  readonly init: WebIdentityInit;
  readonly options: ResolvedOptions;
  readonly runtime: Runtime;
}

/** What the store's part in one refresh depends on. */
export interface SharedRefreshOptions {
  readonly identity: Identity;
  /** The STS endpoint that would be called first. */
  readonly target: StsTarget;
  /** What is cached when the refresh begins. */
  readonly snapshot: CacheSnapshot;
  /** Whether a caller forced the refresh: stored credentials are then not new enough. */
  readonly isForced: boolean;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/**
 * A store as one provider uses it: in each refresh, and when a service rejects the credentials. A failure
 * of the store becomes an event, and never an error.
 *
 * The first refresh of a provider with a store loads this file.
 */
export class SharedStore {
  readonly guard: GuardedStore;
  readonly options: SharedStoreOptions;
  /** The access key ID that a service rejected. Credentials with this ID are never adopted again. */
  rejectedId: string | undefined;
  /** The key of the last refresh. */
  key: string | undefined;
  /** When a caller began to wait for a refresh that ran in the background; by the monotonic clock. */
  waitLimitedAt = Number.POSITIVE_INFINITY;
  #publishing: Promise<unknown> = Promise.resolve();

  constructor(options: SharedStoreOptions) {
    const { clock, random } = options.runtime;
    this.options = options;
    this.guard = guardOf(options.store, { clock, random });
  }

  begin(options: SharedRefreshOptions): SharedRefresh {
    this.waitLimitedAt = Number.POSITIVE_INFINITY;
    return new SharedRefresh(this, options);
  }

  /** Limits the in-flight refresh, for which a caller waits now: it waits 5 s at most for another process. */
  limitWait(): void {
    this.waitLimitedAt = Math.min(this.waitLimitedAt, this.options.runtime.clock.monotonic());
  }

  /** Removes credentials that a service rejected from the store. */
  rejected(accessKeyId: string, emit: EmitEvent): void {
    const { key } = this;
    this.rejectedId = accessKeyId;
    this.limitWait();
    if (key === undefined) return;
    const removing = this.guard.run("remove", (store) => store.remove(key, accessKeyId), {
      onFailure: (failure) => emit({ type: "store.failed", store: this.guard.name, ...failure }),
    });
    this.#publishing = Promise.allSettled([this.#publishing, removing]);
  }

  /** Settles when every write to the store has ended. */
  async settled(): Promise<void> {
    await this.#publishing;
  }

  /** Writes in the background: no caller waits for it, but the process does not end before it. */
  publishing(work: () => Promise<void>): void {
    const letProcessEnd = this.options.runtime.clock.hold();
    const written = work().finally(letProcessEnd);
    this.#publishing = Promise.allSettled([this.#publishing, written]);
  }
}

/**
 * The store's part in one refresh: adopts what another process published, or claims the lease and
 * publishes what this process gets.
 */
export class SharedRefresh {
  readonly #shared: SharedStore;
  readonly #options: SharedRefreshOptions;
  readonly #serverClock: ServerClock;
  #key: string | undefined;
  #lease: StoreLease | undefined;
  /** A claim that the refresh does not wait for. */
  #claiming: Promise<unknown> = Promise.resolve();
  #isOver = false;
  #stopExtending = () => {};
  #refusal: Failure | undefined;
  /** Whether the last attempt's token has this key: only then is its result stored under it. */
  #isForKey = false;
  #hasReportedValue = false;

  constructor(shared: SharedStore, options: SharedRefreshOptions) {
    const { pool } = shared.options.runtime;
    this.#shared = shared;
    this.#options = options;
    this.#serverClock = pool.serverClock(options.target);
  }

  /**
   * Finds what another process got from STS, waits for a process that is calling STS, or claims the lease.
   * Returns `undefined` when this process must call STS: it has the lease, or the store can't help.
   *
   * @param token - has passed the local checks.
   * @throws the signal's reason.
   */
  async findOrClaim(token: string, deadline: Deadline): Promise<SharedResult | undefined> {
    const key = this.#keyOf(token);
    const isFirst = this.#key === undefined;
    // A later token may have other claims, and so another key: only results for the first key are shared.
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

  /** Records why STS refused: if the refresh ends with this refusal, other processes need not call STS. */
  refused(failure: Failure): void {
    this.#refusal = failure;
  }

  /**
   * Ends the refresh: publishes its result for the others, and releases the lease. A process that stopped
   * waiting for the holder of the lease also publishes credentials, so that the others need not call STS,
   * but no refusal, because the holder may still succeed.
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

  async #adoptOrClaim(deadline: Deadline): Promise<SharedResult | undefined> {
    const { clock, random } = this.#shared.options.runtime;
    const start = clock.monotonic();
    const maxMs = this.#waitLimitMs(deadline);
    const limitMs = maxMs * (1 - RANDOM_PART * random());
    const isUrgent = maxMs <= MAX_WAIT_MS;
    let pollMs = POLL_MS.first;
    for (;;) {
      const entry = await this.#read();
      const usable = this.#usable(entry);
      if (usable !== undefined || entry === undefined) return usable;
      const isFree = readField(entry, "isLeased") !== true;
      if (isFree && (await this.#claim())) return await this.#afterClaim();
      // If the lease was free and the claim failed, the store failed or another process was faster.
      if (this.#shared.guard.openUntil !== undefined) return undefined;
      const { waitLimitedAt } = this.#shared;
      const until = Math.min(start + limitMs, Math.max(start, waitLimitedAt) + MAX_WAIT_MS);
      if (clock.monotonic() >= until) return undefined;
      const waitMs = Math.min(pollMs * (0.5 + random()), until - clock.monotonic());
      await sleep(clock, waitMs, this.#options.signal);
      pollMs = Math.min(pollMs * 1.5, isUrgent ? POLL_MS.urgent : POLL_MS.background);
    }
  }

  /** The previous holder may have published between the read and the claim. */
  async #afterClaim(): Promise<SharedResult | undefined> {
    const usable = this.#usable(await this.#read());
    if (usable !== undefined) this.#releaseNow();
    return usable;
  }

  #releaseNow(): void {
    const lease = this.#lease;
    this.#lease = undefined;
    this.#stopExtending();
    if (lease === undefined) return;
    this.#shared.publishing(async () => {
      await this.#run("release", (store) => store.release(lease));
    });
  }

  /**
   * How long to wait for another process: 5 s at most for callers without valid credentials. A refresh that
   * no caller waits for may use half of the time for which the cached credentials are still valid.
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
      if (lease) void this.#run("release", (store) => store.release(lease));
    };
    const lease = await this.#run("claim", (store) => store.claim(key, LEASE_MS), release);
    // A store in JavaScript may return null or false for the lease that another process holds.
    if (!lease) return false;
    this.#lease = lease;
    if (!this.#isOver) this.#extendLater(lease);
    return true;
  }

  #extendLater(lease: StoreLease): void {
    const { clock } = this.#shared.options.runtime;
    this.#stopExtending = clock.schedule(LEASE_MS / 3, async () => {
      const isHeld = await this.#run("extend", (store) => store.extend(lease, LEASE_MS));
      // The refresh continues either way: the lease's fence decides what its result may replace.
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

  #usable(entry: StoreEntry | undefined): SharedResult | undefined {
    const credentials = this.#checked(readField(entry, "credentials"));
    if (credentials?.kind === "credentials" && this.#isWorthAdopting(credentials, entry)) {
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

  /** Returns only a complete value of this key and role: a user's own store may return anything. */
  #checked(stored: unknown): StoredValue | undefined {
    if (stored === undefined || stored === null) return undefined;
    const value = readStoredValue(stored);
    if ("problem" in value) {
      this.#reportValue(`a stored value can't be used: ${value.problem}`);
      return undefined;
    }
    if (value.key === this.#key && value.roleArn === this.#options.identity.roleArn) return value;
    this.#reportValue("a stored value can't be used: it belongs to another workload");
    return undefined;
  }

  /** Whether stored credentials last longer than the cached ones, and long enough. */
  #isWorthAdopting(stored: StoredCredentials, entry: StoreEntry | undefined): boolean {
    const { options } = this.#shared.options;
    const { snapshot } = this.#options;
    const { accessKeyId, expiresAt, issuedAt } = stored;
    const isCached = accessKeyId === snapshot.entry?.credentials.accessKeyId;
    if (isCached || accessKeyId === this.#shared.rejectedId) return false;
    const leftMs = this.#leftMs(stored, readField(entry, "credentialsTtlMs"));
    const { advisoryMs, mandatoryMs } = windowsFor(expiresAt - issuedAt, options.refresh);
    const cachedMs = snapshot.invalidated ? 0 : this.#cachedMs();
    // A process that has valid credentials does not adopt ones that are due for a refresh.
    const leastMs = Math.max(cachedMs > 0 ? advisoryMs : mandatoryMs, MIN_LIFETIME_MS);
    return leftMs > cachedMs && leftMs > leastMs;
  }

  /** The time left by this machine's clock, which may be wrong, or by the store's: the shorter one. */
  #leftMs({ expiresAt, issuedAt }: StoredCredentials, storeTtlMs: unknown): number {
    const ttlMs = typeof storeTtlMs === "number" ? storeTtlMs : Number.POSITIVE_INFINITY;
    return Math.min(expiresAt - this.#stsNow(), ttlMs, expiresAt - issuedAt);
  }

  #toStored(issued: Issued | undefined): StoredValue | undefined {
    const { roleArn } = this.#options.identity;
    const { clock } = this.#shared.options.runtime;
    if (this.#key === undefined || !this.#isForKey) return undefined;
    const common = { key: this.#key, roleArn, issuedAt: Math.floor(this.#stsNow()) };
    if (issued !== undefined) return toStoredCredentials(issued, common, clock.now());
    return this.#refusal && toStoredRefusal(this.#refusal, common);
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
      type: "store.failed",
      store,
      operation: "read",
      reason: "bad-value",
      message: text,
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
