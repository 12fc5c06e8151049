import { printable } from "../../runtime/redact.js";

/** Longest piece of text that a page shows. */
const MAX_TEXT = 2000;

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Finished HTML. Only {@link markup} and {@link trusted} make it, so that text is never taken for it. */
export class Markup {
  readonly #html: string;

  constructor(html: string) {
    this.#html = html;
  }

  toString(): string {
    return this.#html;
  }
}

type Part = string | number | Markup | readonly Markup[];

/**
 * HTML from a template. Every text put into it is escaped, fit for an element or a quoted attribute;
 * what is markup already stays as it is.
 */
export function markup(template: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return new Markup(String.raw({ raw: template }, ...parts.map(asHtml)));
}

/** For the page's own style and the like: never for anything that comes from the world. */
export function trusted(html: string): Markup {
  return new Markup(html);
}

/** Pieces with something between them. */
export function joined(pieces: readonly Markup[], between: Markup): Markup[] {
  return pieces.flatMap((piece, index) => (index === 0 ? [piece] : [between, piece]));
}

/** Nothing at all. */
export const NOTHING = trusted("");

function asHtml(part: Part): string {
  if (part instanceof Markup) return part.toString();
  return typeof part === "object" ? part.join("") : escaped(String(part));
}

function escaped(text: string): string {
  return printable(text, MAX_TEXT).replace(/[&<>"']/g, (letter) => ENTITIES[letter] ?? "");
}
