/** The doctor's report for a terminal. */
import type { Diagnosis } from "../../doctor/diagnosis.js";
import { explainCommand } from "../../model/errors.js";
import type { Finding, Severity } from "../../model/findings.js";
import type { KeyRow } from "../../model/issuer-report.js";
import { safeText } from "../../runtime/redact.js";
import { formatDuration } from "../../runtime/time-text.js";
import {
  clip,
  type Paint,
  padEnd,
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
  kidOf,
  verdictSentence,
  whyNotChecked,
} from "./report-words.js";
import { timingBars } from "./timings.js";

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
/** Both ends of a name that is cut shorter don't identify it. */
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
