/** The whole of the report's style: the page takes nothing from anywhere. */
export const PAGE_STYLE = `
:root {
  color-scheme: light dark;
  --page: #ffffff; --card: #f6f7f9; --line: #d5d9e0; --text: #1b1f27; --quiet: #535b69;
  --good: #11683a; --warn: #8a4b00; --bad: #b3141f; --note: #1a5fb4;
  --dns: #4b6fd1; --connect: #1b8a9c; --tls: #8a4fb8; --wait: #2e8b57; --read: #6aa84f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171c; --card: #1e232b; --line: #39414e; --text: #e7eaf0; --quiet: #a9b2c1;
    --good: #63d297; --warn: #f0b45a; --bad: #ff8087; --note: #82b6ff;
    --dns: #7f9df0; --connect: #4fc3d4; --tls: #c18bea; --wait: #55bd85; --read: #94cf7a;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); line-height: 1.5;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
header, main, footer { max-width: 64rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .75rem; text-wrap: pretty; }
h2 { font-size: 1.2rem; margin: 2.25rem 0 .75rem; }
h3 { font-size: 1rem; margin: 1.25rem 0 .5rem; }
p { margin: 0 0 .5rem; }
code, .mono { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: .9em; }
p, li, dd, h1, td.mono, th .mono, .waterfall th { overflow-wrap: anywhere; }
main > section:first-child > h2 { margin-top: .5rem; }
.verdict { border-left: .5rem solid currentcolor; background: var(--card); padding: 1rem 1.25rem;
  border-radius: .25rem; }
.verdict > * { color: var(--text); }
.verdict .word { color: inherit; font-weight: 700; text-transform: uppercase; letter-spacing: .05em; margin: 0 0 .25rem; }
.good { color: var(--good); } .warn { color: var(--warn); } .bad { color: var(--bad); }
.note { color: var(--note); } .quiet { color: var(--quiet); }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; margin: .75rem 0 0; }
dl.facts dt { font-weight: 600; } dl.facts dd { margin: 0; }
ul.checks { list-style: none; margin: 0; padding: 0; }
ul.checks > li { padding: .3rem 0 .3rem 1.75rem; position: relative; }
ul.checks .mark { position: absolute; left: .25rem; font-weight: 700; }
ul.checks p { margin: 0; }
.table { overflow-x: auto; } .table:focus-visible { outline: 2px solid var(--note); outline-offset: 4px; }
table { border-collapse: collapse; width: 100%; font-size: .95rem; }
caption { text-align: left; color: var(--quiet); padding-bottom: .5rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .75rem .4rem 0; border-bottom: 1px solid var(--line); }
thead th { color: var(--quiet); font-weight: 600; white-space: nowrap; }
tbody th { font-weight: 500; }
td.short { white-space: nowrap; }
tr.own > * { background: var(--card); font-weight: 600; }
tr.own > :first-child { box-shadow: inset .25rem 0 var(--note); padding-left: .75rem; }
.waterfall { table-layout: fixed; }
.waterfall th { width: 32%; } .waterfall th.axis { width: auto; } .waterfall .figure { width: 8rem; white-space: nowrap; text-align: right; padding-right: 0; font-variant-numeric: tabular-nums; }
.waterfall svg { display: block; width: 100%; height: 1.5rem; overflow: visible; }
.waterfall .axis text { fill: var(--quiet); font-size: .75rem; } .grid { stroke: var(--line); }
.limit { stroke: var(--bad); stroke-width: 2; stroke-dasharray: 4 3; }
.over { fill: none; stroke: var(--bad); stroke-width: 2; }
.dns { fill: var(--dns); } .connect { fill: var(--connect); } .tls { fill: var(--tls); }
.wait { fill: var(--wait); } .read { fill: var(--read); }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; list-style: none; padding: 0; font-size: .9rem; }
.legend svg { width: .9rem; height: .9rem; vertical-align: -.1rem; margin-right: .35rem; }
@media (max-width: 40rem) {
  h1 { font-size: 1.3rem; }
  dl.facts { grid-template-columns: 1fr; gap: 0; } dl.facts dd { margin-bottom: .5rem; }
  .waterfall tr { display: grid; grid-template-columns: 1fr max-content; border-bottom: 1px solid var(--line); padding: .25rem 0; }
  .waterfall th, .waterfall td { border: 0; width: auto; padding: .1rem 0; }
  .waterfall td.bars { grid-row: 2; grid-column: 1 / 3; } .waterfall thead th:not(.axis) { display: none; }
  .waterfall th.axis { grid-column: 1 / 3; }
  .waterfall .figure { width: auto; padding-left: .75rem; }
}
@media print {
  :root { --page: #fff; --card: #fff; --line: #999; --text: #000; --quiet: #333;
    --good: #11683a; --warn: #8a4b00; --bad: #b3141f; --note: #1a5fb4; }
  body { font-size: 10pt; } header, main, footer { max-width: none; padding: 0; }
  .verdict { border: 1px solid; border-left-width: .5rem; }
  tr, li, .verdict { break-inside: avoid; } h2, h3 { break-after: avoid; } main > section:first-child > h2 { margin-top: 1rem; }
  svg { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
