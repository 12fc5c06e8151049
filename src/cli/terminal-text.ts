/**
 * Text for a terminal: its width, line breaks, colors, ASCII where the locale allows nothing else, and
 * a line that shows progress. Text from outside stays on one line, without characters that a terminal
 * acts on.
 */
import { stripVTControlCharacters, styleText } from "node:util";
import type { Environment } from "../runtime/environment.js";
import { printable } from "../runtime/redact.js";
import type { Terminal } from "./command.js";

export type Style = Parameters<typeof styleText>[0];

/** Gives text a style, or returns it unchanged. */
export type Paint = (style: Style, text: string) => string;

export const plain: Paint = (_style, text) => text;

const colored: Paint = (style, text) => styleText(style, text, { validateStream: false });

/** Colors for a terminal that has them: https://no-color.org, and `FORCE_COLOR` for pipes. */
export function paintFor(
  stream: { readonly isTTY?: boolean | undefined },
  env: Readonly<Record<string, string | undefined>>,
): Paint {
  if (env.NO_COLOR) return plain;
  if (env.FORCE_COLOR) return env.FORCE_COLOR === "0" ? plain : colored;
  return stream.isTTY === true && env.TERM !== "dumb" ? colored : plain;
}

/** Adapts text to what its destination can show. */
export type Fit = (text: string) => string;

/** ASCII replacements of the same width for the signs of the reports. */
const IN_ASCII: Readonly<Record<string, string>> = {
  "✓": "+",
  "✗": "x",
  "·": ".",
  "–": "-",
  "—": "-",
  "→": ">",
  "▶": ">",
  "…": "~",
  "░": ".",
  "▒": ":",
  "▓": "=",
  "█": "#",
  "▆": "%",
  "│": "|",
};

const asItIs: Fit = (text) => text;
const inAscii: Fit = (text) => text.replace(/[^\p{ASCII}]/gu, (sign) => IN_ASCII[sign] ?? "?");

/**
 * Decides by the locale (POSIX: LC_ALL, LC_CTYPE, LANG). Without a locale, a terminal gets ASCII and a
 * pipe or file UTF-8.
 */
export function fitFor(
  stream: { readonly isTTY?: boolean | undefined },
  env: Environment,
  platform: NodeJS.Platform = process.platform,
): Fit {
  return showsUnicode(stream.isTTY === true, env, platform) ? asItIs : inAscii;
}

function showsUnicode(isTTY: boolean, env: Environment, platform: NodeJS.Platform): boolean {
  const locale = [env.LC_ALL, env.LC_CTYPE, env.LANG].find((value) => value);
  if (locale !== undefined && !/utf-?8/i.test(locale)) return false;
  if (!isTTY) return true;
  // Windows has no locale variables, and its older console lacks these signs.
  if (platform === "win32") return Boolean(env.WT_SESSION ?? env.TERM_PROGRAM ?? locale);
  return locale !== undefined && env.TERM !== "linux" && env.TERM !== "dumb";
}

/** The longest text that a report shows, in characters. */
const MAX_TEXT = 4000;

/** Characters without a column of their own: they join the one before them, or are invisible. */
const ZERO_WIDTH = /[\p{Mn}\p{Me}\p{Cf}\u1160-\u11ff]/u;
/** Characters of two columns: East Asian ones (UAX #11) and emoji. */
const DOUBLE_WIDTH =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}\p{Emoji_Presentation}]/u;
/** How many columns a text takes, without its colors. */
export function widthOf(text: string): number {
  let width = 0;
  for (const letter of stripVTControlCharacters(text)) width += columnsOf(letter);
  return width;
}

function columnsOf(letter: string): number {
  if (ZERO_WIDTH.test(letter)) return 0;
  return DOUBLE_WIDTH.test(letter) ? 2 : 1;
}

/** Text of any origin on one line, with invisible characters made visible. */
function shown(text: string): string {
  return printable(text, MAX_TEXT);
}

export function padEnd(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - widthOf(text)));
}

export function padStart(text: string, width: number): string {
  return " ".repeat(Math.max(0, width - widthOf(text))) + text;
}

/** Plain text cut to a width, with an ellipsis in the middle, because both ends of a name identify it. */
export function clip(text: string, width: number): string {
  const whole = shown(text);
  if (widthOf(whole) <= width) return whole;
  const letters = [...whole];
  const head = Math.ceil((width - 1) / 2);
  return `${fitting(letters, head)}…${fitting(letters.toReversed(), width - 1 - head, true)}`;
}

/** As many of the letters as fit. */
function fitting(letters: readonly string[], width: number, isReversed = false): string {
  const kept: string[] = [];
  let used = 0;
  for (const letter of letters) {
    used += columnsOf(letter);
    if (used > width) break;
    kept.push(letter);
  }
  return (isReversed ? kept.reverse() : kept).join("");
}

/**
 * Breaks plain text into indented lines of a width. A longer word stays whole, because a URL that is
 * cut can't be copied.
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

/** Text whose lines after the first are commands, which stay whole so that they can be pasted. */
export function wrapRemedy(text: string, width: number, indent: string): string[] {
  const [prose = "", ...commands] = text.split("\n");
  return [...wrap(prose, width, indent), ...commands.map((line) => `${indent}  ${shown(line)}`)];
}

/** Characters that JSON does not escape and a terminal acts on or hides: C1 controls, marks that reorder text. */
const UNESCAPED = /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu;

/** JSON for people and programs: the same data, without characters that a terminal acts on. */
export function jsonText(value: unknown, indent = 2): string {
  return `${JSON.stringify(value, null, indent).replace(UNESCAPED, escaped)}\n`;
}

/** Escapes each UTF-16 unit, as JSON does. */
function escaped(mark: string): string {
  const units = Array.from({ length: mark.length }, (_, at) => mark.charCodeAt(at));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
}

const FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏";
const FRAMES_IN_ASCII = "|/-\\";
const FRAME_MS = 100;
const CLEAR = "\r\u001b[2K";

/** The start or end of a step. */
interface Step {
  readonly label: string;
  readonly state: "started" | "finished";
}

/** One line on a terminal that shows the steps in progress. Prints nothing anywhere else. */
export class ProgressLine implements Disposable {
  readonly #terminal: Terminal;
  readonly #paint: Paint;
  readonly #fit: Fit;
  readonly #frames: readonly string[];
  readonly #running = new Map<string, number>();
  readonly #startedAt = performance.now();
  readonly #timer: NodeJS.Timeout | undefined;
  #frame = 0;

  constructor(terminal: Terminal, paint: Paint, env: Environment) {
    this.#terminal = terminal;
    this.#paint = paint;
    this.#fit = fitFor(terminal, env);
    this.#frames = [...(this.#fit(FRAMES) === FRAMES ? FRAMES : FRAMES_IN_ASCII)];
    // A dumb terminal can't clear a line.
    if (!terminal.isTTY || env.TERM === "dumb") return;
    this.#timer = setInterval(() => this.#draw(), FRAME_MS).unref();
  }

  /** Adds or removes a step. */
  readonly show = ({ label: text, state }: Step): void => {
    const label = clip(text, 100);
    const before = this.#running.get(label) ?? 0;
    const now = before + (state === "started" ? 1 : -1);
    if (now > 0) this.#running.set(label, now);
    else this.#running.delete(label);
  };

  #draw(): void {
    this.#frame = (this.#frame + 1) % this.#frames.length;
    const elapsed = `${((performance.now() - this.#startedAt) / 1000).toFixed(1)} s`;
    // One column stays free, because some terminals wrap a line in the last column.
    const room = (this.#terminal.columns || 80) - elapsed.length - 4;
    const frame = this.#paint("cyan", this.#frames[this.#frame] ?? "");
    const what = this.#fit(namesIn([...this.#running.keys()], Math.max(1, room)));
    this.#terminal.write(`${CLEAR}${frame} ${what} ${this.#paint("dim", elapsed)}`);
  }

  [Symbol.dispose](): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#terminal.write(CLEAR);
  }
}

/** As many complete names as fit, and the number of the others. */
function namesIn(names: readonly string[], width: number): string {
  for (let shown = names.length; shown > 0; shown -= 1) {
    const more = names.length - shown;
    const text = names.slice(0, shown).join(", ") + (more > 0 ? ` and ${more} more` : "");
    if (widthOf(text) <= width) return text;
  }
  return clip(names[0] ?? "checking", width);
}
