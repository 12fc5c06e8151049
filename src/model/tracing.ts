/**
 * Publishes what a tracer needs to know about a refresh, through `node:diagnostics_channel`. Without a
 * subscriber, nothing is measured or published.
 */
import { type Channel, channel, tracingChannel } from "node:diagnostics_channel";
import type { Verdict } from "./failure.js";

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
