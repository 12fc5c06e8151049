/** Longest piece of foreign text (an answer's message, a claim) that is shown. */
const MAX_SHOWN = 500;

/** Three dotted base64url parts, the first of which starts like `{"`: a JWT, whoever echoed it. */
const JWT_SHAPE = /eyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?/g;
const BEARER_SHAPE = /\b(Bearer|Basic)\s+[\w.~+/=-]+/gi;
/** C0 and C1 controls, line separators, and the marks that reorder text in a terminal. */
const UNPRINTABLE = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]+/gu;

/** Foreign text made fit for one line of an error, event or log: no control characters, bounded. */
export function printable(text: string, maxLength = MAX_SHOWN): string {
  const oneLine = text
    .slice(0, maxLength * 2)
    .replace(UNPRINTABLE, " ")
    .trim();
  return oneLine.length > maxLength ? `${oneLine.slice(0, maxLength)}…` : oneLine;
}

/** The text without the given secrets and without anything that looks like a JWT or a bearer token. */
export function redact(text: string, secrets: readonly string[] = []): string {
  let clean = text;
  for (const secret of secrets) {
    if (secret.length > 0) clean = clean.replaceAll(secret, "[redacted]");
  }
  return clean.replace(JWT_SHAPE, "[redacted]").replace(BEARER_SHAPE, "$1 [redacted]");
}

/**
 * A copy of any thrown value that is safe to keep as a `cause`: name, message, code and stack, redacted.
 * SDK and HTTP client errors carry the whole request and response with them, and with those the token.
 */
export function safeCause(thrown: unknown, secrets: readonly string[] = [], depth = 3): Error {
  const source = thrown instanceof Error ? thrown : undefined;
  const message = printable(redact(source?.message ?? String(thrown), secrets));
  const copy = new Error(message);
  copy.name = printable(redact(source?.name ?? "Error", secrets), 100);
  const code = (source as { code?: unknown } | undefined)?.code;
  if (typeof code === "string")
    Object.assign(copy, { code: printable(redact(code, secrets), 100) });
  copy.stack = redact(source?.stack ?? `${copy.name}: ${message}`, secrets).slice(0, 4000);
  if (source?.cause !== undefined && depth > 0) {
    copy.cause = safeCause(source.cause, secrets, depth - 1);
  }
  return copy;
}
