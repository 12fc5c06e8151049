import type { HandlerExecutionContext, InitializeMiddleware } from "@smithy/types";
import { type Clock, systemClock } from "../runtime/clock.js";
import { expected } from "../runtime/validators.js";
import type { ClientPlugin } from "../sts/target.js";
import type { WebIdentityProvider } from "./web-identity-provider.js";

/** How AWS services say that the credentials of a request no longer count. */
const EXPIRED_CODES = ["ExpiredToken", "ExpiredTokenException", "InvalidToken"];

/**
 * A service that rejects what replaced the rejected credentials would reject what comes next, too:
 * for so long, in milliseconds, STS is not asked for more on its account.
 */
const PAUSE_MS = 30_000;

/**
 * A client plugin that, when a service says that the credentials have expired, takes them for
 * rejected and sends the request once more with new ones. That happens when this machine's clock is
 * wrong, when sessions of the role were revoked, or when a process was frozen for hours.
 *
 * A request whose body is a stream is not sent again, since it has been read; the next request has
 * new credentials all the same. When a service rejects new credentials too, its error reaches the
 * caller, and for 30 s no others are asked for on its account.
 *
 * @throws TypeError when it is given no provider of this library.
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
  // A promise of a provider, or the SDK's own, would only show when a request has failed.
  if (typeof (provider as { invalidate?: unknown } | undefined)?.invalidate !== "function") {
    throw expected("provider", "to be what fromTokenFile() and its like return", provider);
  }
  return expiredTokenPlugin(provider, systemClock);
}

/** @internal The same with a clock of a test's making. */
export function expiredTokenPlugin(
  provider: Pick<WebIdentityProvider, "invalidate">,
  clock: Clock,
): ClientPlugin {
  let replaced: { readonly accessKeyId: string; readonly until: number } | undefined;
  /** Whether the key is worth replacing: it is no replacement itself, or has been one for long. */
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
      // Outermost, so that identity, signature and the SDK's own retries begin anew.
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

/** The key that signed the request: the SDK keeps it in the context of the call. */
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
        // The events of a stream that the caller writes.
        Symbol.asyncIterator in value),
  );
}
