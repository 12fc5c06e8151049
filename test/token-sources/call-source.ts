import { TokenSourceError } from "../../src/model/token-source.js";
import type { PlatformTokenSource } from "../../src/token-sources/index.js";

/** One attempt, as a provider makes it. */
export async function callSource(
  source: PlatformTokenSource,
  signal: AbortSignal = new AbortController().signal,
): Promise<string> {
  return await source({ signal, attempt: 1 });
}

/** The error of one attempt: a `TokenSourceError`, which says whether another attempt can help. */
export async function failureOf(
  source: PlatformTokenSource,
  signal?: AbortSignal,
): Promise<TokenSourceError> {
  const outcome = await callSource(source, signal).then(
    (token) => new Error(`expected a failure, got the token ${token}`),
    (error: unknown) => error,
  );
  if (!(outcome instanceof TokenSourceError)) throw outcome;
  return outcome;
}

/** Everything of an error that a logger could print. */
export function everythingOf(error: Error): string {
  const { cause } = error;
  const own = Object.entries(error).filter(([name]) => name !== "cause");
  const rest = cause instanceof Error ? everythingOf(cause) : String(cause);
  return [error.name, error.message, error.stack, JSON.stringify(own), rest].join("\n");
}

/** A signal that aborts when the work has begun, and its reason. */
export function abortSoon(): { readonly signal: AbortSignal; readonly reason: Error } {
  const controller = new AbortController();
  const reason = new Error("the caller stopped waiting");
  setImmediate(() => controller.abort(reason));
  return { signal: controller.signal, reason };
}
