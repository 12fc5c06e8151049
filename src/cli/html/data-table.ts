import { type Markup, markup, NOTHING } from "./markup.js";

/** One row of a table: its label, then its values. */
export interface Row {
  readonly head: string | Markup;
  readonly cells: readonly (string | Markup)[];
  /** Whether it stands out. */
  readonly isMarked?: boolean;
}

/**
 * A table that becomes a list on a narrow screen. The roles are spelled out because some browsers
 * take a table that is displayed as something else for no table at all.
 */
export function dataTable(caption: string, heads: readonly string[], rows: readonly Row[]): Markup {
  const columns = heads.map((head) => markup`<th scope="col" role="columnheader">${head}</th>`);
  const lines = rows.map(({ head, cells, isMarked }) => {
    const told = cells.map(
      (cell, index) => markup`<td role="cell" data-label="${heads[index + 1] ?? ""}">${cell}</td>`,
    );
    return markup`<tr role="row"${isMarked ? markup` class="own"` : NOTHING}><th scope="row" role="rowheader">${head}</th>${told}</tr>
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
