import { channel } from "node:diagnostics_channel";
import type { StoreOperation } from "./credential-store.js";
import type { AttemptRecord, TokenFacts, WebIdentityErrorCode } from "./errors.js";
import type { Finding } from "./findings.js";
import type { RequestTiming } from "./issuer-report.js";

/** What every event carries. */
interface EventBase {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly roleArn: string;
}

/** A token was read and no local check is certain that STS refuses it. */
export interface TokenLoadedEvent extends EventBase {
  readonly type: "token.loaded";
  readonly attempt: number;
  /** How long the source took, in milliseconds. */
  readonly ms: number;
  /** Absent when the token was not looked at (`providerId`, `validateToken: false`). */
  readonly token?: TokenFacts | undefined;
  /**
   * Advice, and what only a clock that STS has not confirmed says (`suspect`). A fatal finding is a
   * failed attempt.
   */
  readonly findings: readonly Finding[];
}

/** A look at the issuer's documents ended. */
export interface PreflightFinishedEvent extends EventBase {
  readonly type: "preflight.finished";
  readonly issuer: string;
  /** Most severe first. */
  readonly findings: readonly Finding[];
  /** With the time that each took, part by part; `fromCache` for one that was not made again. */
  readonly requests: readonly RequestTiming[];
}

/** An attempt failed; `waitMs` is there when another one follows. */
export interface AttemptFailedEvent extends EventBase, AttemptRecord {
  readonly type: "attempt.failed";
}

/** No region was configured anywhere, so us-east-1 was taken. */
export interface RegionDefaultedEvent extends EventBase {
  readonly type: "region.defaulted";
  readonly region: string;
}

/** Another region than the one before is asked, or has answered first. */
export interface RegionSwitchedEvent extends EventBase {
  readonly type: "region.switched";
  readonly from: string;
  readonly to: string;
  /** `failover`: the one before failed or is resting; `hedge`: this one answered first. */
  readonly reason: "failover" | "hedge";
}

/** New credentials are in the cache. */
export interface CredentialsRefreshedEvent extends EventBase {
  readonly type: "credentials.refreshed";
  /** Where they came from: `store` when another process had got them from STS. */
  readonly source: "sts" | "store";
  readonly region: string | undefined;
  /** How many attempts it took; 0 when STS was not asked. */
  readonly attempts: number;
  /** How long the whole refresh took, in milliseconds. */
  readonly ms: number;
  readonly expiration: Date | undefined;
}

/** A refresh failed for good; `servedFromCache` tells whether any caller noticed. */
export interface RefreshFailedEvent extends EventBase {
  readonly type: "refresh.failed";
  readonly code: WebIdentityErrorCode;
  readonly message: string;
  readonly attempts: number;
  readonly ms: number;
  /** Whether callers go on with cached credentials. */
  readonly servedFromCache: boolean;
  /** The end of the refresh backoff, in milliseconds since the epoch; absent when there is none. */
  readonly nextRefreshAllowedAt?: number | undefined;
}

/**
 * An operation of the store failed, or gave a value that can't be used. No caller notices: the provider
 * asks STS itself, and leaves a store that failed alone until `openUntil`.
 */
export interface StoreFailedEvent extends EventBase {
  readonly type: "store.failed";
  /** The store's name: `file`, `redis`. */
  readonly store: string;
  readonly operation: StoreOperation;
  /** `bad-value`: what is stored is malformed, cut, another workload's, or encrypted with another key. */
  readonly reason: "timeout" | "error" | "bad-value";
  readonly message: string;
  /** In milliseconds since the epoch; absent for a bad value. */
  readonly openUntil?: number | undefined;
}

/** Expired credentials were handed out because `serveExpired` is on and the refresh failed. */
export interface ExpiredServedEvent extends EventBase {
  readonly type: "credentials.expired-served";
  readonly expiration: Date;
}

/**
 * The `Date` of an answer of STS cannot be right, and was not believed: by it, the session would
 * live longer than was asked for, or would have expired on arrival. The session counts by this machine's
 * clock, or by what STS's earlier answers have shown, where it is as long by that as was asked for; else
 * it counts as exactly that long.
 */
export interface StsDateRejectedEvent extends EventBase {
  readonly type: "sts-date.rejected";
  readonly region: string;
  readonly reason: "session-too-long" | "expired-on-arrival";
  /** The answer's `Date` (ISO 8601). */
  readonly date: string;
  /** By how much it differs from the clock that was believed instead, in milliseconds. */
  readonly skewMs: number;
  /** When the session ends (ISO 8601). */
  readonly expiration: string;
}

/** Everything a provider tells through `onEvent` and the diagnostics channel `resilient-sts`. */
export type WebIdentityEvent =
  | TokenLoadedEvent
  | PreflightFinishedEvent
  | AttemptFailedEvent
  | RegionDefaultedEvent
  | RegionSwitchedEvent
  | CredentialsRefreshedEvent
  | RefreshFailedEvent
  | StoreFailedEvent
  | ExpiredServedEvent
  | StsDateRejectedEvent;

/** An event as the rooms tell it: time and role are added on the way out. */
export type EventBody = WebIdentityEvent extends infer E
  ? E extends WebIdentityEvent
    ? Omit<E, keyof EventBase>
    : never
  : never;

export type EmitEvent = (event: EventBody) => void;

/**
 * Name of the `node:diagnostics_channel` that every provider's events are published on. An error that
 * a subscriber throws does not reach the provider: by Node's rule it becomes an `uncaughtException`.
 */
export const CHANNEL_NAME = "resilient-sts";

const diagnostics = channel(CHANNEL_NAME);

/** Name of the `node:diagnostics_channel` for each request that `serveCredentials()` answers. */
export const SERVE_CHANNEL_NAME = "resilient-sts:serve";

const served = channel(SERVE_CHANNEL_NAME);

/** One request to the container-credentials endpoint. */
export interface ServeRequestMessage {
  /** The role that was asked for; absent for a request that was refused. */
  readonly role: string | undefined;
  /** HTTP status of the answer. */
  readonly status: number;
  /** Milliseconds from the request's headers to the end of the answer. */
  readonly ms: number;
}

export function publishServeRequest(message: ServeRequestMessage): void {
  if (served.hasSubscribers) served.publish(message);
}

/** Name of the `node:diagnostics_channel` for each operation of a shared credential store. */
export const STORE_CHANNEL_NAME = "resilient-sts:store";

const storeOperations = channel(STORE_CHANNEL_NAME);

/** One operation of a shared credential store. */
export interface StoreOperationMessage {
  readonly operation: StoreOperation;
  readonly outcome: "success" | "failure";
  /** Milliseconds it took, or until its limit. */
  readonly ms: number;
}

export function publishStoreOperation(message: StoreOperationMessage): void {
  if (storeOperations.hasSubscribers) storeOperations.publish(message);
}

/** Whether any subscriber listens to the events of all providers. */
export function isObserved(): boolean {
  return diagnostics.hasSubscribers;
}

/**
 * Tells one event to the handler and to the diagnostics channel. Whoever listens cannot break a
 * refresh: what a handler throws is handed to `onHandlerError` and goes no further.
 */
export function publishEvent(
  event: WebIdentityEvent,
  onEvent: ((event: WebIdentityEvent) => void) | undefined,
  onHandlerError: (error: unknown) => void,
): void {
  if (diagnostics.hasSubscribers) diagnostics.publish(event);
  callListener(() => onEvent?.(event), onHandlerError);
}

/** Calls a handler or a logger of the user's; what it throws or rejects with goes to `onError`. */
export function callListener(listener: () => unknown, onError: (error: unknown) => void): void {
  try {
    // It may be async all the same: its rejection must not end the process.
    const returned = listener();
    if (typeof returned === "object" && returned !== null && "then" in returned) {
      Promise.resolve(returned).catch(onError);
    }
  } catch (error) {
    onError(error);
  }
}
