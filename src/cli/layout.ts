import { stripVTControlCharacters } from "node:util";
import { printable } from "../redact.js";

/** Longest piece of text that a report shows. */
const MAX_TEXT = 2000;

/** How many columns a text takes, colours aside. */
export function widthOf(text: string): number {
  return [...stripVTControlCharacters(text)].length;
}

export function padEnd(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - widthOf(text)));
}

export function padStart(text: string, width: number): string {
  return " ".repeat(Math.max(0, width - widthOf(text))) + text;
}

/** Plain text cut to a width, with an ellipsis in its middle: both ends of a name tell it apart. */
export function clip(text: string, width: number): string {
  const letters = [...printable(text, MAX_TEXT)];
  if (letters.length <= width) return letters.join("");
  const head = Math.ceil((width - 1) / 2);
  return [
    ...letters.slice(0, head),
    "…",
    ...letters.slice(letters.length - (width - 1 - head)),
  ].join("");
}

/**
 * Plain text as lines of a width, each with the indent. A word that is longer stays whole: a URL
 * that was cut cannot be copied.
 */
export function wrap(text: string, width: number, indent = ""): string[] {
  const room = Math.max(20, width - widthOf(indent));
  const lines: string[] = [];
  let line = "";
  for (const word of printable(text, MAX_TEXT).split(/\s+/)) {
    if (line !== "" && widthOf(line) + 1 + widthOf(word) > room) {
      lines.push(indent + line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  if (line !== "") lines.push(indent + line);
  return lines;
}
