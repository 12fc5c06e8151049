import { KnownSecrets, rememberedSecrets, type Span, sourceSpan } from "./known-secrets.js";
import { unspell } from "./spellings.js";
import { findSecretShapes } from "./token-shapes.js";

/*
 * Makes text from outside safe to show: responses, documents, claims, thrown errors, settings. The result is
 * bounded, printable, on one line, and free of tokens and secrets in every spelling. Each step takes linear
 * time.
 */

/** The longest text from outside (a response's message, a claim) that is shown, in characters. */
const MAX_SHOWN = 500;
/** The longest text from outside that is read; longer than the longest token of STS in any encoding. */
const MAX_READ = 64 * 1024;
/** Limits of a stack, of which only the frames are kept. */
const MAX_FRAMES = 20;
const MAX_FRAME = 300;
const MAX_FRAMES_READ = 16 * 1024;
/** How many errors of an AggregateError are shown; most have one for each address of a host. */
const MAX_ERRORS = 5;

/** Replaces a secret. */
const MARK = "[redacted]";

/** One shared list, so that it is prepared once. */
const NO_SECRETS: readonly string[] = [];

/** C0 and C1 controls, line separators, and the marks that reorder text in a terminal. */
const UNPRINTABLE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /[\0-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+/g;
/** Invisible marks, and halves of surrogate pairs: two names may differ only in these. */
const INVISIBLE = /\p{Cf}|\p{Cs}|\u034f|[\u115f\u1160\u17b4\u17b5\u3164\uffa0]/gu;
const LINE_BREAK = /\r\n|[\n\v\f\r\x85\u2028\u2029]/;

/**
 * Makes text from outside fit for one line of an error, event or log: at most `maxLength` characters and
 * an ellipsis, no control characters, invisible marks written as `<U+200B>`, no token, and none of the given
 * secrets in any spelling.
 */
export function safeText(
  text: string,
  maxLength = MAX_SHOWN,
  secrets: readonly string[] = NO_SECRETS,
): string {
  return printable(redact(text.slice(0, MAX_READ), secrets), maxLength);
}

/** {@link safeText} without the search for secrets, for text whose parts have passed that search. */
export function printable(text: string, maxLength = MAX_SHOWN): string {
  const oneLine = text
    .slice(0, maxLength * 2)
    .replace(UNPRINTABLE, " ")
    .replace(INVISIBLE, (mark) => `<U+${codePoint(mark)}>`)
    .trim();
  if (oneLine.length <= maxLength) return detached(oneLine);
  // Don't cut between the halves of a surrogate pair.
  const end = /[\ud800-\udbff]/.test(oneLine.charAt(maxLength - 1)) ? maxLength - 1 : maxLength;
  return detached(`${oneLine.slice(0, end)}…`);
}

/** A copy: in V8, a slice is a view, which keeps the whole string in memory. */
function detached(text: string): string {
  return Buffer.from(text).toString();
}

function codePoint(mark: string): string {
  return (mark.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
}

/** The prepared secrets of each list. */
const prepared = new WeakMap<readonly string[], KnownSecrets>();

/**
 * Removes the given secrets, those of `rememberSecret()`, and all text with the shape of a secret: JWTs,
 * bearer tokens, passwords of URLs, values of fields such as `SessionToken`. It finds them in every spelling
 * that `unspell()` undoes, in base64 and hexadecimal, in any letter case, wrapped, or truncated: no 16
 * consecutive characters of a given secret remain.
 */
export function redact(text: string, secrets: readonly string[] = NO_SECRETS): string {
  const known = knownSecrets(secrets);
  const remembered = rememberedSecrets();
  const spans = unspell(text).flatMap((plain) => [
    ...findSecretShapes(plain).map(([start, end]) => sourceSpan(plain, start, end)),
    ...known.find(plain),
    ...remembered.find(plain),
  ]);
  return withoutSpans(text, spans);
}

/** Replaces the given secrets by `mark`. It finds them as {@link redact} does. */
export function replaceSecrets(text: string, secrets: readonly string[], mark: string): string {
  const known = knownSecrets(secrets);
  return withoutSpans(
    text,
    unspell(text).flatMap((plain) => known.find(plain)),
    mark,
  );
}

function knownSecrets(secrets: readonly string[]): KnownSecrets {
  const known = prepared.get(secrets) ?? new KnownSecrets(secrets);
  prepared.set(secrets, known);
  return known;
}

function withoutSpans(text: string, spans: readonly Span[], mark = MARK): string {
  const pieces: string[] = [];
  let at = 0;
  for (const [start, end] of spans.toSorted((a, b) => a[0] - b[0])) {
    // Spans that touch or overlap get one mark.
    if (start > at || pieces.length === 0) pieces.push(text.slice(at, start), mark);
    at = Math.max(at, end);
  }
  return [...pieces, text.slice(at)].join("");
}

/**
 * A copy of any thrown value that is safe to keep as a `cause`: name, message, code, stack, causes, and
 * the errors of an AggregateError, each through {@link safeText}. The errors of the SDK and of HTTP clients
 * contain the whole request and response, and with them the token. Never throws, whatever was thrown.
 */
export function safeCause(
  thrown: unknown,
  secrets: readonly string[] = NO_SECRETS,
  depth = 3,
): Error {
  const given = readText(thrown, "message") ?? asText(thrown);
  const message = safeText(given, MAX_SHOWN, secrets);
  const errors = depth > 0 ? readErrors(thrown, MAX_ERRORS) : [];
  const copy =
    errors.length > 0
      ? new AggregateError(
          errors.map((error) => safeCause(error, secrets, 0)),
          message,
        )
      : new Error(message);
  copy.name = safeText(readText(thrown, "name") ?? "Error", 100, secrets);
  const code = readText(thrown, "code");
  if (code !== undefined) Object.assign(copy, { code: safeText(code, 100, secrets) });
  const title = message === "" ? copy.name : `${copy.name}: ${message}`;
  const stack = readText(thrown, "stack");
  const frames = stack === undefined ? [] : framesOf(stack, given, secrets);
  copy.stack = [title, ...frames].join("\n");
  const cause = readField(thrown, "cause");
  if (cause !== undefined && depth > 0) copy.cause = safeCause(cause, secrets, depth - 1);
  return copy;
}

/** The frames of a stack. The message comes before them, and may contain lines that look like frames. */
function framesOf(stack: string, message: string, secrets: readonly string[]): string[] {
  // The time to search for the whole message would be the product of both lengths.
  const at = stack.slice(0, 2 * MAX_SHOWN).indexOf(message.slice(0, MAX_SHOWN));
  const rest = stack.startsWith(message, at) ? stack.slice(at + message.length) : stack;
  return redact(rest.slice(0, MAX_FRAMES_READ), secrets)
    .split(LINE_BREAK)
    .filter((line) => /^\s+at\s/.test(line))
    .slice(0, MAX_FRAMES)
    .map((line) => `    ${printable(line, MAX_FRAME)}`);
}

/**
 * The first `errors` of an AggregateError. Reads them one by one: the list itself was thrown, so its
 * methods may do and return anything.
 */
export function readErrors(thrown: unknown, atMost: number): unknown[] {
  const errors = readField(thrown, "errors");
  return attempt(() => {
    const length = Array.isArray(errors) ? Math.min(errors.length, atMost) : 0;
    return Array.from({ length }, (_, index) => (errors as unknown[])[index]);
  }, []);
}

function readText(thrown: unknown, field: string): string | undefined {
  const value = readField(thrown, field);
  return typeof value === "string" ? value : undefined;
}

/** A field of any thrown value; `undefined` also when a getter or a proxy throws. */
export function readField(thrown: unknown, field: string): unknown {
  return attempt(() => (thrown as Record<string, unknown>)[field], undefined);
}

/** Any value as text; an object without a prototype has none. */
function asText(thrown: unknown): string {
  return attempt(() => String(thrown), `a thrown ${typeof thrown} that has no text`);
}

/** Reading a thrown value may itself throw. */
function attempt<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
