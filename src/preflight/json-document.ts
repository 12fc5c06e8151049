import type { DocumentName, Finding } from "../model/findings.js";
import { safeText } from "../runtime/redact.js";

export type JsonObject = Readonly<Record<string, unknown>>;

/** What a body contains instead of a JSON object. */
export type NoObject =
  /** HTML, or nothing at all. */
  | "page"
  /** The beginning of an object. */
  | "cut"
  /** An object that only a lenient parser reads. */
  | "lenient"
  /** A list with objects in it. */
  | "list"
  /** Too deep, or too many values, to be parsed here. */
  | "too-complex"
  | "other";

/** A discovery document has 2 levels, a JWKS 4. Parsers of other languages stop at 64 to 1,000. */
const MAX_DEPTH = 32;

/**
 * The limit of members and entries: a JWKS at both of STS's limits (100 RSA and 100 EC keys) has about
 * 3,000. The parser's time and memory grow with their number, not with the bytes.
 */
const MAX_VALUES = 30_000;

/** The readable part of a body. */
export type ParsedBody = (
  | { readonly kind: "object"; readonly value: JsonObject }
  | { readonly kind: NoObject }
) & { readonly hasByteOrderMark: boolean };

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
const MARK = "\uFEFF";

/**
 * Reads a JSON object. Nothing in it is trusted: members are read one by one by their own names and
 * never copied onto another object, so that `__proto__` is a name like any other.
 */
export function parseBody(body: Uint8Array): ParsedBody {
  const decoded = utf8.decode(body);
  const hasByteOrderMark = decoded.startsWith(MARK);
  const text = hasByteOrderMark ? decoded.slice(MARK.length) : decoded;
  return { ...parseText(text, body), hasByteOrderMark };
}

function parseText(text: string, body: Uint8Array) {
  const { depth, values } = shapeOf(body);
  // Parsing it would block the process.
  if (depth > MAX_DEPTH || values > MAX_VALUES) return { kind: "too-complex" as const };
  try {
    const value: unknown = JSON.parse(text);
    if (isJsonObject(value)) return { kind: "object" as const, value };
    const isList = Array.isArray(value) && value.some(isJsonObject);
    return { kind: isList ? ("list" as const) : ("other" as const) };
  } catch {
    return { kind: cameInstead(text, body) };
  }
}

function cameInstead(text: string, body: Uint8Array): NoObject {
  // A login wall, a captive portal or a maintenance page, which may stay for a while.
  if (/^\s*(<|$)/.test(text.slice(0, 1000))) return "page";
  if (isBeginning(text, body)) return "cut";
  // Comments, a comma too many, text after the end; or UTF-16, in which every ASCII character has a zero
  // octet. Some parsers accept these, and which parser STS uses is not known.
  const isLenient =
    /^\s*(\{|\/[/*]|#)/.test(text.slice(0, 1000)) || body.subarray(0, 4).includes(0);
  return isLenient ? "lenient" : "other";
}

/**
 * Whether a JSON object begins and does not end. When the connection of a response without a length
 * breaks, or a proxy sets a length of its own, the response looks complete.
 */
function isBeginning(text: string, body: Uint8Array): boolean {
  return /^\s*\{/.test(text) && shapeOf(body).unclosed > 0;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;

/** Brackets and commas outside strings, counted in one pass, whether or not the text is JSON. */
function shapeOf(body: Uint8Array) {
  let unclosed = 0;
  let depth = 0;
  let values = 0;
  let isInString = false;
  for (let at = 0; at < body.length; at += 1) {
    const byte = body[at] as number;
    if (isInString) {
      if (byte === BACKSLASH) at += 1;
      else if (byte === QUOTE) isInString = false;
    } else if (byte === QUOTE) {
      isInString = true;
    } else if (byte === COMMA) {
      values += 1;
    } else if ((byte | 0x20) === 0x7b) {
      // `[` and `{` differ in that one bit, and so do `]` and `}`.
      values += 1;
      unclosed += 1;
      if (unclosed > depth) depth = unclosed;
    } else if ((byte | 0x20) === 0x7d) {
      unclosed -= 1;
    }
  }
  return { unclosed, depth, values };
}

/** The same in words, to follow "returns 200 with". */
export const CAME_INSTEAD: Readonly<Record<NoObject, string>> = {
  page: "a page, an error or nothing",
  cut: "the beginning of a JSON object that does not end",
  lenient: "text that only a lenient parser accepts as a JSON object",
  "too-complex": `JSON that is nested deeper than ${MAX_DEPTH} levels or has more than ${MAX_VALUES} values, which was not read`,
  list: "a list instead of a JSON object",
  other: "something that is not a JSON object",
};

/**
 * A document that begins with U+FEFF, which JSON does not allow (RFC 8259, section 8.1). In one report,
 * STS returned the verification-key message, and retrying did not help.
 */
export function byteOrderMark(document: DocumentName, url: string): Finding {
  const name = document === "discovery" ? "discovery document" : "JWKS";
  return {
    id: `${document}-byte-order-mark`,
    severity: "suspect",
    title: `The issuer's ${name} begins with a byte order mark, which STS is reported to refuse.`,
    detail: `${url} begins with a UTF-8 byte order mark (EF BB BF) before the JSON (RFC 8259, section 8.1).`,
    remedy: `IdP: serve the ${name} as UTF-8 without a byte order mark.`,
    evidence: { url },
    confirmedBy: "verification-key",
  };
}

/** How many characters of a document's text are read for each character that is shown. */
const READ_PER_SHOWN = 16;

/** {@link safeText} of a document's text, which may be half a megabyte long. */
export function shownText(text: string, maxLength: number): string {
  return safeText(text.slice(0, maxLength * READ_PER_SHOWN), maxLength);
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The object's own member of this name; members of a prototype do not count. */
export function member(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** Whether the object is an error that some gateways send with status 200: nothing certain follows from it. */
export function isErrorResponse(object: JsonObject): boolean {
  return ["error", "errors", "message", "Message", "code", "status", "fault"].some((name) =>
    Object.hasOwn(object, name),
  );
}
