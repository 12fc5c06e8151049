/** Where the time of a request went, and the bars that show it on a terminal. */
import { isIP } from "node:net";
import type { Timing } from "../../doctor/diagnosis.js";
import { STS_ISSUER_TIMEOUT_MS } from "../../model/sts-limits.js";
import { bareHostname } from "../../runtime/bare-hostname.js";
import { formatDuration } from "../../runtime/time-text.js";
import { clip, type Paint, padEnd, padStart, type Style, widthOf } from "../terminal-text.js";

/** In the order they happen. */
export const PARTS = ["dns", "connect", "tls", "wait", "read"] as const;

export type PartName = (typeof PARTS)[number];

export const PART_TITLES: Readonly<Record<PartName, string>> = {
  dns: "DNS",
  connect: "connect",
  tls: "TLS",
  wait: "wait",
  read: "read",
};

interface TimingPart {
  readonly name: PartName;
  readonly fromMs: number;
  readonly ms: number;
}

/**
 * The parts of a request, which add up to its total. A request that failed spent the rest of its time
 * in the part that it did not finish.
 */
export function partsOf(timing: Timing): TimingPart[] {
  const { dnsMs = 0, connectMs = 0, tlsMs = 0, totalMs } = timing;
  const asked = Math.min(totalMs, dnsMs + connectMs + tlsMs);
  const answered = Math.min(totalMs, Math.max(asked, timing.firstByteMs ?? totalMs));
  const lengths = new Map<PartName, number>([
    ["dns", dnsMs],
    ["connect", connectMs],
    ["tls", tlsMs],
    ["wait", 0],
    ["read", totalMs - answered],
  ]);
  const rest = unfinishedPart(timing);
  lengths.set(rest, (lengths.get(rest) ?? 0) + answered - asked);
  const parts: TimingPart[] = [];
  let fromMs = 0;
  for (const [name, length] of lengths) {
    const ms = Math.min(length, totalMs - fromMs);
    if (ms > 0) parts.push({ name, fromMs, ms });
    fromMs += Math.max(0, ms);
  }
  return parts;
}

const OF_DNS = /^(?:ENOTFOUND|ENODATA|EAI_|timeout)/;

/** The part that gets the time which no other part accounts for. */
function unfinishedPart({ step, url, error, firstByteMs, ...timing }: Timing): PartName {
  // The handshakes of the network check, which run in parallel.
  if (step === "issuer-network" && timing.dnsMs === undefined) return "tls";
  const hasNoAnswer = error !== undefined && firstByteMs === undefined;
  if (!hasNoAnswer || url === undefined || !URL.canParse(url)) return "wait";
  const { protocol, hostname } = new URL(url);
  const isName = isIP(bareHostname({ hostname })) === 0;
  if (timing.connectMs === undefined) {
    // Where a proxy resolves names, only the error code distinguishes the two.
    const isUnresolved = timing.dnsMs === undefined && isName && OF_DNS.test(error);
    return isUnresolved ? "dns" : "connect";
  }
  return protocol === "https:" && timing.tlsMs === undefined ? "tls" : "wait";
}

/** The result of a request in a word: its status, its error, or nothing. */
export function outcomeOf({ status, error }: Timing): string {
  return error ?? (status === undefined ? "" : String(status));
}

const MARKS: Readonly<Record<PartName, readonly [mark: string, style: Style]>> = {
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
    (name) => `${paint(MARKS[name][1], MARKS[name][0])} ${PART_TITLES[name]}`,
  );
  const rows = timings.map((timing, index) => {
    const bar = drawBar(timing, { scaleMs, cells, limitCell }, paint);
    const figure = padStart(formatDuration(timing.totalMs), figureWidth);
    const outcome = clip(outcomeOf(timing), outcomeWidth);
    const name = padEnd(clip(names[index] ?? "", labelWidth), labelWidth);
    return [
      `  ${name} ${bar}`,
      isOver(timing) ? paint("red", figure) : figure,
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

/** Only a request with a limit can take too long. */
function isOver({ totalMs, limitMs }: Timing): boolean {
  return limitMs !== undefined && totalMs >= limitMs;
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
      const [mark, style] = MARKS[part?.name ?? "wait"];
      bar += paint(cell > limitCell && timing.limitMs !== undefined ? "red" : style, mark);
    } else bar += " ";
  }
  return bar;
}
