import type { Severity } from "../../model/findings.js";
import { type Markup, markup } from "./markup.js";

/** What a mark stands for: a finding, something in order, or nothing that was looked at. */
export type Standing = Severity | "in order" | "not looked at";

const MARKS: Readonly<Record<Standing, readonly [mark: string, tone: string]>> = {
  fatal: ["✗", "bad"],
  suspect: ["!", "warn"],
  advice: ["!", "note"],
  info: ["·", "quiet"],
  "in order": ["✓", "good"],
  "not looked at": ["–", "quiet"],
};

/** A sign and a colour, and for who sees neither the word. */
export function severityMark(standing: Standing): Markup {
  const [mark, tone] = MARKS[standing];
  return markup`<span class="mark ${tone}" role="img" aria-label="${standing}">${mark}</span>`;
}
