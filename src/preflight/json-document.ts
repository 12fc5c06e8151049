export type JsonObject = Readonly<Record<string, unknown>>;

/** What came instead of a JSON object: HTML or nothing at all, the beginning of one, anything else. */
export type NoObject = "page" | "cut" | "other";

/** A body as far as it can be read. */
export type ParsedBody =
  | { readonly kind: "object"; readonly value: JsonObject }
  | { readonly kind: NoObject };

const utf8 = new TextDecoder();

/**
 * Reads a JSON object. Nothing in it is trusted: members are read one by one by their own names and
 * never copied onto another object, so that `__proto__` is a name like any other.
 */
export function parseBody(body: Uint8Array): ParsedBody {
  const text = utf8.decode(body);
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? { kind: "object", value } : { kind: "other" };
  } catch {
    // A login wall, a captive portal, a maintenance page: it stands there for a while.
    if (/^\s*(<|$)/.test(text.slice(0, 1000))) return { kind: "page" };
    return { kind: isBeginning(text) ? "cut" : "other" };
  }
}

/**
 * Whether a JSON object begins and does not end: an answer without a length (or one that a proxy
 * gave a length of its own) looks whole when its connection breaks.
 */
function isBeginning(text: string): boolean {
  const outside = text.replace(/"(?:[^"\\]|\\.)*"?/gs, "");
  const count = (brackets: RegExp) => outside.match(brackets)?.length ?? 0;
  return /^\s*\{/.test(text) && count(/[{[]/g) > count(/[}\]]/g);
}

/** What came, in words; fit to follow "answers 200 with". */
export const CAME_INSTEAD: Readonly<Record<NoObject, string>> = {
  page: "a page, an error or nothing",
  cut: "the beginning of a JSON object that does not end",
  other: "something that is no JSON object",
};

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether the object has its own member: nothing is read off a prototype. */
export function member(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** An error that some gateways send with status 200: nothing certain follows from it. */
export function isErrorAnswer(object: JsonObject): boolean {
  return ["error", "errors", "message", "Message", "code", "status", "fault"].some((name) =>
    Object.hasOwn(object, name),
  );
}
