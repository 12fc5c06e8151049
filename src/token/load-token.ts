import { AttemptError, type Failure } from "../model/failure.js";
import type { Finding } from "../model/findings.js";
import { trimToken } from "../model/jwt.js";
import {
  isTokenSourceError,
  type TokenSource,
  type TokenSourceContext,
} from "../model/token-source.js";
import { withTimeout } from "../runtime/abort.js";
import { type Clock, MAX_TIMER_MS } from "../runtime/clock.js";
import { readField, safeCause, safeText } from "../runtime/redact.js";
import { errorChain } from "../runtime/system-errors.js";

interface LoadOptions extends TokenSourceContext {
  /** The name of the source in messages: `the token file /var/run/…`. */
  readonly name: string;
  /** The source's own limit, in milliseconds. */
  readonly timeoutMs: number;
  /** The rest of the retry budget, in milliseconds. */
  readonly remainingMs?: number | undefined;
  readonly clock: Clock;
}

/**
 * Reads a token from its source, and trims it. A source may be the user's own code: after `timeoutMs` its
 * result no longer counts, and anything that it throws becomes one failure that names the source.
 */
export async function loadToken(source: TokenSource, options: LoadOptions): Promise<string> {
  const { name, clock, signal, attempt, remainingMs = options.timeoutMs } = options;
  const timeoutMs = Math.min(options.timeoutMs, remainingMs);
  const late = new Error(`returned no token within ${Math.round(timeoutMs)} ms`);
  let token: unknown;
  try {
    token = await withTimeout({ clock, signal, timeoutMs, reason: late }, (limited) =>
      source({ signal: limited, attempt }),
    );
  } catch (error) {
    signal.throwIfAborted();
    if (error !== late) throw new AttemptError(failed(name, error));
    const cutShort = timeoutMs < options.timeoutMs;
    throw new AttemptError({ ...unavailable(name, late.message), cutShort });
  }
  if (typeof token !== "string") {
    throw new AttemptError(unavailable(name, `returned ${typeName(token)} instead of a string`));
  }
  const trimmed = trimToken(token);
  if (trimmed === "") throw new AttemptError(unavailable(name, "returned an empty token"));
  return trimmed;
}

function failed(name: string, error: unknown): Failure {
  const cause = safeCause(error);
  const { code } = cause as { code?: string };
  const { hint, ...facts } = readSourceError(error);
  return { ...unavailable(name, `failed: ${cause.message}`, hint), code, cause, ...facts };
}

interface SourceFailure {
  readonly retryable?: boolean;
  readonly retryAfterMs?: number | undefined;
  readonly hint?: string | undefined;
}

/** Reads the `TokenSourceError` that was thrown, or that caused the error. */
function readSourceError(thrown: unknown): SourceFailure {
  const error = errorChain(thrown).find(isTokenSourceError);
  if (error === undefined) return {};
  // It may come from another copy of this package, with other fields.
  const wait = readField(error, "retryAfterMs");
  const hint = readField(error, "hint");
  return {
    retryable: error.retryable,
    retryAfterMs: typeof wait === "number" && wait >= 0 ? Math.min(wait, MAX_TIMER_MS) : undefined,
    hint: typeof hint === "string" && hint !== "" ? safeText(hint) : undefined,
  };
}

function unavailable(name: string, problem: string, remedy?: string): Failure {
  // The name may be a token, if one was passed as the path.
  const message = safeText(`${name} ${problem}`);
  return { kind: "token", message, findings: [unreadable(message, name, remedy)] };
}

function unreadable(detail: string, source: string, remedy = MAKE_SURE): Finding {
  return {
    id: "token-unreadable",
    severity: "fatal",
    title: "There is no token to send.",
    detail,
    remedy,
    evidence: { source: safeText(source) },
  };
}

const MAKE_SURE =
  "Workload: make sure that the file or source can return a token: check its path, mount and permissions, and the service that issues it.";

function typeName(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "an array" : typeof value;
}
