/** Longest piece of foreign text (an answer's message, a claim) that is shown. */
const MAX_SHOWN = 500;
const MAX_STACK = 4_000;
/** Longest piece of foreign text that is looked through; more than any token has. */
const MAX_READ = 64 * 1024;

/** Dotted base64url parts: a JWT, a JWE, a host name. Linear, since a run has only one start. */
const DOTTED = /(?<![\w-])[\w-]+(?:\.[\w-]*)+/g;
/** Base64url of `{"`, or a whole JOSE header that begins with a blank: `{ "alg"…`. */
const JOSE_HEADER = /eyJ|^(?:ey[A-D]|ew[0ko])[\w-]{16,}/;
const BEARER_SHAPE = /\b(Bearer|Basic)\s+[\w.~+/=-]+/gi;
/** C0 and C1 controls, line separators, and the marks that reorder text in a terminal. */
const UNPRINTABLE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /[\0-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+/g;

/** Foreign text made fit for one line of an error, event or log: no control characters, bounded. */
export function printable(text: string, maxLength = MAX_SHOWN): string {
  const oneLine = text
    .slice(0, maxLength * 2)
    .replace(UNPRINTABLE, " ")
    .trim();
  const cut = oneLine.length > maxLength ? `${oneLine.slice(0, maxLength)}…` : oneLine;
  return text.length > cut.length ? detached(cut) : cut;
}

/** A copy: V8 makes a piece of a string a view, which keeps the whole string in memory. */
function detached(text: string): string {
  return Buffer.from(text).toString();
}

/** {@link redact} and {@link printable}: text of anybody's that may hold a token, fit to be shown. */
export function safeText(text: string, maxLength?: number, secrets?: readonly string[]): string {
  return printable(redact(text, secrets), maxLength);
}

/** The text without the given secrets and without anything that looks like a JWT or a bearer token. */
export function redact(text: string, secrets: readonly string[] = []): string {
  let clean = text;
  for (const secret of secrets) {
    if (secret.length > 0) clean = clean.replaceAll(secret, "[redacted]");
  }
  return clean.replace(DOTTED, withoutToken).replace(BEARER_SHAPE, "$1 [redacted]");
}

function withoutToken(dotted: string): string {
  const start = dotted.search(JOSE_HEADER);
  return start === -1 ? dotted : `${dotted.slice(0, start)}[redacted]`;
}

/**
 * A copy of any thrown value that is safe to keep as a `cause`: name, message, code and stack, redacted.
 * SDK and HTTP client errors carry the whole request and response with them, and with those the token.
 * Never throws, whatever was thrown.
 */
export function safeCause(thrown: unknown, secrets: readonly string[] = [], depth = 3): Error {
  const clean = (text: string) => redact(bounded(text), secrets);
  const message = printable(clean(readText(thrown, "message") ?? asText(thrown)));
  const copy = new Error(message);
  copy.name = printable(clean(readText(thrown, "name") ?? "Error"), 100);
  const code = readText(thrown, "code");
  if (code !== undefined) Object.assign(copy, { code: printable(clean(code), 100) });
  const stack = readText(thrown, "stack") ?? `${copy.name}: ${message}`;
  copy.stack = detached(clean(stack).slice(0, MAX_STACK));
  const cause = readField(thrown, "cause");
  if (cause !== undefined && depth > 0) copy.cause = safeCause(cause, secrets, depth - 1);
  return copy;
}

function readText(thrown: unknown, field: string): string | undefined {
  const value = readField(thrown, field);
  return typeof value === "string" ? value : undefined;
}

/** A field of anything that was thrown; `undefined` also when a getter or a proxy throws. */
export function readField(thrown: unknown, field: string): unknown {
  if (typeof thrown !== "object" || thrown === null) return undefined;
  try {
    return (thrown as Record<string, unknown>)[field];
  } catch {
    return undefined;
  }
}

/** So may a conversion to text, and an object without a prototype has none. */
function asText(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return `a thrown ${typeof thrown} that has no text`;
  }
}

/** The beginning of a long text, cut at a blank: half of a token would not be known for one. */
function bounded(text: string): string {
  if (text.length <= MAX_READ) return text;
  let end = MAX_READ;
  while (end > 0 && !/\s/.test(text.charAt(end - 1))) end -= 1;
  return text.slice(0, end);
}
