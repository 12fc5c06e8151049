import type { Diagnosis } from "../../doctor/diagnosis.js";
import type { Finding, Severity } from "../../findings.js";
import { formatDuration } from "../duration.js";
import { clip, padEnd, widthOf, wrap } from "../layout.js";
import type { Paint, Style } from "../paint.js";
import { GROUP_TITLES, GROUPS, groupOf } from "./finding-group.js";
import { goodNews } from "./good-news.js";
import { keyRows } from "./key-rows.js";
import { timingBars } from "./timing-bars.js";
import { VERDICT_WORDS } from "./verdict-words.js";

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
  const lines = [
    paint(style, `${mark} ${diagnosis.verdict.toUpperCase()}  ${VERDICT_WORDS[diagnosis.verdict]}`),
  ];
  if (cause === null) return lines;
  const hanging = (label: string, text: string) => {
    const [first = "", ...rest] = wrap(text, width, " ".repeat(10));
    return [paint("bold", padEnd(label, 10)) + first.trimStart(), ...rest];
  };
  return [
    ...lines,
    "",
    ...hanging("Cause", cause.title),
    ...wrap(cause.detail, width, " ".repeat(10)),
    ...hanging("Remedy", cause.remedy),
    paint("dim", `${" ".repeat(10)}${cause.id} (${cause.severity})`),
  ];
}

function checkLines(diagnosis: Diagnosis, width: number, paint: Paint): string[] {
  const news = goodNews(diagnosis);
  return GROUPS.flatMap((group, index) => {
    const findings = diagnosis.findings.filter((finding) => groupOf(finding) === group);
    const good = news[group].flatMap((text) => marked("✓", "green", text, width, paint));
    const bad = findings.flatMap((finding) =>
      findingLines(finding, diagnosis.rootCause, width, paint),
    );
    const body = [...bad, ...good];
    const shown = body.length > 0 ? body : [paint("dim", `  – ${notSeen(diagnosis, group)}`)];
    return [...(index > 0 ? [""] : []), paint("bold", GROUP_TITLES[group]), ...shown];
  });
}

function notSeen({ facts }: Diagnosis, group: (typeof GROUPS)[number]): string {
  if (group !== "role") return "not looked at";
  return facts.assumeRole === undefined ? "STS was not asked for credentials" : "no credentials";
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
  return [
    ...marked(mark, style, `${finding.title} (${finding.severity})`, width, paint),
    ...wrap(finding.detail, width, "    ").map((line) => paint("dim", line)),
    ...(finding.remedy === "" ? [] : wrap(`→ ${finding.remedy}`, width, "    ")),
  ];
}

function marked(mark: string, style: Style, text: string, width: number, paint: Paint): string[] {
  const [first = "", ...rest] = wrap(text, width, "    ");
  return [`  ${paint(style, mark)} ${first.trimStart()}`, ...rest];
}

function settingLines({ facts }: Diagnosis, width: number, paint: Paint): string[] {
  const set = facts.settings.filter(({ value }) => value !== undefined);
  const nameWidth = Math.max(0, ...set.map(({ name }) => widthOf(name)));
  const rows = set.map(({ name, value = "", source }) => {
    const from = ` (${source})`;
    const room = Math.max(20, width - nameWidth - 4 - widthOf(from));
    return `  ${padEnd(name, nameWidth)}  ${clip(value, room)}${paint("dim", from)}`;
  });
  const cut =
    facts.unfinished.length > 0
      ? `; cut off when the time was up: ${facts.unfinished.join(", ")}`
      : "";
  return [
    ...(rows.length > 0 ? [paint("bold", "Settings"), ...rows, ""] : []),
    paint("dim", `Looked at ${facts.startedAt}, took ${formatDuration(facts.elapsedMs)}${cut}.`),
  ];
}
