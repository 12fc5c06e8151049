import type { HandlerExecutionContext, InitializeMiddleware } from "@smithy/types";
import { type Clock, systemClock } from "../runtime/clock.js";
import { expected } from "../runtime/validators.js";
import type { ClientPlugin } from "../sts/target.js";
import type { WebIdentityProvider } from "./web-identity-provider.js";

/** The error codes of AWS services for credentials that have expired. */
const EXPIRED_CODES = ["ExpiredToken", "ExpiredTokenException", "InvalidToken"];

/**
 * A service that rejects the new credentials too would reject any others: it causes no further refresh
 * for this long, in milliseconds.
 */
const PAUSE_MS = 30_000;

/**
 * A client plugin for the case that a service reports expired credentials: it marks the credentials as
 * rejected, and sends the request once more with new ones. Services report this when this machine's clock
 * is wrong, when sessions of the role were revoked, or when a process was frozen for hours.
 *
 * A request whose body is a stream has been read and is not sent again, but the next request gets new
 * credentials. When a service rejects the new credentials too, its error reaches the caller, and the
 * service causes no further refresh for 30 s.
 *
 * Requires an AWS SDK client of version 3.775 or later: older clients have a cache of their own in front
 * of the provider.
 *
 * @throws TypeError when `provider` is not a provider of this library.
 *
 * @example
 * ```ts
 * import { S3Client } from "@aws-sdk/client-s3";
 * import { fromTokenFile, refreshOnExpiredToken } from "resilient-sts";
 *
 * const credentials = fromTokenFile();
 * const s3 = new S3Client({ credentials });
 * s3.middlewareStack.use(refreshOnExpiredToken(credentials));
 * ```
 */
export function refreshOnExpiredToken(
  provider: Pick<WebIdentityProvider, "invalidate">,
): ClientPlugin {
  // Without this check, a promise or a provider of the SDK would fail only when credentials expire.
  if (typeof (provider as { invalidate?: unknown } | undefined)?.invalidate !== "function") {
    throw expected(
      "provider",
      "to be a provider of fromTokenFile(), fromWebIdentity() or fromWebToken()",
      provider,
    );
  }
  return expiredTokenPlugin(provider, systemClock);
}

/** @internal The same, with a clock. */
export function expiredTokenPlugin(
  provider: Pick<WebIdentityProvider, "invalidate">,
  clock: Clock,
): ClientPlugin {
  let replaced: { readonly accessKeyId: string; readonly until: number } | undefined;
  /** Whether to replace the key; false if it replaced another one within the pause. */
  const replace = (accessKeyId: string): boolean => {
    const now = clock.monotonic();
    const isPaused = replaced !== undefined && now < replaced.until;
    if (isPaused) return replaced?.accessKeyId === accessKeyId;
    replaced = { accessKeyId, until: now + PAUSE_MS };
    return true;
  };
  const middleware: InitializeMiddleware<object, object> = (next, context) => async (args) => {
    try {
      return await next(args);
    } catch (error) {
      const accessKeyId = usedAccessKeyId(context);
      if (!saysExpired(error) || accessKeyId === undefined) throw error;
      if (!replace(accessKeyId)) throw error;
      provider.invalidate(accessKeyId);
      if (hasStream(args.input)) throw error;
      return await next(args);
    }
  };
  return {
    applyToStack: (stack) => {
      // Outermost, so that the SDK resolves the identity, signs and retries again.
      stack.add(middleware, {
        step: "initialize",
        priority: "high",
        name: "refreshOnExpiredToken",
        override: true,
      });
    },
  };
}

function saysExpired(error: unknown): boolean {
  const { name, Code } = (error ?? {}) as { name?: unknown; Code?: unknown };
  return [name, Code].some((code) => typeof code === "string" && EXPIRED_CODES.includes(code));
}

/** The key that signed the request, which the SDK stores in the context of the call. */
function usedAccessKeyId(context: HandlerExecutionContext): string | undefined {
  const smithy = context.__smithy_context as
    | { selectedHttpAuthScheme?: { identity?: { accessKeyId?: unknown } } }
    | undefined;
  const id = smithy?.selectedHttpAuthScheme?.identity?.accessKeyId;
  return typeof id === "string" ? id : undefined;
}

function hasStream(input: object): boolean {
  return Object.values(input).some(
    (value: unknown) =>
      typeof value === "object" &&
      value !== null &&
      (typeof (value as { pipe?: unknown }).pipe === "function" ||
        typeof (value as { getReader?: unknown }).getReader === "function" ||
        // An event stream that the caller writes.
        Symbol.asyncIterator in value),
  );
}
