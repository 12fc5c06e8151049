/** HTML that is escaped by construction, and the elements that several sections of the page use. */
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

/** Finished HTML. Only {@link markup} and {@link trusted} create it, so that text is never mistaken for it. */
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
 * HTML from a template. Every text in it is escaped for use in an element or a quoted attribute;
 * a value that is already markup stays unchanged.
 */
export function markup(template: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return new Markup(String.raw({ raw: template }, ...parts.map(asHtml)));
}

/** Turns the page's own text into markup, such as its style sheet. Never for text from outside. */
export function trusted(html: string): Markup {
  return new Markup(html);
}

/** Pieces with a separator between them. */
export function joined(pieces: readonly Markup[], between: Markup): Markup[] {
  return pieces.flatMap((piece, index) => (index === 0 ? [piece] : [between, piece]));
}

/** Empty markup. */
export const NOTHING = trusted("");

function asHtml(part: Part): string {
  if (part instanceof Markup) return part.toString();
  return typeof part === "object" ? part.join("") : escaped(String(part));
}

function escaped(text: string): string {
  return printable(text, MAX_TEXT).replace(/[&<>"']/g, (letter) => ENTITIES[letter] ?? "");
}

/** One row of a table: its label, then its values. */
interface Row {
  readonly head: string | Markup;
  readonly cells: readonly (string | Markup)[];
  /** Whether the row is highlighted. */
  readonly isMarked?: boolean;
}

/**
 * A table that becomes a list on a narrow screen. The roles are explicit because some browsers don't
 * expose a table as one when its `display` value is another.
 */
export function dataTable(caption: string, heads: readonly string[], rows: readonly Row[]): Markup {
  const columns = heads.map((head) => markup`<th scope="col" role="columnheader">${head}</th>`);
  const lines = rows.map(({ head, cells, isMarked }) => {
    const data = cells.map(
      (cell, index) => markup`<td role="cell" data-label="${heads[index + 1] ?? ""}">${cell}</td>`,
    );
    return markup`<tr role="row"${isMarked ? markup` class="own"` : NOTHING}><th scope="row" role="rowheader">${head}</th>${data}</tr>
`;
  });
  return markup`<table class="data" role="table"><caption>${caption}</caption>
<thead role="rowgroup"><tr role="row">${columns}</tr></thead>
<tbody role="rowgroup">
${lines}</tbody></table>`;
}

export function mono(text: string): Markup {
  return markup`<span class="mono">${text}</span>`;
}

/** A remedy, with each command on a line of its own so that it can be copied. */
export function remedyMarkup(remedy: string): Markup {
  const [words = "", ...commands] = remedy.split("\n");
  const lines = commands.map((command) => markup`<code>${command}</code>`);
  return markup`${words}${lines.length === 0 ? [] : [markup`<span class="commands">${lines}</span>`]}`;
}
