import type { Logger } from "@smithy/types";
import type { CacheSnapshot, FailedRefresh } from "../credentials/credential-cache.js";
import { isWebIdentityError, type WebIdentityError } from "../model/errors.js";
import {
  callListener,
  type EmitEvent,
  isObserved,
  publishEvent,
  type RefreshTrace,
  type StsCallTrace,
  traceClosed,
  traceJoin,
  traceRefresh,
  traceStsCall,
  type WebIdentityEvent,
} from "../model/events.js";
import { AttemptError } from "../model/failure.js";
import type { IssuerReport } from "../model/findings.js";
import { judge } from "../retry/verdict.js";
import type { Clock } from "../runtime/clock.js";
import { safeCause, safeText } from "../runtime/redact.js";
import type { AttributedCredentials } from "../sts/assume-role.js";
import type {
  PreflightStatus,
  ProviderStatus,
  RegionStatus,
  StoreStatus,
} from "./web-identity-provider.js";

interface ReporterOptions {
  readonly logger: Logger | undefined;
  readonly onEvent: ((event: WebIdentityEvent) => void) | undefined;
  readonly clock: Clock;
}

/** New credentials, and how the refresh got them. */
export interface Refreshed {
  readonly credentials: AttributedCredentials;
  readonly source: "sts" | "store";
  /** The region that issued them, if it is known. */
  readonly region: string | undefined;
  /** The number of attempts; 0 when STS was not called. */
  readonly attempts: number;
  /** The duration of the refresh, in milliseconds. */
  readonly ms: number;
}

const STATES = {
  empty: "empty",
  valid: "fresh",
  advisory: "refresh-due",
  mandatory: "refresh-urgent",
  expired: "expired",
} as const satisfies Record<CacheSnapshot["situation"], ProviderStatus["state"]>;

/**
 * Reports what happens in one provider, in three ways: as events (to the handler, the diagnostics channel
 * and the logger), as its status, and as refreshes on the tracing channels.
 */
export class ProviderReporter {
  readonly #clock: Clock;
  readonly #eventsOf: (roleArn: string) => EmitEvent;
  readonly #tracer = new RefreshTracer();
  #emit: EmitEvent;
  #isClosed = false;
  #startedAt = 0;
  #lastSuccessAt: number | undefined;
  #lastFailureAt: number | undefined;
  #lastError: WebIdentityError | undefined;
  #region: string | undefined;
  #source: "sts" | "store" | undefined;
  #preflight: PreflightStatus | undefined;

  constructor({ logger, onEvent, clock }: ReporterOptions) {
    this.#clock = clock;
    this.#eventsOf = createEventLog({ logger, onEvent, now: clock.now });
    this.#emit = this.#eventsOf("");
  }

  /** Reports nothing after the provider was closed: an issuer check or a write to the store may end later. */
  readonly emit: EmitEvent = (event) => {
    if (!this.#isClosed) this.#emit(event);
  };

  started(isBackground: boolean): void {
    this.#startedAt = this.#clock.monotonic();
    this.#tracer.started(isBackground);
  }

  /** Reports that a caller waits for the in-flight refresh. */
  joined(): void {
    this.#tracer.joined();
  }

  /** Sets the role of the in-flight refresh. */
  setRole(roleArn: string): void {
    this.#tracer.setRole(roleArn);
    this.#emit = this.#eventsOf(roleArn);
  }

  /** Runs one STS call, and reports its beginning and its end to the tracing channels. */
  stsCall<T>(
    attempt: number,
    call: () => Promise<T>,
    calledRegion: () => string | undefined,
  ): Promise<T> {
    return this.#tracer.call(attempt, call, calledRegion);
  }

  issuerChecked({ issuer, findings }: IssuerReport): void {
    if (!this.#isClosed) this.#preflight = { at: this.#clock.now(), issuer, findings };
  }

  refreshed({ credentials, source, region, attempts, ms }: Refreshed): void {
    const { expiration } = credentials;
    this.#lastSuccessAt = this.#clock.now();
    this.#lastError = undefined;
    this.#region = region;
    this.#source = source;
    this.#tracer.refreshed({ source, region, attempts, expiration });
    const expiresAt = expiration?.getTime();
    this.emit({ type: "credentials.refreshed", source, region, attempts, ms, expiresAt });
  }

  failed(error: unknown, { servedFromCache, nextRefreshAllowedAt }: FailedRefresh): void {
    if (!isWebIdentityError(error)) return;
    this.#lastFailureAt = this.#clock.now();
    this.#lastError = error;
    this.#tracer.failed(error);
    if (nextRefreshAllowedAt !== undefined) Object.assign(error, { nextRefreshAllowedAt });
    // Nothing is configured: a chain continues with its next provider, and nothing has failed.
    if (error.tryNextLink) return;
    const { code, message, attempts } = error;
    const ms = Math.round(this.#clock.monotonic() - this.#startedAt);
    this.emit({
      type: "refresh.failed",
      code,
      message,
      attempts: attempts.length,
      ms,
      servedFromCache,
      nextRefreshAllowedAt,
    });
  }

  closed(): void {
    this.#isClosed = true;
    this.#tracer.closed();
  }

  status(
    { entry, situation, refreshing, nextRefreshAllowedAt, closed }: CacheSnapshot,
    regions: readonly RegionStatus[],
    store?: StoreStatus,
  ): ProviderStatus {
    return {
      state: STATES[situation],
      closed,
      expiresAt: entry?.credentials.expiration?.getTime(),
      refreshing,
      nextRefreshAllowedAt,
      region: this.#region,
      source: this.#source,
      store,
      regions,
      lastSuccessAt: this.#lastSuccessAt,
      lastFailureAt: this.#lastFailureAt,
      lastError: this.#lastError,
      preflight: this.#preflight,
    };
  }
}

/** Publishes the refreshes of one provider on the tracing channels, one at a time. */
class RefreshTracer {
  #trace: RefreshTrace | undefined;
  #publishEnd = () => {};

  started(isBackground: boolean): void {
    this.#trace = { provider: this, isBackground };
    this.#publishEnd = traceRefresh(this.#trace);
  }

  joined(): void {
    if (this.#trace !== undefined) traceJoin(this.#trace);
  }

  /** Sets the role. Its text is redacted only when a subscriber reads it, so as not to delay a cold start. */
  setRole(roleArn: string): void {
    if (this.#trace === undefined) return;
    let shown: string | undefined;
    Object.defineProperty(this.#trace, "roleArn", {
      enumerable: true,
      get: () => {
        // A token may have been passed as the role by mistake.
        shown ??= safeText(roleArn);
        return shown;
      },
    });
  }

  async call<T>(
    attempt: number,
    send: () => Promise<T>,
    calledRegion: () => string | undefined,
  ): Promise<T> {
    if (this.#trace === undefined) return await send();
    const call: StsCallTrace = { refresh: this.#trace, attempt };
    const publishEnd = traceStsCall(call);
    try {
      return await send();
    } catch (error) {
      if (error instanceof AttemptError) {
        const { requestId, httpStatus } = error.failure;
        Object.assign(call, { verdict: judge(error.failure), requestId, httpStatus });
      }
      throw error;
    } finally {
      call.region = calledRegion();
      publishEnd();
    }
  }

  refreshed(facts: Pick<RefreshTrace, "source" | "region" | "attempts" | "expiration">): void {
    this.#end({ outcome: "refreshed", ...facts });
  }

  failed({ code, attempts, tryNextLink }: WebIdentityError): void {
    const errorType = attempts.at(-1)?.verdict ?? code;
    // Nothing is configured: a chain continues with its next provider, and nothing has failed.
    if (tryNextLink) this.#end({ outcome: "cancelled" });
    else this.#end({ outcome: "failed", attempts: attempts.length, errorType });
  }

  closed(): void {
    this.#end({ outcome: "cancelled" });
    traceClosed(this);
  }

  #end(facts: Partial<RefreshTrace>): void {
    if (this.#trace === undefined) return;
    Object.assign(this.#trace, facts);
    this.#publishEnd();
    this.#trace = undefined;
  }
}

interface EventLogOptions {
  readonly logger: Logger | undefined;
  readonly onEvent: ((event: WebIdentityEvent) => void) | undefined;
  readonly now: () => number;
}

/** Passes every event to the handler, the diagnostics channel and the logger. */
export function createEventLog(options: EventLogOptions): (roleArn: string) => EmitEvent {
  const { logger, onEvent, now } = options;
  const onHandlerError = (error: unknown) =>
    write(logger, "warn", `onEvent threw: ${safeCause(error).message}`);
  return (roleArn) => {
    let shownArn: string | undefined;
    return (body) => {
      if (!isObserved() && onEvent === undefined && logger === undefined) return;
      // A token may have been passed as the role by mistake.
      shownArn ??= safeText(roleArn);
      const event: WebIdentityEvent = { ...body, at: now(), roleArn: shownArn };
      publishEvent(event, onEvent, onHandlerError);
      if (logger === undefined) return;
      for (const [level, text] of linesFor(event)) write(logger, level, `${text} (${shownArn})`);
    };
  };
}

/** A logger that lacks a method, or throws, must not break a refresh. */
function write(logger: Logger | undefined, level: Level, text: string): void {
  // Its own error has no other place to go.
  callListener(
    () => logger?.[level]?.(`resilient-sts: ${text}`),
    () => {},
  );
}

type Level = "debug" | "warn" | "error";
type Line = readonly [level: Level, text: string];

function linesFor(event: WebIdentityEvent): Line[] {
  switch (event.type) {
    case "token.loaded":
      return [
        ...event.findings.map(({ detail, remedy }): Line => ["warn", `${detail} ${remedy}`]),
        ["debug", `token read in ${event.ms} ms`],
      ];
    case "preflight.finished":
      return event.findings.map(({ severity, detail, remedy }): Line => {
        return [severity === "info" ? "debug" : "warn", `${detail} ${remedy}`];
      });
    case "attempt.failed": {
      const next = event.waitMs === undefined ? "no further attempt" : `next in ${event.waitMs} ms`;
      const what = `attempt ${event.attempt} failed: ${event.verdict}: ${event.message}`;
      return [["warn", `${what}; ${next}`]];
    }
    case "region.defaulted":
      return [["warn", `no region is configured, so calls go to STS in ${event.region}`]];
    case "region.switched":
      return [["warn", `${event.reason}: from STS in ${event.from} to ${event.to}`]];
    case "credentials.refreshed":
      if (event.source === "store") return [["debug", "new credentials from the store"]];
      return [["debug", `new credentials after ${event.attempts} attempt(s)`]];
    case "store.failed": {
      const what = `the ${event.store} store failed (${event.operation}): ${event.message}`;
      return [["warn", `${what}; this process calls STS itself`]];
    }
    case "refresh.failed": {
      const served = event.servedFromCache ? "; callers get the cached credentials" : "";
      return [["error", `no new credentials${served}: ${event.code}: ${event.message}`]];
    }
    case "sts-date.rejected": {
      const { region } = event;
      const [date, expiration] = [event.dateAt, event.expiresAt].map((ms) =>
        new Date(ms).toISOString(),
      );
      const what = `STS in ${region} responded with a Date that can't be right (${date}; the session ends at ${expiration})`;
      return [["warn", `${what}: it was ignored`]];
    }
    case "credentials.expired-served":
      return [["error", "a caller got expired credentials"]];
  }
}
