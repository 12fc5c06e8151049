/** The doctor's report for a terminal. */
import type { Diagnosis, Timing } from "../../doctor/diagnosis.js";
import { explainCommand } from "../../model/errors.js";
import type { Finding, KeyRow, Severity } from "../../model/findings.js";
import { STS_ISSUER_TIMEOUT_MS } from "../../model/sts-limits.js";
import { safeText } from "../../runtime/redact.js";
import { formatDuration } from "../../runtime/time-text.js";
import {
  clip,
  type Paint,
  padEnd,
  padStart,
  type Style,
  widthOf,
  wrap,
  wrapRemedy,
} from "../terminal-text.js";
import {
  followsFrom,
  GROUP_TITLES,
  goodNews,
  groupOf,
  groupsOf,
  isOverLimit,
  kidOf,
  outcomeOf,
  PART_TITLES,
  PARTS,
  type PartName,
  partsOf,
  verdictSentence,
  whyNotChecked,
} from "./report-words.js";

type Mark = readonly [mark: string, style: Style];

const VERDICTS: Readonly<Record<Diagnosis["verdict"], Mark>> = {
  healthy: ["✓", ["bold", "green"]],
  degraded: ["!", ["bold", "yellow"]],
  broken: ["✗", ["bold", "red"]],
};

const SEVERITIES: Readonly<Record<Severity, Mark>> = {
  fatal: ["✗", "red"],
  suspect: ["!", "yellow"],
  advice: ["!", "cyan"],
  info: ["·", "dim"],
};

const IN_ORDER: Mark = ["✓", "green"];

const MAX_WIDTH = 120;

/** What is wrong and who must change what, then everything that was checked. */
export function terminalReport(diagnosis: Diagnosis, columns: number, paint: Paint): string {
  const width = Math.max(40, Math.min(MAX_WIDTH, columns));
  return `${new TerminalReport(diagnosis, width, paint).lines().join("\n")}\n`;
}

class TerminalReport {
  readonly #diagnosis: Diagnosis;
  readonly #width: number;
  readonly #paint: Paint;

  constructor(diagnosis: Diagnosis, width: number, paint: Paint) {
    this.#diagnosis = diagnosis;
    this.#width = width;
    this.#paint = paint;
  }

  lines(): string[] {
    const { facts, timings } = this.#diagnosis;
    const keys = facts.issuer?.keys ?? [];
    return [
      ...this.#verdict(),
      "",
      ...this.#checks(),
      ...this.#section("Timings", timingBars(timings, this.#width, this.#paint)),
      ...this.#section("Keys of the issuer", keyRows(keys, this.#width, this.#paint)),
      "",
      ...this.#settings(),
    ];
  }

  #section(title: string, lines: readonly string[]): string[] {
    return lines.length === 0 ? [] : ["", this.#paint("bold", title), ...lines];
  }

  #verdict(): string[] {
    const paint = this.#paint;
    const { verdict, rootCause: cause } = this.#diagnosis;
    const [mark, style] = VERDICTS[verdict];
    const head = `${mark} ${verdict.toUpperCase()}  `;
    const sentence = this.#wrap(verdictSentence(this.#diagnosis), " ".repeat(head.length));
    const [first = "", ...more] = sentence;
    const lines = [head + first.trimStart(), ...more].map((line) => paint(style, line));
    if (cause === null) return lines;
    const indent = " ".repeat(10);
    const hanging = (label: string, [first = "", ...rest]: readonly string[]) => {
      return [paint("bold", padEnd(label, 10)) + first.trimStart(), ...rest];
    };
    return [
      ...lines,
      "",
      ...hanging("Cause", this.#wrap(cause.title, indent)),
      ...this.#wrap(cause.detail, indent),
      ...hanging("Remedy", wrapRemedy(cause.remedy, this.#width, indent)),
      paint("dim", `${indent}${cause.id} (${cause.severity})`),
      ...this.#wrap(`Details: ${explainCommand(cause.id)}`, indent).map((line) =>
        paint("dim", line),
      ),
    ];
  }

  #checks(): string[] {
    const { facts, findings } = this.#diagnosis;
    const news = goodNews(this.#diagnosis);
    const groups = groupsOf(this.#diagnosis).flatMap((group) => {
      const found = findings.filter((finding) => groupOf(finding) === group);
      const body = [
        ...found.flatMap((finding) => this.#finding(finding)),
        ...news[group].flatMap((text) => this.#marked(IN_ORDER, text)),
      ];
      // An issuer alone has no other parts.
      if (body.length === 0 && facts.token === undefined) return [];
      const shown =
        body.length > 0
          ? body
          : [this.#paint("dim", `  – ${whyNotChecked(this.#diagnosis, group)}`)];
      return [[this.#paint("bold", GROUP_TITLES[group]), ...shown]];
    });
    return groups.flatMap((lines, index) => (index > 0 ? ["", ...lines] : lines));
  }

  #finding(finding: Finding): string[] {
    const { rootCause: cause } = this.#diagnosis;
    const mark = SEVERITIES[finding.severity];
    if (cause?.id === finding.id && cause.detail === finding.detail) {
      return this.#marked(mark, `${finding.title} (the cause, see above)`);
    }
    const doesFollow = followsFrom(finding, cause);
    const weight = doesFollow ? "follows from the cause" : finding.severity;
    const remedy = doesFollow ? "" : finding.remedy;
    return [
      ...this.#marked(mark, `${finding.title} (${weight})`),
      ...this.#wrap(finding.detail, "    ").map((line) => this.#paint("dim", line)),
      ...(remedy === "" ? [] : wrapRemedy(`→ ${remedy}`, this.#width, "    ")),
    ];
  }

  #marked([mark, style]: Mark, text: string): string[] {
    const [first = "", ...rest] = this.#wrap(text, "    ");
    return [`  ${this.#paint(style, mark)} ${first.trimStart()}`, ...rest];
  }

  #settings(): string[] {
    const { facts } = this.#diagnosis;
    const paint = this.#paint;
    const set = facts.settings.filter(({ value }) => value !== undefined);
    const nameWidth = Math.max(0, ...set.map(({ name }) => widthOf(name)));
    const indent = " ".repeat(nameWidth + 4);
    const rows = set.flatMap(({ name, value = "", source }) => {
      const from = paint("dim", `(${source})`);
      // A value is never cut, so that it can be copied. Its source then has a line of its own.
      const [first = "", ...rest] = this.#wrap(value, indent);
      const head = `  ${padEnd(name, nameWidth)}  ${first.trimStart()}`;
      const isShort = rest.length === 0 && widthOf(head) + 1 + widthOf(from) <= this.#width;
      return isShort ? [`${head} ${from}`] : [head, ...rest, indent + from];
    });
    const { startedAt, elapsedMs, unfinished } = facts;
    const cut =
      unfinished.length > 0 ? `; not finished within the time limit: ${unfinished.join(", ")}` : "";
    const footer = `Checked at ${startedAt} in ${formatDuration(elapsedMs)}${cut}.`;
    return [
      ...(rows.length > 0 ? [paint("bold", "Settings"), ...rows, ""] : []),
      ...this.#wrap(footer).map((line) => paint("dim", line)),
    ];
  }

  #wrap(text: string, indent = ""): string[] {
    return wrap(text, this.#width, indent);
  }
}

const MAX_KEYS = 12;
const MAX_KID = 44;
/** If a name is cut shorter, its two ends don't identify it. */
const MIN_KID = 6;
/** The columns that a row needs besides the kid: marks, gaps, other columns, and "✗ unusable". */
const OTHER_COLUMNS = 44;

const UNUSABLE = ["red", "✗", "unusable"] as const;
const DOUBTFUL = ["yellow", "?", "in doubt"] as const;

/** The keys of the JWKS as a table. The token's key is marked and never left out. */
function keyRows(keys: readonly KeyRow[], width: number, paint: Paint): string[] {
  if (keys.length === 0) return [];
  const own = keys.filter(({ matchesToken }) => matchesToken);
  const others = keys.filter(({ matchesToken }) => !matchesToken);
  const chosen = new Set([...own, ...others].slice(0, MAX_KEYS));
  const shown = keys.filter((key) => chosen.has(key));
  const kids = shown.map((key) => kidOf(key).length);
  const kidWidth = Math.min(
    MAX_KID,
    Math.max(MIN_KID, width - OTHER_COLUMNS),
    Math.max(3, ...kids),
  );
  const widths = [kidWidth, 10, 8, 4];
  const line = (mark: string, cells: readonly string[]) =>
    [
      `${mark} ${padEnd(clip(cells[0] ?? "", kidWidth), kidWidth)}`,
      ...widths.slice(1).map((size, index) => padEnd(clip(cells[index + 1] ?? "", size), size)),
    ].join("  ");
  const rows = shown.flatMap((key) => {
    const kind = [key.kty, key.alg].filter(Boolean).join(" ");
    const size = key.bits === undefined ? (key.crv ?? "") : `${key.bits} bit`;
    const pointer = key.matchesToken ? "▶" : " ";
    const text = line(`  ${pointer}`, [kidOf(key), kind, size, key.use ?? "-"]);
    const row = key.matchesToken ? paint("bold", text) : text;
    if (key.usable) return [`${row}  ${paint("green", "✓ usable")}`];
    const problem = safeText(key.problem ?? "unusable");
    const [color, mark, word] = key.severity === "suspect" ? DOUBTFUL : UNUSABLE;
    if (widthOf(text) + 4 + widthOf(problem) <= width) {
      return [`${row}  ${paint(color, `${mark} ${problem}`)}`];
    }
    const below = wrap(problem, width, " ".repeat(6)).map((line) => paint(color, line));
    return [`${row}  ${paint(color, `${mark} ${word}`)}`, ...below];
  });
  const hidden = keys.length - shown.length;
  const head = paint("dim", line("   ", ["kid", "kty alg", "size", "use"]).trimEnd());
  const more = hidden > 0 ? [paint("dim", `    … and ${hidden} more`)] : [];
  const legend = own.length > 0 ? ["  ▶ the token's key"] : [];
  return [head, ...rows, ...more, ...legend];
}

const PART_MARKS: Readonly<Record<PartName, readonly [mark: string, style: Style]>> = {
  dns: ["░", "blue"],
  connect: ["▒", "cyan"],
  tls: ["▓", "magenta"],
  wait: ["█", "green"],
  read: ["▆", "green"],
};

/** Bars with fewer cells than this are not drawn. */
const MIN_CELLS = 10;

/** One bar for each request, all on one scale that shows the 5 s limit. */
export function timingBars(timings: readonly Timing[], width: number, paint: Paint): string[] {
  if (timings.length === 0) return [];
  const longest = Math.max(...timings.map(({ totalMs }) => totalMs));
  const scaleMs = Math.max(STS_ISSUER_TIMEOUT_MS * 1.1, longest);
  const names = timings.map(({ label }) => shortName(label));
  const labelWidth = Math.min(Math.max(...names.map(widthOf)), Math.floor(width * 0.4));
  const figureWidth = 8;
  const outcomeWidth = Math.min(16, Math.max(3, ...timings.map((one) => outcomeOf(one).length)));
  const room = width - labelWidth - figureWidth - outcomeWidth - 6;
  const cells = room < MIN_CELLS ? 0 : room;
  const limitCell = Math.min(cells - 1, Math.round((STS_ISSUER_TIMEOUT_MS / scaleMs) * cells));
  const used = new Set(timings.flatMap((timing) => partsOf(timing).map(({ name }) => name)));
  const legend = PARTS.filter((name) => used.has(name)).map(
    (name) => `${paint(PART_MARKS[name][1], PART_MARKS[name][0])} ${PART_TITLES[name]}`,
  );
  const rows = timings.map((timing, index) => {
    const bar = drawBar(timing, { scaleMs, cells, limitCell }, paint);
    const figure = padStart(formatDuration(timing.totalMs), figureWidth);
    const outcome = clip(outcomeOf(timing), outcomeWidth);
    const name = padEnd(clip(names[index] ?? "", labelWidth), labelWidth);
    return [
      `  ${name} ${bar}`,
      isOverLimit(timing) ? paint("red", figure) : figure,
      timing.error === undefined ? outcome : paint("red", outcome),
    ]
      .join(" ")
      .trimEnd();
  });
  if (cells === 0) return rows;
  const head = `${" ".repeat(labelWidth + 3)}${padEnd("0", limitCell - 2)}5 s`;
  const limit = `${paint("red", "│")} STS timeout`;
  return [paint("dim", head), ...rows, `  ${[...legend, limit].join("  ")}`];
}

/** Shortens a label, because a bar needs room on the same line. */
function shortName(label: string): string {
  return label
    .replace(/^AssumeRoleWithWebIdentity\b/, "assume role")
    .replace(/^discovery document\b/, "discovery")
    .replace(/\(request (\d+)\)$/, "$1");
}

/** The axis that all bars share. */
interface Axis {
  readonly scaleMs: number;
  readonly cells: number;
  readonly limitCell: number;
}

function drawBar(timing: Timing, { scaleMs, cells, limitCell }: Axis, paint: Paint): string {
  const parts = partsOf(timing);
  const total = Math.max(1, Math.min(cells, Math.round((timing.totalMs / scaleMs) * cells)));
  let bar = "";
  for (let cell = 0; cell < cells; cell += 1) {
    // A bar of one cell shows the part that took longest.
    const atMs = ((cell + 0.5) / total) * timing.totalMs;
    const part =
      total === 1
        ? parts.toSorted((a, b) => b.ms - a.ms)[0]
        : (parts.find(({ fromMs, ms }) => atMs < fromMs + ms) ?? parts.at(-1));
    // The limit is drawn over the bar: without colors, nothing else shows it.
    if (cell === limitCell) bar += paint("red", "│");
    else if (cell < total) {
      const [mark, style] = PART_MARKS[part?.name ?? "wait"];
      bar += paint(cell > limitCell && timing.limitMs !== undefined ? "red" : style, mark);
    } else bar += " ";
  }
  return bar;
}
