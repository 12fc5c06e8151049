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
export const PAGE_STYLE = [COLORS, TEXT, VERDICT, TABLES, NARROW, PRINT].join("");
