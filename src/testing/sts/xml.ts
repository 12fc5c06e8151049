/** An element's content: text, or elements in order. Members that are `undefined` are left out. */
export type XmlContent = string | number | { readonly [element: string]: XmlContent | undefined };

/** Writes one element with everything in it. */
export function writeXml(name: string, content: XmlContent, attributes = ""): string {
  const inner =
    typeof content === "object"
      ? Object.entries(content)
          .map(([child, value]) => (value === undefined ? "" : writeXml(child, value)))
          .join("")
      : escapeXml(String(content));
  return `<${name}${attributes}>${inner}</${name}>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
  // A bare carriage return would be read back as a line feed (XML 1.0, section 2.11).
  "\r": "&#xD;",
};

/** Makes any string safe as XML text; what XML cannot carry becomes U+FFFD. */
export function escapeXml(text: string): string {
  return text
    .replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, "\uFFFD")
    .replace(/[&<>"'\r]/g, (character) => ENTITIES[character] ?? character);
}
