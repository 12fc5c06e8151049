import type { AwsCredentialIdentity } from "@smithy/types";
import type { CallerClientConfig } from "../sts/target.js";
import type { ProviderStatus } from "./provider-status.js";

/** What a caller may hand to a provider. The SDK passes `callerClientConfig` and `forceRefresh`. */
export interface ProviderProperties {
  readonly callerClientConfig?: CallerClientConfig | undefined;
  /** Refresh even if the cached credentials are fresh. */
  readonly forceRefresh?: boolean | undefined;
  /** Ends this caller's wait; the refresh that others wait for too goes on. */
  readonly abortSignal?: AbortSignal | undefined;
}

/**
 * An AWS SDK credentials provider that caches, refreshes and retries by itself. Share one among
 * all clients of a process.
 */
export interface WebIdentityProvider {
  /**
   * Credentials to sign with.
   *
   * @throws WebIdentityError when there are none; the signal's reason when the caller aborted.
   */
  (properties?: ProviderProperties): Promise<AwsCredentialIdentity>;
  /** Tells the SDK that its own cache in front of this one is not needed. */
  readonly memoized: true;
  /** What is cached, what is under way and what went wrong last. */
  status(): ProviderStatus;
  /**
   * Takes the cached credentials for rejected: the next call gets new ones. With an access key id,
   * only if that one is still cached.
   */
  invalidate(accessKeyId?: string): void;
  /** Ends the provider: later calls reject with `ERR_CLOSED`; its idle connections are closed. */
  close(): void;
  /** Closes the provider at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void>;
}
