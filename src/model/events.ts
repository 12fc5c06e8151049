/**
 * What providers and the endpoint publish: events for people and metrics, and the starts and ends of
 * refreshes and calls for a tracer. Without a subscriber, a trace costs nothing.
 */
import { type Channel, channel, tracingChannel } from "node:diagnostics_channel";
import type { StoreOperation } from "./credential-store.js";
import type { WebIdentityErrorCode } from "./errors.js";
import type { AttemptRecord, Verdict } from "./failure.js";
import type { Finding, RequestTiming } from "./findings.js";
import type { TokenFacts } from "./jwt.js";

/** The fields of every event. */
interface EventBase {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** ARN of the role that the provider assumes. */
  readonly roleArn: string;
}

/** The source returned a token, and no local check is certain that STS refuses it. */
export interface TokenLoadedEvent extends EventBase {
  readonly type: "token.loaded";
  /** Number of the attempt that loaded the token, from 1. */
  readonly attempt: number;
  /** How long the source took, in milliseconds. */
  readonly ms: number;
  /** Absent when the token was not checked (`providerId`, `validateToken: false`). */
  readonly token?: TokenFacts | undefined;
  /**
   * Advice, and findings that depend on a clock that STS has not confirmed (`suspect`). A fatal finding
   * is reported as a failed attempt instead.
   */
  readonly findings: readonly Finding[];
}

/** A check of the issuer's documents ended. */
export interface PreflightFinishedEvent extends EventBase {
  readonly type: "preflight.finished";
  /** The issuer that was checked. */
  readonly issuer: string;
  /** Most severe first. */
  readonly findings: readonly Finding[];
  /** The requests with their timings; `fromCache` marks a response that an earlier request returned. */
  readonly requests: readonly RequestTiming[];
}

/** An attempt failed. `waitMs` is present when another attempt follows. */
export interface AttemptFailedEvent extends EventBase, AttemptRecord {
  readonly type: "attempt.failed";
}

/** No region is configured, so the provider uses us-east-1. */
export interface RegionDefaultedEvent extends EventBase {
  readonly type: "region.defaulted";
  /** The region that is used instead. */
  readonly region: string;
}

/** The provider calls another region, or another region responded first. */
export interface RegionSwitchedEvent extends EventBase {
  readonly type: "region.switched";
  /** The region that was called before. */
  readonly from: string;
  /** The region that is called from now on. */
  readonly to: string;
  /** `failover`: the earlier region failed, or its circuit breaker is open. `hedge`: this region responded first. */
  readonly reason: "failover" | "hedge";
}

/** New credentials are in the cache. */
export interface CredentialsRefreshedEvent extends EventBase {
  readonly type: "credentials.refreshed";
  /** Where they came from: `store` when another process got them from STS. */
  readonly source: "sts" | "store";
  /** The region whose STS issued the credentials; `undefined` for credentials from a store. */
  readonly region: string | undefined;
  /** How many attempts it took; 0 when STS was not called. */
  readonly attempts: number;
  /** How long the whole refresh took, in milliseconds. */
  readonly ms: number;
  /** When they expire, in milliseconds since the epoch; absent when STS returned no expiration. */
  readonly expiresAt: number | undefined;
}

/** A refresh failed after its last attempt. `servedFromCache` says whether callers still get credentials. */
export interface RefreshFailedEvent extends EventBase {
  readonly type: "refresh.failed";
  /** Code of the error that the refresh ended with. */
  readonly code: WebIdentityErrorCode;
  /** Message of that error, without secrets. */
  readonly message: string;
  /** Number of attempts that the refresh made. */
  readonly attempts: number;
  /** Duration of the refresh, in milliseconds. */
  readonly ms: number;
  /** Whether callers still get the cached credentials. */
  readonly servedFromCache: boolean;
  /** The end of the refresh backoff, in milliseconds since the epoch; absent when there is none. */
  readonly nextRefreshAllowedAt?: number | undefined;
}

/**
 * An operation of the store failed or returned a value that can't be used. Callers are not affected: the
 * provider calls STS itself, and does not use a failed store until `openUntil`.
 */
export interface StoreFailedEvent extends EventBase {
  readonly type: "store.failed";
  /** The store's name: `file`, `redis`. */
  readonly store: string;
  /** The operation that failed. */
  readonly operation: StoreOperation;
  /** `bad-value`: the stored value is malformed, truncated, another workload's, or encrypted with another key. */
  readonly reason: "timeout" | "error" | "bad-value";
  /** What failed, without secrets. */
  readonly message: string;
  /** In milliseconds since the epoch; absent for a bad value. */
  readonly openUntil?: number | undefined;
}

/** The provider returned expired credentials because `serveExpired` is on and the refresh failed. */
export interface ExpiredServedEvent extends EventBase {
  readonly type: "credentials.expired-served";
  /** When they expired, in milliseconds since the epoch. */
  readonly expiresAt: number;
}

/**
 * The `Date` of an STS response can't be right, and the provider ignored it: according to it, the session
 * would last longer than requested, or would already have expired. The provider uses this machine's clock,
 * or the clock that earlier responses of STS have shown, if the session has the requested length by that
 * clock; otherwise it assumes exactly the requested length.
 */
export interface StsDateRejectedEvent extends EventBase {
  readonly type: "sts-date.rejected";
  /** The region whose response had the date. */
  readonly region: string;
  /**
   * Why the date can't be right: the session would last longer than was requested, or would have expired
   * on arrival.
   */
  readonly reason: "session-too-long" | "expired-on-arrival";
  /** The response's `Date`, in milliseconds since the epoch. */
  readonly dateAt: number;
  /** How much it differs from the clock that the provider used instead, in milliseconds. */
  readonly skewMs: number;
  /** When the session ends, in milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** Every event that a provider reports through `onEvent` and the diagnostics channel `resilient-sts`. */
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

/** An event without its time and role, which the event log adds. */
export type EventBody = WebIdentityEvent extends infer E
  ? E extends WebIdentityEvent
    ? Omit<E, keyof EventBase>
    : never
  : never;

export type EmitEvent = (event: EventBody) => void;

/**
 * Name of the `node:diagnostics_channel` on which every provider publishes its events. An error that a
 * subscriber throws does not reach the provider: Node reports it as an `uncaughtException`.
 */
export const CHANNEL_NAME = "resilient-sts";

const diagnostics = channel(CHANNEL_NAME);

/** Name of the `node:diagnostics_channel` for each request to `serveCredentials()`. */
export const SERVE_CHANNEL_NAME = "resilient-sts:serve";

const served = channel(SERVE_CHANNEL_NAME);

/** One request to the container-credentials endpoint. */
export interface ServeRequestMessage {
  /** The name of the requested role; absent for a refused request. */
  readonly role: string | undefined;
  /** HTTP status of the response. */
  readonly status: number;
  /** Milliseconds from the request's headers to the end of the response. */
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
  /** The store's name: `file`, `redis`. */
  readonly store: string;
  readonly operation: StoreOperation;
  readonly outcome: "success" | "failure";
  /** Why it failed. */
  readonly errorType?: "timeout" | "error" | undefined;
  /** Whether this process has the lease now; only after a successful `claim`. */
  readonly isClaimed?: boolean | undefined;
  /** Milliseconds it took, or until its limit. */
  readonly ms: number;
}

export function publishStoreOperation(message: StoreOperationMessage): void {
  if (storeOperations.hasSubscribers) storeOperations.publish(message);
}

/** Name of the `node:diagnostics_channel` for each stored value that was read and can't be used. */
export const STORE_VALUE_CHANNEL_NAME = "resilient-sts:store:unusable";

const unusableValues = channel(STORE_VALUE_CHANNEL_NAME);

/** A stored value that is malformed, truncated, another workload's, or encrypted with another key. */
export interface UnusableValueMessage {
  /** The store's name: `file`, `redis`. */
  readonly store: string;
}

export function publishUnusableValue(message: UnusableValueMessage): void {
  if (unusableValues.hasSubscribers) unusableValues.publish(message);
}

/** Whether any subscriber listens to the events of all providers. */
export function isObserved(): boolean {
  return diagnostics.hasSubscribers;
}

/**
 * Passes an event to the handler and to the diagnostics channel. A handler can't break a refresh:
 * `onHandlerError` receives what it throws.
 */
export function publishEvent(
  event: WebIdentityEvent,
  onEvent: ((event: WebIdentityEvent) => void) | undefined,
  onHandlerError: (error: unknown) => void,
): void {
  if (diagnostics.hasSubscribers) diagnostics.publish(event);
  callListener(() => onEvent?.(event), onHandlerError);
}

/** Calls a user's handler or logger. `onError` receives what it throws or rejects with. */
export function callListener(listener: () => unknown, onError: (error: unknown) => void): void {
  try {
    // A handler may be async although its type says otherwise: its rejection must not end the process.
    const returned = listener();
    if (typeof returned === "object" && returned !== null && "then" in returned) {
      Promise.resolve(returned).catch(onError);
    }
  } catch (error) {
    onError(error);
  }
}

/**
 * One refresh, as the tracing channel `resilient-sts:refresh` publishes it: `start` when it begins,
 * `asyncEnd` when it ends. The optional fields are set by then. It contains no token, no secret and no
 * subject.
 */
export interface RefreshTrace {
  /** The provider; use it only to compare identity. */
  readonly provider: object;
  /** Whether a timer started it, and not a caller. */
  readonly isBackground: boolean;
  roleArn?: string | undefined;
  outcome?: "refreshed" | "failed" | "cancelled" | undefined;
  /** Where the credentials came from. */
  source?: "sts" | "store" | undefined;
  /** The region whose STS issued the credentials. */
  region?: string | undefined;
  attempts?: number | undefined;
  /** When the new credentials expire. */
  expiration?: Date | undefined;
  /** If the refresh failed: the verdict of its last attempt, or the code of the error if it made none. */
  errorType?: string | undefined;
}

/** One STS call, as the tracing channel `resilient-sts:sts` publishes it. */
export interface StsCallTrace {
  readonly refresh: RefreshTrace;
  /** 1 for the first attempt of the refresh. */
  readonly attempt: number;
  /** The region that was called, if it is known. */
  region?: string | undefined;
  /** What the failure means; absent if the call succeeded. */
  verdict?: Verdict | undefined;
  requestId?: string | undefined;
  httpStatus?: number | undefined;
}

/** Names of the channels. A tracing channel adds `tracing:` and `:start`, `:asyncEnd` to its name. */
export const TRACE_CHANNELS = {
  refresh: "resilient-sts:refresh",
  stsCall: "resilient-sts:sts",
  /** Publishes the {@link RefreshTrace} that a caller waits for, in that caller's context. */
  joined: "resilient-sts:refresh:joined",
  /** Publishes the {@link RefreshTrace.provider} of a provider that was closed. */
  closed: "resilient-sts:closed",
} as const;

const refreshes = tracingChannel<RefreshTrace>(TRACE_CHANNELS.refresh);
const stsCalls = tracingChannel<StsCallTrace>(TRACE_CHANNELS.stsCall);
const joined = channel(TRACE_CHANNELS.joined);
const closed = channel(TRACE_CHANNELS.closed);

/** Publishes the start of a refresh; call the result at its end. */
export function traceRefresh(trace: RefreshTrace): () => void {
  return publishStart(refreshes, trace);
}

/** Publishes the start of an STS call; call the result at its end. */
export function traceStsCall(trace: StsCallTrace): () => void {
  return publishStart(stsCalls, trace);
}

/** Publishes that a caller waits for a refresh. */
export function traceJoin(trace: RefreshTrace): void {
  if (joined.hasSubscribers) joined.publish(trace);
}

/** Publishes that a provider was closed. */
export function traceClosed(provider: object): void {
  if (closed.hasSubscribers) closed.publish(provider);
}

function publishStart<T extends object>(
  { start, asyncEnd }: { readonly start: Channel; readonly asyncEnd: Channel },
  trace: T,
): () => void {
  if (start.hasSubscribers) start.publish(trace);
  return () => {
    if (asyncEnd.hasSubscribers) asyncEnd.publish(trace);
  };
}
