import { readField } from "./redact.js";

/** A chain may be endless or circular: at most this many of its errors are read. */
const MAX_ERRORS = 16;

/**
 * A thrown value and the errors behind it, nearest first: every `cause`, and the `errors` of an
 * `AggregateError`. `fetch` puts the system's error in its `cause`, and a request handler may wrap it
 * again. Reads fields and never checks a class: an error may come from another realm, from a second copy
 * of a package, or from another runtime. Never throws, whatever was thrown.
 */
export function errorChain(thrown: unknown): readonly unknown[] {
  const chain: unknown[] = [thrown];
  // The chain grows while it is walked.
  for (const error of chain) {
    for (const next of [readField(error, "cause"), ...listed(readField(error, "errors"))]) {
      if (chain.length >= MAX_ERRORS) return chain;
      if (next !== undefined && next !== null && !chain.includes(next)) chain.push(next);
    }
  }
  return chain;
}

/** The first `code` that is a string along the chain (`ECONNREFUSED`). */
export function errorCode(thrown: unknown): string | undefined {
  for (const error of errorChain(thrown)) {
    const code = readField(error, "code");
    if (typeof code === "string" && code !== "") return code;
  }
  return undefined;
}

function listed(errors: unknown): readonly unknown[] {
  try {
    return Array.isArray(errors) ? errors.slice(0, MAX_ERRORS) : [];
  } catch {
    // A revoked proxy, or an entry that throws.
    return [];
  }
}
