import type { AwsCredentialIdentity } from "@smithy/types";
import type { WebIdentityError } from "../model/errors.js";
import type { Finding } from "../model/findings.js";
import type { CallerClientConfig } from "../sts/target.js";

/** What a caller may pass to a provider. The SDK passes `callerClientConfig` and `forceRefresh`. */
export interface ProviderProperties {
  /** Configuration of the calling client. The SDK passes it. */
  readonly callerClientConfig?: CallerClientConfig | undefined;
  /** Refresh even if no refresh is due. */
  readonly forceRefresh?: boolean | undefined;
  /** Ends this caller's wait, but not the refresh, because others may be waiting for it. */
  readonly abortSignal?: AbortSignal | undefined;
}

/**
 * A credentials provider for the AWS SDK that caches, refreshes and retries. Share one provider among
 * all clients of a process.
 */
export interface WebIdentityProvider {
  /**
   * Credentials to sign with.
   *
   * @throws WebIdentityError when there are none; the signal's reason when the caller aborted.
   */
  (properties?: ProviderProperties): Promise<AwsCredentialIdentity>;
  /** Marks the provider as caching, so that the SDK adds no cache of its own. */
  readonly memoized: true;
  /** What is cached, what is in progress and what failed last. */
  status(): ProviderStatus;
  /**
   * Marks the cached credentials as rejected; the next call refreshes them. With an access key ID, only
   * if that key is still cached.
   */
  invalidate(accessKeyId?: string): void;
  /** Ends the provider: later calls reject with `ERR_CLOSED`, and its idle connections are closed. */
  close(): void;
  /** Closes the provider at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** The state of a provider, for health checks, metrics and operators. */
export interface ProviderStatus {
  /**
   * - `empty`: nothing is cached yet, or the provider was closed.
   * - `fresh`: cached, and no refresh is due.
   * - `refresh-due`: cached and valid, inside the advisory window.
   * - `refresh-urgent`: cached and valid, inside the mandatory window or invalidated.
   * - `expired`: cached, and no longer valid.
   */
  readonly state: "empty" | "fresh" | "refresh-due" | "refresh-urgent" | "expired";
  /** Whether `close()` was called. A closed provider starts no refresh. */
  readonly closed: boolean;
  /** When the cached credentials expire; milliseconds since the epoch, like every time here. */
  readonly expiresAt: number | undefined;
  /** Whether a refresh is in progress. */
  readonly refreshing: boolean;
  /**
   * The end of the refresh backoff after a failed refresh, in milliseconds since the epoch. No refresh
   * starts before that time, except with `forceRefresh`, for which the backoff is 30 s at most.
   */
  readonly nextRefreshAllowedAt: number | undefined;
  /** The region that issued the cached credentials; unknown with `roleAssumerWithWebIdentity`. */
  readonly region: string | undefined;
  /** Where the cached credentials came from: `store` when another process got them from STS. */
  readonly source: "sts" | "store" | undefined;
  /** The shared store; absent without one. */
  readonly store: StoreStatus | undefined;
  /** The regions that may be called, in order. Empty until the first refresh, or if they are unknown. */
  readonly regions: readonly RegionStatus[];
  /** When the last refresh succeeded; milliseconds since the epoch. */
  readonly lastSuccessAt: number | undefined;
  /** When the last refresh failed; milliseconds since the epoch. */
  readonly lastFailureAt: number | undefined;
  /** The error of the last refresh, if it failed. */
  readonly lastError: WebIdentityError | undefined;
  /** The last issuer check; absent before the first one. */
  readonly preflight: PreflightStatus | undefined;
}

/** The state of a store. */
export interface StoreStatus {
  /** The name of the store, such as `file` or `redis`. */
  readonly name: string;
  /** Why this provider does not use it; absent when it does. */
  readonly unusedBecause: string | undefined;
  /** Until when its circuit is open after a failure, in milliseconds since the epoch. Until then, it is not used. */
  readonly openUntil: number | undefined;
}

/** The state of STS in one region. */
export interface RegionStatus {
  /** The region. */
  readonly region: string;
  /**
   * Until when its circuit is open after a failure, in milliseconds since the epoch. Until then, calls go
   * to another region if there is one.
   */
  readonly openUntil: number | undefined;
}

/** The last issuer check. */
export interface PreflightStatus {
  /** When the check ended, in milliseconds since the epoch. */
  readonly at: number;
  /** The issuer that was checked. */
  readonly issuer: string;
  /** Most severe first. */
  readonly findings: readonly Finding[];
}
