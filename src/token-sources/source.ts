/*
 * Token sources: where CI systems, clouds and meshes keep the token of a workload. A source makes one
 * bounded attempt. If it fails, its `TokenSourceError` says whether another attempt can help and who must
 * change what. The provider's retry loop makes further attempts.
 *
 * This file has what all sources share. `variable-sources.ts` reads variables, `program-sources.ts` runs
 * programs, and each platform that is called over HTTP or gRPC has its own file, on top of
 * `bounded-request.ts`. `detect.ts` chooses the source of the platform.
 */
import { decodeToken, trimToken } from "../model/jwt.js";
import {
  isTokenSourceError,
  type TokenSource,
  type TokenSourceContext,
  TokenSourceError,
} from "../model/token-source.js";
import { throwIfAborted, withTimeout } from "../runtime/abort.js";
import { systemClock } from "../runtime/clock.js";
import { type Environment, readVariable } from "../runtime/environment.js";
import { safeCause, safeText } from "../runtime/redact.js";
import {
  checkKeys,
  checkNumber,
  checkSignal,
  checkString,
  checkType,
} from "../runtime/validators.js";

/** A source of this package. It has a name, and says whether it can return a newer token. */
export interface PlatformTokenSource extends TokenSource {
  /** The name of the function that made it, such as `githubActions`. */
  readonly name: string;
  readonly renewable: boolean;
}

/** The options that all sources have. */
export interface TokenSourceInit {
  /**
   * Limit of one attempt, in milliseconds; 100 to 60,000. When it is reached, the attempt is aborted and
   * fails as retryable. The provider's `attemptTimeoutMs` applies too.
   * @default 5000
   */
  readonly timeoutMs?: number | undefined;
  /** The source reads its variables here, at each call. @default process.env */
  readonly env?: Environment | undefined;
}

/** The most that a source reads, in bytes: more than any token with the JSON around it. */
export const MAX_READ_BYTES = 64 * 1024;

const DEFAULT_TIMEOUT_MS = 5_000;
const COMMON_KEYS: readonly string[] = ["timeoutMs", "env"];

interface Definition {
  readonly name: string;
  readonly renewable: boolean;
  readonly init: TokenSourceInit;
  /** Makes one attempt. The signal aborts when the limit is reached, too. */
  readonly mint: (signal: AbortSignal, env: Environment) => Promise<string>;
}

/** Makes a source from one attempt, with a time limit. Any failure becomes a `TokenSourceError`. */
export function defineSource({ name, renewable, init, mint }: Definition): PlatformTokenSource {
  const { timeoutMs = DEFAULT_TIMEOUT_MS } = init;
  const source = async (context?: TokenSourceContext): Promise<string> => {
    // A caller in JavaScript may leave the context out.
    const signal = context?.signal ?? undefined;
    checkSignal("signal", signal);
    const reason = new TokenSourceError(`no token within ${timeoutMs} ms`, {
      retryable: true,
      hint: "Network: find out what delays the response. Workload: raise timeoutMs if the platform is known to be slow.",
    });
    try {
      const env = init.env ?? process.env;
      const limit = { clock: systemClock, signal, timeoutMs, reason };
      return trimToken(await withTimeout(limit, (limited) => mint(limited, env)));
    } catch (error) {
      throwIfAborted(signal);
      throw isTokenSourceError(error) ? error : unexpected(error);
    }
  };
  return Object.defineProperties(source, {
    name: { value: name },
    renewable: { value: renewable, enumerable: true },
  }) as PlatformTokenSource;
}

/**
 * Checks the options that all sources have, and refuses unknown options.
 *
 * @throws TypeError that names the option.
 */
export function checkInit(factory: string, init: TokenSourceInit, keys: readonly string[]): void {
  // A provider passes this to a source.
  if (typeof init === "object" && init !== null && "attempt" in init && "signal" in init) {
    throw notConfigured(
      `${factory} itself was given as the token source`,
      `Workload: call it: { token: ${factory}(…) }.`,
    );
  }
  checkKeys(factory, init ?? null, [...keys, ...COMMON_KEYS]);
  checkNumber("timeoutMs", init.timeoutMs, { min: 100, max: 60_000 });
  checkType("env", init.env, "object");
  for (const key of keys) {
    const value = (init as Readonly<Record<string, unknown>>)[key];
    if (key === "audience") checkString(key, value);
  }
}

/**
 * Reads a variable that a source requires.
 *
 * @throws TokenSourceError that names it.
 */
export function requireVariable(env: Environment, name: string, hint: string): string {
  const value = readVariable(env, name);
  if (value === undefined) throw notConfigured(`${name} is not set`, hint);
  return value;
}

/**
 * Parses a URL from a variable.
 *
 * @throws TokenSourceError when the variable does not contain an http or https URL.
 */
export function parseUrl(text: string, variable: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol)) return url;
  throw notConfigured(
    `${variable} does not contain an http or https URL`,
    `Workload: leave ${variable} as the platform sets it.`,
  );
}

/** The error for something that the workload lacks: another attempt can't help. */
export function notConfigured(message: string, hint: string, cause?: unknown): TokenSourceError {
  const code = "ERR_SOURCE_NOT_CONFIGURED";
  return new TokenSourceError(message, { code, retryable: false, hint, cause });
}

/**
 * Returns a token whose audience the platform has fixed.
 *
 * @throws TokenSourceError when the caller expects another audience: STS would refuse it.
 */
export function withAudience(token: string, audience: string | undefined, hint: string): string {
  if (audience === undefined) return token;
  const decoded = decodeToken(trimToken(token));
  // The provider itself checks whether this is a JWT.
  if ("problem" in decoded) return token;
  const { aud } = decoded.claims;
  const audiences = [aud].flat().filter((each) => typeof each === "string");
  if (audiences.includes(audience)) return token;
  const shown = safeText(audiences.join(" and ") || "missing", 200);
  throw new TokenSourceError(`the token's audience is ${shown}, not ${safeText(audience, 200)}`, {
    retryable: false,
    hint,
  });
}

/** The path can't be read, or isn't a file. A missing file may still appear. */
const NOT_A_FILE = /^(EACCES|EPERM|EISDIR|ENOTDIR|ELOOP|ENAMETOOLONG)$/;

/** Any other failure. For most sources it concerns a token file. */
function unexpected(error: unknown): TokenSourceError {
  const cause = safeCause(error);
  const { code = "" } = cause as { code?: string };
  return new TokenSourceError(cause.message, {
    retryable: !NOT_A_FILE.test(code),
    hint: "Workload: make sure that the token is there: path, mount, permissions.",
    cause,
  });
}
