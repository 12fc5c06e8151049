import { stripVTControlCharacters } from "node:util";
import { printable } from "../runtime/redact.js";

/** Longest piece of text that a report shows. */
const MAX_TEXT = 4000;

/** Marks that take no column: they join the letter before, or nobody sees them. */
const ZERO_WIDTH = /[\p{Mn}\p{Me}\p{Cf}\u1160-\u11ff]/u;
/** Letters of two columns: East Asian ones (UAX #11) and emoji. */
const DOUBLE_WIDTH =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}\p{Emoji_Presentation}]/u;
/** How many columns a text takes, colours aside. */
export function widthOf(text: string): number {
  let width = 0;
  for (const letter of stripVTControlCharacters(text)) width += columnsOf(letter);
  return width;
}

function columnsOf(letter: string): number {
  if (ZERO_WIDTH.test(letter)) return 0;
  return DOUBLE_WIDTH.test(letter) ? 2 : 1;
}

/** Anybody's text on one line, in the columns that it seems to take. */
function shown(text: string): string {
  return printable(text, MAX_TEXT);
}

export function padEnd(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - widthOf(text)));
}

export function padStart(text: string, width: number): string {
  return " ".repeat(Math.max(0, width - widthOf(text))) + text;
}

/** Plain text cut to a width, with an ellipsis in its middle: both ends of a name tell it apart. */
export function clip(text: string, width: number): string {
  const whole = shown(text);
  if (widthOf(whole) <= width) return whole;
  const letters = [...whole];
  const head = Math.ceil((width - 1) / 2);
  return `${fitting(letters, head)}…${fitting(letters.toReversed(), width - 1 - head, true)}`;
}

/** As many of the letters as fit. */
function fitting(letters: readonly string[], width: number, isReversed = false): string {
  const taken: string[] = [];
  let used = 0;
  for (const letter of letters) {
    used += columnsOf(letter);
    if (used > width) break;
    taken.push(letter);
  }
  return (isReversed ? taken.reverse() : taken).join("");
}

/**
 * Plain text as lines of a width, each with the indent. A word that is longer stays whole: a URL
 * that was cut cannot be copied.
 */
export function wrap(text: string, width: number, indent = ""): string[] {
  const room = Math.max(20, width - widthOf(indent));
  const lines: string[] = [];
  let line = "";
  for (const word of shown(text).split(/\s+/)) {
    if (line !== "" && widthOf(line) + 1 + widthOf(word) > room) {
      lines.push(indent + line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  if (line !== "") lines.push(indent + line);
  return lines;
}

/** Text whose lines after the first are commands: those stay whole, and to be pasted as they are. */
export function wrapRemedy(text: string, width: number, indent: string): string[] {
  const [prose = "", ...commands] = text.split("\n");
  return [...wrap(prose, width, indent), ...commands.map((line) => `${indent}  ${shown(line)}`)];
}
