/**
 * The elements of a page, whatever it reports: HTML that is escaped by construction, tables, drawings
 * on an axis of time, the style sheet, and the document around them.
 */
import { createHash } from "node:crypto";
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
function trusted(html: string): Markup {
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

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Round distances between two ticks, in milliseconds. */
const STEPS: readonly number[] = [
  ...[0.1, 0.2, 0.5, 1, 2, 5, 10, 30].map((each) => each * SECOND),
  ...[1, 2, 5, 10, 20, 30].map((each) => each * MINUTE),
  ...[1, 2, 3, 6, 12].map((each) => each * HOUR),
  ...[1, 2, 5, 10, 30, 60, 180, 365, 730].map((each) => each * DAY),
];

/** As many as fit on the narrowest screen. */
const MAX_TICKS = 6;

/** Turns a time into a horizontal position, as a share of the width so that it fits every screen. */
export class TimeScale {
  constructor(
    readonly fromMs: number,
    readonly toMs: number,
  ) {}

  /** The position of a time. A time outside the axis is placed at its edge. */
  x(ms: number): string {
    return `${(this.#share(ms) * 100).toFixed(3)}%`;
  }

  /** The width of the part of a span that is on the axis. */
  width(fromMs: number, toMs: number): string {
    return `${(Math.max(0, this.#share(toMs) - this.#share(fromMs)) * 100).toFixed(3)}%`;
  }

  holds(ms: number): boolean {
    return ms >= this.fromMs && ms <= this.toMs;
  }

  /** Round times, counted from zero, few enough to be legible. */
  ticks(): number[] {
    const { fromMs, toMs } = this;
    const rough = (toMs - fromMs) / MAX_TICKS;
    const step = STEPS.find((each) => each >= rough) ?? Math.ceil(rough / DAY) * DAY;
    const first = Math.ceil(fromMs / step);
    const last = Math.floor(toMs / step);
    return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
  }

  #share(ms: number): number {
    return Math.min(1, Math.max(0, (ms - this.fromMs) / (this.toMs - this.fromMs)));
  }
}

/** One row: a drawing on the axis of time, and the same in words. */
export interface Lane {
  readonly head: string | Markup;
  /** The inside of an SVG, 24 pixels high. */
  readonly drawing: readonly Markup[];
  /** Everything that the drawing shows. */
  readonly words: string | Markup;
  /** A value at the end of the row. */
  readonly figure?: Markup;
}

interface LaneHeads {
  readonly caption: string;
  readonly head: string;
  readonly axis: string;
  /** Left out when no lane has a figure. */
  readonly figure?: string;
  readonly tick: (ms: number) => string;
}

export interface LegendEntry {
  readonly tone: string;
  readonly title: string;
  readonly isLine?: boolean;
}

/** A table with a drawing in each row, all on one axis of time, and below each drawing the same in words. */
export function laneTable(heads: LaneHeads, scale: TimeScale, lanes: readonly Lane[]): Markup {
  const { caption, head, axis, figure, tick } = heads;
  const lines = lanes.map(
    (
      lane,
    ) => markup`<tr role="row"><th scope="row" role="rowheader">${lane.head}</th><td class="lane" role="cell"><svg aria-hidden="true" focusable="false">${lane.drawing}</svg><p class="words">${lane.words}</p></td>${
      lane.figure === undefined ? [] : markup`<td class="figure" role="cell">${lane.figure}</td>`
    }</tr>
`,
  );
  const last =
    figure === undefined
      ? []
      : markup`<th scope="col" role="columnheader" class="figure">${figure}</th>`;
  return markup`<table class="lanes" role="table"><caption>${caption}</caption>
<thead role="rowgroup"><tr role="row"><th scope="col" role="columnheader">${head}</th><th scope="col" role="columnheader" class="axis">${axis}${axisTicks(scale, tick)}</th>${last}</tr></thead>
<tbody role="rowgroup">
${lines}</tbody></table>`;
}

/** Explains the colors that are in use. */
export function legend(entries: readonly LegendEntry[]): Markup {
  const items = entries.map(({ tone, title, isLine = false }) => {
    const place = isLine ? markup`x="6" width="2"` : markup`x="1" width="12"`;
    return markup`<li><svg aria-hidden="true" focusable="false" viewBox="0 0 14 14"><rect class="${tone}" ${place} y="1" height="12"/></svg>${title}</li>`;
  });
  return markup`<ul class="legend">${items}</ul>`;
}

function axisTicks(scale: TimeScale, tick: (ms: number) => string): Markup {
  const span = scale.toMs - scale.fromMs;
  const marks = scale.ticks().map((ms) => {
    const share = (ms - scale.fromMs) / span;
    const anchor = share < 0.05 ? "start" : share > 0.95 ? "end" : "middle";
    return markup`<text x="${scale.x(ms)}" y="16" text-anchor="${anchor}">${tick(ms)}</text>`;
  });
  return markup`<svg aria-hidden="true" focusable="false">${marks}</svg>`;
}

interface PageParts {
  readonly title: string;
  readonly header: Markup;
  readonly main: readonly Markup[];
  readonly footer: Markup;
}

/** A document that needs nothing but a browser: it loads nothing, and runs no script. */
export function htmlPage({ title, header, main, footer }: PageParts): string {
  const styleHash = createHash("sha256").update(PAGE_STYLE).digest("base64");
  const page = markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-${trusted(styleHash)}'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
<style>${trusted(PAGE_STYLE)}</style>
</head>
<body>
<header>
${header}
</header>
<main>
${main}</main>
<footer>${footer}</footer>
</body>
</html>
`;
  return page.toString();
}

const COLORS = `
:root {
  color-scheme: light;
  --page: #ffffff; --card: #f6f7f9; --line: #d5d9e0; --text: #1b1f27; --quiet: #535b69;
  --good: #11683a; --warn: #8a4b00; --bad: #b3141f; --note: #1a5fb4;
  --dns: #3f61c4; --connect: #0f7686; --tls: #8a4fb8; --wait: #2b7d50; --read: #b26a00;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    color-scheme: dark;
    --page: #14171c; --card: #1e232b; --line: #39414e; --text: #e7eaf0; --quiet: #a9b2c1;
    --good: #63d297; --warn: #f0b45a; --bad: #ff8087; --note: #82b6ff;
    --dns: #7f9df0; --connect: #4fc3d4; --tls: #c18bea; --wait: #55bd85; --read: #f0b45a;
  }
}
`;

const TEXT = `
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
header, main, footer { max-width: 64rem; margin: 0 auto; padding: 1rem; }
header { padding-bottom: 0; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .75rem; text-wrap: pretty; }
h2 { font-size: 1.2rem; margin: 2.25rem 0 .75rem; }
h3 { font-size: 1rem; margin: 1.25rem 0 .25rem; }
main > section:first-child > h2 { margin-top: .75rem; }
p { margin: 0 0 .5rem; }
ul, ol { list-style: none; margin: 0; padding: 0; }
code, .mono { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: .9em; }
h1, p, li, dd, th, td, caption { overflow-wrap: anywhere; }
.good { color: var(--good); } .warn { color: var(--warn); } .bad { color: var(--bad); }
.note { color: var(--note); } .quiet { color: var(--quiet); }
.mark { font-weight: 700; }
`;

const VERDICT = `
.verdict { border-left: .5rem solid currentcolor; background: var(--card); padding: 1rem 1.25rem;
  border-radius: .25rem; }
.verdict > * { color: var(--text); }
.verdict > .word { color: inherit; margin: 0 0 .25rem; }
.word strong { text-transform: uppercase; letter-spacing: .05em; }
.word .meaning { color: var(--quiet); margin-left: .5rem; }
.cause { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; margin: 0 0 1rem; }
.cause dt { font-weight: 600; } .cause dd { margin: 0; } .cause .remedy { font-weight: 600; }
.commands code { display: block; font-weight: 400; margin-top: .25rem; white-space: pre-wrap; }
.summary { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: .75rem 0 .25rem; }
.about { display: flex; flex-wrap: wrap; gap: 0 1.25rem; }
.verdict > .about { color: var(--quiet); font-size: .9rem; }
.part { display: grid; grid-template-columns: 11rem 1fr; gap: 0 1rem; padding: .5rem 0; border-top: 1px solid var(--line); }
.part:last-child { border-bottom: 1px solid var(--line); }
.part h3 { margin: .15rem 0; } .part > p { margin: .15rem 0; }
.checks > li { padding: .15rem 0 .15rem 1.75rem; position: relative; }
.checks .mark { position: absolute; left: .25rem; }
.checks p { margin: 0; }
`;

const TABLES = `
table { border-collapse: collapse; width: 100%; font-size: .95rem; }
section > * + table { margin-top: 1.5rem; } section > h2 + table { margin-top: 0; }
caption { text-align: left; color: var(--quiet); padding-bottom: .5rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .75rem .4rem 0; border-bottom: 1px solid var(--line); }
thead th { color: var(--quiet); font-weight: 600; overflow-wrap: normal; }
tbody th { font-weight: 500; min-width: 11.5rem; } td { min-width: 4.5rem; } th .quiet { font-weight: 400; }
tr.own > * { background: var(--card); font-weight: 600; }
tr.own > :first-child { box-shadow: inset .25rem 0 var(--note); padding-left: .75rem; }
.lanes { table-layout: fixed; }
.lanes th { width: 32%; } .lanes th.axis { width: auto; }
.lanes .figure { width: 7rem; text-align: right; padding-right: 0; font-variant-numeric: tabular-nums; }
.lanes svg { display: block; width: 100%; height: 24px; overflow: visible; }
.axis text { fill: var(--quiet); font-size: .75rem; }
.words { margin: .1rem 0 0; font-size: .85rem; color: var(--quiet); }
.limit, .measure { stroke-width: 2; stroke-dasharray: 4 3; }
.gap { stroke: var(--page); stroke-width: 6; }
.limit { stroke: var(--bad); } .measure { stroke: var(--quiet); stroke-width: 1; }
.dns { fill: var(--dns); } .connect { fill: var(--connect); } .tls { fill: var(--tls); }
.wait { fill: var(--wait); } .read { fill: var(--read); }
.valid { fill: var(--wait); }
.aged { fill: var(--quiet); }
.tolerated { fill: var(--card); stroke: var(--quiet); stroke-dasharray: 3 3; }
.mark-line { stroke: var(--text); fill: var(--text); }
.now { stroke: var(--note); fill: var(--note); }
.sts-now { stroke: var(--bad); fill: var(--bad); stroke-dasharray: 2 2; }
line:is(.mark-line, .now, .sts-now) { stroke-width: 2; }
.goes-on { fill: var(--text); }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: .75rem 0 0; font-size: .9rem; }
.legend svg { width: .9rem; height: .9rem; vertical-align: -.1rem; margin-right: .35rem; }
`;

/** On a phone each table row becomes a block, and each cell begins with the name of its column. */
const NARROW = `
@media (max-width: 40rem) {
  h1 { font-size: 1.3rem; }
  .word .meaning { display: block; margin: 0; }
  .cause, .part { grid-template-columns: 1fr; gap: 0; } .cause dd { margin-bottom: .5rem; }
  tr { display: block; padding: .4rem 0; border-bottom: 1px solid var(--line); }
  th, td { display: block; border: 0; padding: .1rem 0; }
  thead th { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
  tbody th { font-weight: 600; } .data thead tr { padding: 0; }
  tr.own { background: var(--card); box-shadow: inset .25rem 0 var(--note); padding-left: .75rem; }
  tr.own > :first-child { box-shadow: none; padding-left: 0; }
  td[data-label]::before { content: attr(data-label) ": "; color: var(--quiet); font-weight: 400; }
  .lanes tr { display: grid; grid-template-columns: 1fr fit-content(45%); }
  .lanes th, .lanes .figure { width: auto; }
  .lanes .figure { padding-left: .75rem; grid-row: 1; grid-column: 2; }
  .lanes .lane { grid-row: 2; grid-column: 1 / 3; }
  .lanes thead th.axis { position: static; width: auto; height: auto; overflow: visible; clip-path: none; white-space: normal; grid-column: 1 / 3; }
}
`;

const PRINT = `
@media print {
  @page { margin: 1.5cm; }
  :root { font-size: 10pt; }
  header, main, footer { max-width: none; padding: 0; }
  .verdict { border: 1px solid; border-left-width: .5rem; }
  tr, li, caption, .verdict, .legend { break-inside: avoid; } h2, caption, thead { break-after: avoid; }
  tbody tr:first-child, .legend, footer { break-before: avoid; }
  h2 { margin-top: 1.5rem; }
  svg, .verdict, tr.own > * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;

/** The complete style sheet. The page loads nothing else, and nothing on it moves. */
const PAGE_STYLE = [COLORS, TEXT, VERDICT, TABLES, NARROW, PRINT].join("");
