import type { Diagnosis } from "../../doctor/diagnosis.js";
import { explainCommand } from "../../model/errors.js";
import type { Finding, Severity } from "../../model/findings.js";
import { formatDuration } from "../../runtime/time-text.js";
import { padEnd, widthOf, wrap, wrapRemedy } from "../layout.js";
import type { Paint, Style } from "../paint.js";
import { GROUP_TITLES, GROUPS, type Group, groupOf } from "./finding-group.js";
import { followsFrom } from "./follows-from.js";
import { goodNews } from "./good-news.js";
import { keyRows } from "./key-rows.js";
import { timingBars } from "./timing-bars.js";
import { verdictSentence } from "./verdict-words.js";

const VERDICTS: Readonly<Record<Diagnosis["verdict"], readonly [mark: string, style: Style]>> = {
  healthy: ["✓", ["bold", "green"]],
  degraded: ["!", ["bold", "yellow"]],
  broken: ["✗", ["bold", "red"]],
};

const SEVERITY_MARKS: Readonly<Record<Severity, readonly [mark: string, style: Style]>> = {
  fatal: ["✗", "red"],
  suspect: ["!", "yellow"],
  advice: ["!", "cyan"],
  info: ["·", "dim"],
};

const MAX_WIDTH = 120;

/** The report for a terminal: what is wrong, who mends it, then everything that was looked at. */
export function terminalReport(diagnosis: Diagnosis, columns: number, paint: Paint): string {
  const width = Math.max(40, Math.min(MAX_WIDTH, columns));
  const { facts } = diagnosis;
  const title = (text: string) => paint("bold", text);
  const lines = [
    ...verdictLines(diagnosis, width, paint),
    "",
    ...checkLines(diagnosis, width, paint),
  ];
  const bars = timingBars(diagnosis.timings, width, paint);
  if (bars.length > 0) lines.push("", title("Timings"), ...bars);
  const keys = facts.issuer?.keys ?? [];
  if (keys.length > 0) lines.push("", title("Keys of the issuer"), ...keyRows(keys, width, paint));
  lines.push("", ...settingLines(diagnosis, width, paint));
  return `${lines.join("\n")}\n`;
}

function verdictLines(diagnosis: Diagnosis, width: number, paint: Paint): string[] {
  const [mark, style] = VERDICTS[diagnosis.verdict];
  const cause = diagnosis.rootCause;
  const head = `${mark} ${diagnosis.verdict.toUpperCase()}  `;
  const [first = "", ...more] = wrap(verdictSentence(diagnosis), width, " ".repeat(head.length));
  const lines = [head + first.trimStart(), ...more].map((line) => paint(style, line));
  if (cause === null) return lines;
  const indent = " ".repeat(10);
  const hanging = (label: string, [first = "", ...rest]: readonly string[]) => {
    return [paint("bold", padEnd(label, 10)) + first.trimStart(), ...rest];
  };
  return [
    ...lines,
    "",
    ...hanging("Cause", wrap(cause.title, width, indent)),
    ...wrap(cause.detail, width, indent),
    ...hanging("Remedy", wrapRemedy(cause.remedy, width, indent)),
    paint("dim", `${indent}${cause.id} (${cause.severity})`),
    ...wrap(`Details: ${explainCommand(cause.id)}`, width, indent).map((line) =>
      paint("dim", line),
    ),
  ];
}

function checkLines(diagnosis: Diagnosis, width: number, paint: Paint): string[] {
  const news = goodNews(diagnosis);
  const isIssuerAlone = diagnosis.facts.token === undefined;
  const groups = GROUPS.flatMap((group) => {
    const findings = diagnosis.findings.filter((finding) => groupOf(finding) === group);
    const good = news[group].flatMap((text) => marked("✓", "green", text, width, paint));
    const bad = findings.flatMap((finding) =>
      findingLines(finding, diagnosis.rootCause, width, paint),
    );
    const body = [...bad, ...good];
    if (body.length === 0 && isIssuerAlone) return [];
    const shown = body.length > 0 ? body : [paint("dim", `  – ${notSeen(diagnosis, group)}`)];
    return [[paint("bold", GROUP_TITLES[group]), ...shown]];
  });
  return groups.flatMap((lines, index) => (index > 0 ? ["", ...lines] : lines));
}

function notSeen({ facts }: Diagnosis, group: Group): string {
  const isAsked = facts.assumeRole !== undefined;
  switch (group) {
    case "issuer":
      return facts.issuer === undefined ? "no issuer is known" : "not looked at";
    case "key":
      return facts.issuer === undefined ? "not looked at" : "the issuer's keys could not be read";
    case "role":
      return isAsked ? "STS gave no answer" : "STS was not asked for credentials";
    default:
      return "not looked at";
  }
}

function findingLines(
  finding: Finding,
  cause: Finding | null,
  width: number,
  paint: Paint,
): string[] {
  const [mark, style] = SEVERITY_MARKS[finding.severity];
  if (cause?.id === finding.id && cause.detail === finding.detail) {
    return marked(mark, style, `${finding.title} (the cause, see above)`, width, paint);
  }
  const doesFollow = followsFrom(finding, cause);
  const weight = doesFollow ? "follows from the cause" : finding.severity;
  const remedy = doesFollow ? "" : finding.remedy;
  return [
    ...marked(mark, style, `${finding.title} (${weight})`, width, paint),
    ...wrap(finding.detail, width, "    ").map((line) => paint("dim", line)),
    ...(remedy === "" ? [] : wrapRemedy(`→ ${remedy}`, width, "    ")),
  ];
}

function marked(mark: string, style: Style, text: string, width: number, paint: Paint): string[] {
  const [first = "", ...rest] = wrap(text, width, "    ");
  return [`  ${paint(style, mark)} ${first.trimStart()}`, ...rest];
}

function settingLines({ facts }: Diagnosis, width: number, paint: Paint): string[] {
  const set = facts.settings.filter(({ value }) => value !== undefined);
  const nameWidth = Math.max(0, ...set.map(({ name }) => widthOf(name)));
  const indent = " ".repeat(nameWidth + 4);
  const rows = set.flatMap(({ name, value = "", source }) => {
    const from = paint("dim", `(${source})`);
    // Whole, to be copied; a line of its own for where it is from is the price.
    const [first = "", ...rest] = wrap(value, width, indent);
    const head = `  ${padEnd(name, nameWidth)}  ${first.trimStart()}`;
    const isShort = rest.length === 0 && widthOf(head) + 1 + widthOf(from) <= width;
    return isShort ? [`${head} ${from}`] : [head, ...rest, indent + from];
  });
  const cut =
    facts.unfinished.length > 0
      ? `; cut off when the time was up: ${facts.unfinished.join(", ")}`
      : "";
  const footer = `Looked at ${facts.startedAt}, took ${formatDuration(facts.elapsedMs)}${cut}.`;
  return [
    ...(rows.length > 0 ? [paint("bold", "Settings"), ...rows, ""] : []),
    ...wrap(footer, width).map((line) => paint("dim", line)),
  ];
}
