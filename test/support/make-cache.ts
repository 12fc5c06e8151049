import {
  type CacheOptions,
  type CacheRequest,
  CredentialCache,
  type FailedRefresh,
} from "../../src/credentials/credential-cache.js";
import { FakeClock } from "./fake-clock.js";

export interface TestCredentials {
  readonly accessKeyId: string;
  readonly expiration?: Date | undefined;
}

/** What a response of the source may be made from. */
export interface RefreshCall {
  readonly signal: AbortSignal;
  readonly request: CacheRequest | undefined;
  /** Credentials with the next key ID, `AKID-1` first, that live for so many seconds. */
  readonly issue: (lifetimeSeconds?: number) => TestCredentials;
}

export type Respond = (call: RefreshCall) => Promise<TestCredentials>;

export const HOUR = 3_600;
export const outage = new Error("an outage");
export const refusal = new Error("a refusal");
const stale = new Error("a stale response");

export const succeed: Respond = async ({ issue }) => issue();
export const fail: Respond = async () => Promise.reject(outage);
export const refuse: Respond = async () => Promise.reject(refusal);
export const hang: Respond = () => new Promise(() => {});
export { stale };

interface Refreshed {
  readonly credentials: TestCredentials;
}

type Options = CacheOptions<Refreshed, CacheRequest>;

/** A cache on the fake clock, with a source that behaves as the test says. */
export class CacheBench {
  readonly clock = new FakeClock();
  readonly calls: RefreshCall[] = [];
  readonly failures: (FailedRefresh & { readonly error: unknown })[] = [];
  readonly expiredServed: string[] = [];
  /** How the source responds from now on. */
  respond: Respond = succeed;
  /** How long the source takes, in milliseconds. */
  delayMs = 0;
  /** Called whenever the source is asked. */
  onRefresh = (): void => {};
  readonly cache: CredentialCache<Refreshed, CacheRequest>;
  #issued = 0;

  constructor(changes: Partial<Options> = {}) {
    this.cache = new CredentialCache({
      refresh: async (request, signal) => ({ credentials: await this.#refresh(request, signal) }),
      staleResponse: () => stale,
      adviceOf: (error) => ({
        isRejection: error === refusal,
        isFree: false,
        retryAfterMs: undefined,
      }),
      onRefreshFailed: (error, state) => this.failures.push({ error, ...state }),
      onRefreshed: () => {},
      onExpiredServed: ({ accessKeyId }) => this.expiredServed.push(accessKeyId),
      onClosed: () => {},
      windows: {},
      aheadOfTime: false,
      serveExpired: false,
      clock: this.clock,
      random: () => 0,
      ...changes,
    });
  }

  /** The key ID that a caller gets, or what it gets instead; no time passes. */
  async get(request?: CacheRequest): Promise<unknown> {
    try {
      return (await this.cache.get(request)).accessKeyId;
    } catch (error) {
      return error;
    }
  }

  /** Fills the cache with `AKID-1`, and lets time pass until it is this many seconds before its expiration. */
  async fill(lifetimeSeconds: number, leftSeconds = lifetimeSeconds): Promise<void> {
    const { respond } = this;
    this.respond = async ({ issue }) => issue(lifetimeSeconds);
    await this.cache.get();
    this.respond = respond;
    await this.clock.advance((lifetimeSeconds - leftSeconds) * 1000);
  }

  async #refresh(request: CacheRequest | undefined, signal: AbortSignal): Promise<TestCredentials> {
    const call = { request, signal, issue: (lifetime?: number) => this.#issue(lifetime) };
    this.calls.push(call);
    this.onRefresh();
    if (this.delayMs > 0) {
      await new Promise<void>((resolve) => this.clock.schedule(this.delayMs, resolve));
    }
    return this.respond(call);
  }

  #issue(lifetimeSeconds = HOUR): TestCredentials {
    this.#issued += 1;
    const expiration = new Date(this.clock.now() + lifetimeSeconds * 1000);
    return { accessKeyId: `AKID-${this.#issued}`, expiration };
  }
}
