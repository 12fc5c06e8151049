import { AttemptError, type Failure } from "../model/failure.js";
import type { Finding } from "../model/findings.js";
import { trimToken } from "../model/jwt.js";
import { withTimeout } from "../runtime/abort.js";
import type { Clock } from "../runtime/clock.js";
import { safeCause, safeText } from "../runtime/redact.js";

/** What a token source is told. */
export interface TokenSourceContext {
  /** Aborts when the token is no longer wanted: out of time, or the provider was closed. */
  readonly signal: AbortSignal;
  /** 1 for the first attempt of a refresh. */
  readonly attempt: number;
}

/**
 * Gives the OIDC token. Called again for every attempt, so that a retry never carries a token that
 * died while it waited.
 */
export type TokenSource = (context: TokenSourceContext) => Promise<string>;

interface LoadOptions extends TokenSourceContext {
  /** What the source is called in messages: `the token file /var/run/…`. */
  readonly name: string;
  /** The source's own limit, in milliseconds. */
  readonly timeoutMs: number;
  /** What is left of the retry budget, in milliseconds. */
  readonly remainingMs?: number | undefined;
  readonly clock: Clock;
}

/**
 * The trimmed token of a source, which may be anybody's code: it is cut off after `timeoutMs`, and
 * whatever it throws comes out as one failure that names it.
 */
export async function loadToken(source: TokenSource, options: LoadOptions): Promise<string> {
  const { name, clock, signal, attempt, remainingMs = options.timeoutMs } = options;
  const timeoutMs = Math.min(options.timeoutMs, remainingMs);
  const late = new Error(`gave no token within ${Math.round(timeoutMs)} ms`);
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
    throw new AttemptError(unavailable(name, `gave ${typeName(token)} instead of a string`));
  }
  const trimmed = trimToken(token);
  if (trimmed === "") throw new AttemptError(unavailable(name, "gave an empty token"));
  return trimmed;
}

function failed(name: string, error: unknown): Failure {
  const cause = safeCause(error);
  const { code } = cause as { code?: string };
  return { ...unavailable(name, `failed: ${cause.message}`), code, cause };
}

function unavailable(name: string, problem: string): Failure {
  // The name may be a token too: one that was given where a path belongs.
  const message = safeText(`${name} ${problem}`);
  return { kind: "token", message, findings: [unreadable(message, name)] };
}

function unreadable(detail: string, source: string): Finding {
  return {
    id: "token-unreadable",
    severity: "fatal",
    title: "There is no token to send.",
    detail,
    remedy:
      "Workload: make sure that the file or source gives a token (path, mount, permissions, the service that mints it).",
    evidence: { source: safeText(source) },
  };
}

function typeName(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "an array" : typeof value;
}
