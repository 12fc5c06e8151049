import type { Timing } from "../../doctor/diagnosis.js";
import {
  IDP_LIMIT_MS,
  outcomeOf,
  PART_TITLES,
  PARTS,
  type PartName,
  partsOf,
} from "../doctor/timing-parts.js";
import { formatDuration } from "../duration.js";
import { escapeHtml } from "./escape-html.js";

/** Every request on one axis of time, each with the line at which the other side gives up. */
export function waterfall(timings: readonly Timing[]): string {
  if (timings.length === 0) return "<p>No request was made.</p>";
  const end = Math.max(...timings.map(({ startMs, totalMs }) => startMs + totalMs));
  const scaleMs = Math.max(IDP_LIMIT_MS, end) * 1.08;
  const rows = timings.map((timing) => waterfallRow(timing, scaleMs));
  const used = new Set(timings.flatMap((timing) => partsOf(timing).map(({ name }) => name)));
  return `<div class="table"><table class="waterfall">
<caption>Each bar begins when its request did. The dashed line stands where STS gives up: 5 s after the request began.</caption>
<thead><tr><th scope="col">Request</th><th scope="col" class="axis"><span class="quiet">Time since the run began</span>${axis(scaleMs)}</th><th scope="col" class="figure">Took</th></tr></thead>
<tbody>
${rows.join("\n")}
</tbody></table></div>
${legend(PARTS.filter((name) => used.has(name)))}`;
}

function axis(scaleMs: number): string {
  const stepMs = [500, 1000, 2000, 5000, 10_000].find((step) => scaleMs / step <= 8) ?? 20_000;
  const marks: string[] = [];
  for (let ms = 0; ms <= scaleMs; ms += stepMs) {
    const x = percent(ms, scaleMs);
    marks.push(`<text x="${x}" y="16">${escapeHtml(ms === 0 ? "0" : formatDuration(ms))}</text>`);
  }
  return `<svg aria-hidden="true" focusable="false">${marks.join("")}</svg>`;
}

function waterfallRow(timing: Timing, scaleMs: number): string {
  const { label, url, startMs, totalMs, limitMs = IDP_LIMIT_MS, error } = timing;
  const parts = partsOf(timing);
  const told = parts.map(({ name, ms }) => `${PART_TITLES[name]} ${formatDuration(ms)}`).join(", ");
  const isOver = totalMs >= limitMs;
  const bars = parts.map(({ name, fromMs, ms }) => {
    const place = `x="${percent(startMs + fromMs, scaleMs)}" width="${percent(ms, scaleMs)}"`;
    return `<rect class="${name}" ${place} y="4" height="16"/>`;
  });
  // However short a request was, it has to be seen.
  const least = `<rect class="${parts.at(-1)?.name ?? "wait"}" x="${percent(startMs, scaleMs)}" y="4" width="2" height="16"/>`;
  const limit = percent(startMs + limitMs, scaleMs);
  const line =
    startMs + limitMs <= scaleMs
      ? `<line class="limit" x1="${limit}" x2="${limit}" y1="0" y2="24"/>`
      : "";
  const isBad = isOver || error !== undefined;
  const outcome = outcomeOf(timing);
  const where = url === undefined ? "" : `<br><span class="quiet mono">${escapeHtml(url)}</span>`;
  return `<tr><th scope="row">${escapeHtml(label)}${where}</th><td class="bars"><svg role="img" aria-label="${escapeHtml(
    `${told}; began at ${formatDuration(startMs)}`,
  )}">${least}${bars.join("")}${line}</svg></td><td class="figure${isBad ? " bad" : ""}">${escapeHtml(
    formatDuration(totalMs),
  )}<br><span${isBad ? "" : ' class="quiet"'}>${escapeHtml(outcome)}</span></td></tr>`;
}

function legend(names: readonly PartName[]): string {
  const items = names.map(
    (name) =>
      `<li><svg aria-hidden="true" viewBox="0 0 14 14"><rect class="${name}" width="14" height="14"/></svg>${PART_TITLES[name]}</li>`,
  );
  return `<ul class="legend">${items.join("")}</ul>`;
}

function percent(ms: number, scaleMs: number): string {
  return `${((ms / scaleMs) * 100).toFixed(3)}%`;
}
