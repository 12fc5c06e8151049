import type { Logger } from "@smithy/types";
import type { EmitEvent, WebIdentityEvent } from "../model/events.js";
import { callListener, isObserved, publishEvent } from "../model/events.js";
import { safeCause, safeText } from "../runtime/redact.js";

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
      // The value given for the role may be a token that belongs elsewhere.
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
      return [["warn", `no region is configured, asking STS in ${event.region}`]];
    case "region.switched":
      return [["warn", `${event.reason}: from STS in ${event.from} to ${event.to}`]];
    case "credentials.refreshed":
      if (event.source === "store") return [["debug", "new credentials from the store"]];
      return [["debug", `new credentials after ${event.attempts} attempt(s)`]];
    case "store.failed": {
      const what = `the ${event.store} store failed (${event.operation}): ${event.message}`;
      return [["warn", `${what}; STS is asked instead`]];
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
      const what = `STS in ${region} answered with a Date that can't be right (${date}; the session ends at ${expiration})`;
      return [["warn", `${what}: it was ignored`]];
    }
    case "credentials.expired-served":
      return [["error", "a caller got expired credentials"]];
  }
}
