export type JsonObject = Readonly<Record<string, unknown>>;

/** A body as far as it can be read; `page` is HTML or nothing at all. */
export type ParsedBody =
  | { readonly kind: "object"; readonly value: JsonObject }
  | { readonly kind: "page" | "other" };

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
    return { kind: /^\s*(<|$)/.test(text.slice(0, 1000)) ? "page" : "other" };
  }
}

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
