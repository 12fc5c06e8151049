import { styleText } from "node:util";

/** Who acts in a line; each has a color of its own. */
export type Speaker = "issuer" | "stock" | "resilient" | "boto3" | "aws" | "serve";

/** What a line means, which decides its color. */
export type Mood = "plain" | "bad" | "good";

/** Writes the demo's lines. */
export interface Printer {
  /** A heading or a line between the events. */
  text(line?: string, style?: "bold" | "dim"): void;
  /** One event, with the time since {@link Printer.startClock}. */
  event(speaker: Speaker, what: string, mood?: Mood): void;
  /** Rows of a label and its values, in columns. */
  table(rows: readonly (readonly string[])[]): void;
  /** Sets the time in front of events to zero. */
  startClock(): void;
  elapsedMs(): number;
}

type Style = Parameters<typeof styleText>[0];

const SPEAKER_STYLE: Record<Speaker, Style> = {
  issuer: "magenta",
  stock: "yellow",
  resilient: "cyan",
  boto3: "yellow",
  aws: "yellow",
  serve: "cyan",
};
const MOOD_STYLE: Record<Mood, Style | undefined> = {
  plain: undefined,
  bad: "red",
  good: "green",
};

/** Longer lines are hard to read, even on a wide terminal. */
const MAX_WIDTH = 110;
const INDENT = " ".repeat("[ 0.0 s] resilient  ".length);

/** Breaks lines only on a terminal, and uses colors only there and without NO_COLOR. */
export function createPrinter(output: NodeJS.WriteStream): Printer {
  // hasColors() reads NO_COLOR, FORCE_COLOR, TERM and others.
  const colored = output.isTTY === true && output.hasColors();
  const paint = (style: Style | undefined, text: string) =>
    colored && style !== undefined ? styleText(style, text) : text;
  const write = (line: string) => output.write(`${line}\n`);
  // Read for every line, because a window may be resized.
  const width = () => (output.isTTY ? Math.min(output.columns || 80, MAX_WIDTH) : undefined);
  let zero = performance.now();
  const elapsedMs = () => performance.now() - zero;

  return {
    text(line = "", style) {
      for (const part of wrap(line, width())) write(paint(style, part));
    },
    event(speaker, what, mood = "plain") {
      const time = paint("dim", `[${(elapsedMs() / 1000).toFixed(1).padStart(4)} s]`);
      const name = paint(SPEAKER_STYLE[speaker], speaker.padEnd(9));
      const parts = what.split("\n").flatMap((line) => wrap(line, width(), INDENT.length));
      const [first = "", ...rest] = parts.map((part) => paint(MOOD_STYLE[mood], part));
      write(`${time} ${name}  ${first}`);
      for (const part of rest) write(INDENT + part);
    },
    table(rows) {
      const widths = rows.reduce<number[]>(
        (widest, row) => row.map((cell, index) => Math.max(widest[index] ?? 0, cell.length)),
        [],
      );
      for (const [index, row] of rows.entries()) {
        const line = row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("   ");
        write(paint(index === 0 ? "bold" : undefined, `  ${line.trimEnd()}`));
      }
    },
    startClock() {
      zero = performance.now();
    },
    elapsedMs,
  };
}

/** Breaks at blanks; a word longer than the line stays whole, so that it can be copied. */
function wrap(text: string, width: number | undefined, indent = 0): string[] {
  if (width === undefined || text.length + indent <= width) return [text];
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length + indent > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}

/** `310 ms` under a second, `4.2 s` above it. */
export function duration(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
