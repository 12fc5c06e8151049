/**
 * A command as one table: its options, what `--help` prints, and what a shell completes all come
 * from the same rows, so that none of them can forget one.
 */
import { parseArgs } from "node:util";
import { safeText } from "../runtime/redact.js";
import { wrongUsage } from "./command-failure.js";

/** One option of a command. */
export interface OptionSpec {
  readonly type: "string" | "boolean";
  readonly short?: string;
  readonly multiple?: boolean;
  readonly default?: string;
  /** What stands for the value in `--help`: `ARN`, `FILE`. */
  readonly value?: string;
  /** One sentence or two, without line breaks. */
  readonly help: string;
  /** What a shell offers as the value. */
  readonly complete?: "file" | "directory" | readonly string[];
}

type Options = Readonly<Record<string, OptionSpec>>;

/** A command of the program. */
export interface CommandSpec<O extends Options = Options> {
  readonly name: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  /** What follows the name: `[options] -- command [argument…]`. */
  readonly usage: string;
  /** Paragraphs between the usage and the options. */
  readonly about: string;
  /** Titles and the names of the options below them, in the order of `--help`. */
  readonly groups: Readonly<Record<string, readonly (keyof O & string)[]>>;
  readonly options: O;
  /** Commands to copy, each behind a line that says what it is for. */
  readonly examples: readonly (readonly [what: string, command: string])[];
}

/** Every command has it. */
export const HELP_OPTION = {
  help: { type: "boolean", short: "h", help: "Print this help." },
} as const satisfies Options;

/** The options of a command that runs another one, and that other one, which stands behind `--`. */
export function splitCommand(args: readonly string[]): [own: string[], command: string[]] {
  const separator = args.indexOf("--");
  if (separator === -1) return [[...args], []];
  return [args.slice(0, separator), args.slice(separator + 1)];
}

/** The values of the options; what the command does not know ends it. */
export function readOptions<const O extends Options>(
  { name, options }: CommandSpec<O>,
  args: readonly string[],
) {
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    // Node's message goes on with advice about positional arguments, which no command has.
    const [problem = ""] = (error as Error).message.split(/\. |\n/);
    throw wrongUsage(`${safeText(problem, 200)}; see resilient-sts ${name} --help`);
  }
}

const WIDTH = 80;
const HELP_COLUMN = 27;

/** What `resilient-sts NAME --help` prints. */
export function helpText({ name, usage, about, groups, options, examples }: CommandSpec): string {
  const sections = Object.entries(groups).map(([title, names]) =>
    [`${title}:`, ...names.flatMap((option) => optionLines(option, options[option]))].join("\n"),
  );
  const shown = examples.map(([what, command]) => `  # ${what}\n  ${command}`);
  return `${[
    `Usage: resilient-sts ${name} ${usage}`,
    ...about
      .trim()
      .split(/\n{2,}/)
      .map((paragraph) => wrap(paragraph, WIDTH).join("\n")),
    ...sections,
    `Examples:\n${shown.join("\n\n")}`,
  ].join("\n\n")}\n`;
}

function optionLines(name: string, option: OptionSpec | undefined): string[] {
  if (option === undefined) return [];
  const short = option.short === undefined ? "" : `-${option.short}, `;
  const value = option.value === undefined ? "" : ` ${option.value}`;
  const label = `  ${short}--${name}${value}`;
  const lines = wrap(option.help, WIDTH - HELP_COLUMN);
  const indented = lines.map((line) => " ".repeat(HELP_COLUMN) + line);
  if (label.length > HELP_COLUMN - 2) return [label, ...indented];
  const [first = "", ...rest] = lines;
  return [label.padEnd(HELP_COLUMN) + first, ...rest.map((line) => " ".repeat(HELP_COLUMN) + line)];
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
