/**
 * A command as one table. Parsing, `--help` and the completion of shells all use the same rows, so
 * that none of them can miss an option. This file also reads the kinds of values that several commands
 * accept: times, regions, URLs.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { safeText } from "../runtime/redact.js";
import { formatDuration } from "../runtime/time-text.js";
import { type CommandContext, EXIT, type ExitCode, print, wrongUsage } from "./command.js";

/** One option of a command. */
export interface OptionSpec {
  readonly type: "string" | "boolean";
  readonly short?: string;
  readonly multiple?: boolean;
  readonly default?: string;
  /** The placeholder for the value in `--help`: `ARN`, `FILE`. */
  readonly value?: string;
  /** One or two sentences without line breaks. Shells show the first one too. */
  readonly help: string;
  /** What a shell offers as the value. */
  readonly complete?: "file" | "directory" | "region" | readonly string[];
}

type Options = Readonly<Record<string, OptionSpec>>;

/** The table of one command. */
export interface CommandSpec<O extends Options = Options> {
  readonly name: string;
  /** What follows the name: `[options] -- command [argument...]`. */
  readonly usage: string;
  /** Paragraphs between the usage and the options. */
  readonly about: string;
  /** Titles and the names of the options below them, in the order of `--help`. */
  readonly groups: Readonly<Record<string, readonly (keyof O & string)[]>>;
  readonly options: O;
  /** Whether a command to run follows `--`. */
  readonly runsCommand?: boolean;
  /** For a command with an argument of its own: what a shell offers for it. */
  readonly argument?: readonly string[];
  /** Commands to copy, each below a line that says what it does. */
  readonly examples: readonly (readonly [what: string, command: string])[];
}

/** The parsed options of a call, and what follows them. */
export interface CommandCall<O extends Options> {
  readonly values: ReturnType<typeof readOptions<O>>["values"];
  /** The words of the command's own argument, or the command after `--` with its arguments. */
  readonly operands: readonly string[];
}

/** A command: its table, and what runs it. */
export interface Command {
  readonly spec: CommandSpec;
  run(args: readonly string[], context: CommandContext): Promise<ExitCode>;
}

/** A command whose code is loaded when the command is called. */
export interface CommandEntry {
  /** One line for the list of commands, and for shells. */
  readonly summary: string;
  load(): Promise<Command>;
}

/** Options of every command, and of the program. */
export const COMMON_OPTIONS = {
  help: { type: "boolean", short: "h", help: "Print this help." },
  version: { type: "boolean", short: "v", help: "Print the version." },
} as const satisfies Options;

/** Makes a command from its table and its function. `--help` and `--version` do not call the function. */
export function defineCommand<const O extends Options>(
  spec: CommandSpec<O>,
  run: (call: CommandCall<O>, context: CommandContext) => Promise<ExitCode>,
): Command {
  const table: CommandSpec = { ...spec };
  return {
    spec: table,
    async run(args, context) {
      const { values, operands } = readOptions(spec, args);
      const { help, version }: { help?: unknown; version?: unknown } = values;
      if (help !== true && version !== true) return await run({ values, operands }, context);
      await print(context.stdout, help ? helpText(table) : `${versionOf(context.script)}\n`);
      return EXIT.ok;
    },
  };
}

/** The published program is one folder below the manifest; its source and the build for tests are two. */
export function versionOf(script: string): string {
  const files = ["../package.json", "../../package.json"].map((path) =>
    join(dirname(script), path),
  );
  const manifest = readFileSync(files.find((file) => existsSync(file)) ?? "", "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}

/** @throws CommandFailure for anything that the table does not have. */
export function readOptions<const O extends Options>(
  spec: Pick<CommandSpec<O>, "name" | "options" | "runsCommand" | "argument">,
  args: readonly string[],
) {
  const separator = spec.runsCommand ? args.indexOf("--") : -1;
  const own = separator === -1 ? [...args] : args.slice(0, separator);
  const see = `see resilient-sts ${spec.name === "" ? "" : `${spec.name} `}--help`;
  if (separator !== -1 && separator === args.length - 1) {
    throw wrongUsage(`there is no command after --; ${see}`);
  }
  try {
    const { values, positionals } = parseArgs({
      args: own,
      options: spec.options,
      strict: true,
      allowPositionals: spec.argument !== undefined,
    });
    const operands = separator === -1 ? positionals : args.slice(separator + 1);
    return { values, operands };
  } catch (error) {
    const { message } = error as Error;
    const unknown = /^Unknown option '--?([^']*)'/.exec(message)?.[1];
    if (unknown !== undefined) {
      const near = nearestName(unknown, Object.keys(spec.options));
      const end = near === undefined ? `; ${see}` : `; did you mean --${near}? ${capitalized(see)}`;
      throw wrongUsage(`there is no option --${safeText(unknown, 40)}${end}`);
    }
    // Node's message continues with advice about positional arguments that does not apply here.
    const [problem = ""] = message.split(/\. |\n/);
    throw wrongUsage(`${safeText(problem, 200)}; ${see}`);
  }
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Reads the text of an option. The option's name is for the error. */
type Reader<Value> = (flag: string, text: string) => Value;

/** The value of an option, or `undefined` if the option was not given. */
export function readOption<Flag extends string, Value>(
  values: { readonly [Name in Flag]?: string | undefined },
  flag: Flag,
  read: Reader<Value>,
): Value | undefined {
  const text = values[flag];
  return text === undefined ? undefined : read(flag, text);
}

export function notEmpty(flag: string, text: string): string {
  if (text.trim() === "") throw wrongUsage(`--${flag} is empty; give it a value or leave it out`);
  return text;
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** A reader for `500ms`, `30s`, `5m`, `12h` or a number of seconds, which returns milliseconds. */
export function durationFrom(minMs: number, maxMs: number): Reader<number> {
  return (flag, text) => {
    const [, digits, unit = "s"] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)?$/.exec(text) ?? [];
    const ms = digits === undefined ? Number.NaN : Number(digits) * (UNITS[unit] ?? Number.NaN);
    if (ms >= minMs && ms <= maxMs) return ms;
    throw wrongUsage(
      `--${flag} takes a time from ${formatDuration(minMs)} to ${formatDuration(maxMs)}, such as 30s`,
    );
  };
}

/** A region name is a label of host names (RFC 1123, section 2.1). */
export function regionName(flag: string, text: string): string {
  const region = text.trim();
  if (/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(region)) return region;
  throw wrongUsage(`--${flag} takes the name of an AWS region, such as eu-west-1`);
}

/** Region names from an option that may be repeated, and whose values may be lists with commas. */
export function regionNames(flag: string, texts: readonly string[] = []): string[] {
  return texts.flatMap((text) => text.split(",")).map((text) => regionName(flag, text));
}

/** Returns the text unchanged, because issuers are compared character by character. */
export function httpUrl(flag: string, text: string): string {
  // A browser accepts `https:example.com` as a URL; issuers and SDKs do not.
  const url = /^https?:\/\//i.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  if (url?.username === "" && url.password === "") return text;
  throw wrongUsage(
    `--${flag} takes a URL with https:// and without a password, such as https://example.com`,
  );
}

/** Text from the command line or the environment, quoted for an error. */
export function quoted(text: string, maxLength = 200): string {
  return JSON.stringify(safeText(text, maxLength));
}

/** Splits a text at the first mark. Without a mark, the second part is `undefined`. */
export function splitOnce(text: string, mark: string): [string, string | undefined] {
  const at = text.indexOf(mark);
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

const WIDTH = 80;
const HELP_COLUMN = 27;

/** What `resilient-sts NAME --help` prints. */
function helpText({ name, usage, about, groups, options, examples }: CommandSpec): string {
  const sections = Object.entries(groups).map(([title, names]) =>
    [`${title}:`, ...names.flatMap((option) => optionLines(option, options[option]))].join("\n"),
  );
  const shown = examples.map(([what, command]) => `  # ${what}\n  ${command}`);
  return `${[
    `Usage: resilient-sts ${name} ${usage}`,
    ...about
      .trim()
      .split(/\n{2,}/)
      .map((paragraph) => wrapWords(paragraph, WIDTH).join("\n")),
    ...sections,
    `Examples:\n${shown.join("\n\n")}`,
  ].join("\n\n")}\n`;
}

function optionLines(name: string, option: OptionSpec | undefined): string[] {
  if (option === undefined) return [];
  const short = option.short === undefined ? "" : `-${option.short}, `;
  const value = option.value === undefined ? "" : ` ${option.value}`;
  const label = `  ${short}--${name}${value}`;
  const lines = wrapWords(option.help, WIDTH - HELP_COLUMN);
  const indented = lines.map((line) => " ".repeat(HELP_COLUMN) + line);
  if (label.length > HELP_COLUMN - 2) return [label, ...indented];
  const [first = "", ...rest] = lines;
  return [label.padEnd(HELP_COLUMN) + first, ...rest.map((line) => " ".repeat(HELP_COLUMN) + line)];
}

function wrapWords(text: string, width: number): string[] {
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

/** The name that the user probably meant: it starts with the given one, or is two typing errors away. */
export function nearestName(given: string, names: readonly string[]): string | undefined {
  const text = given.toLowerCase();
  if (text.length < 2) return undefined;
  const longer = names.find((name) => name.startsWith(text));
  if (longer !== undefined) return longer;
  const limit = Math.min(2, Math.floor(text.length / 2));
  const [nearest] = names
    .map((name) => ({ name, errors: typingErrors(text, name) }))
    .filter(({ errors }) => errors <= limit)
    .sort((a, b) => a.errors - b.errors);
  return nearest?.name;
}

/** The number of letters added, left out, replaced or swapped with their neighbor (optimal string alignment). */
function typingErrors(given: string, meant: string): number {
  const rows = [Array.from({ length: meant.length + 1 }, (_, index) => index)];
  for (let i = 1; i <= given.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= meant.length; j += 1) {
      const isSame = given[i - 1] === meant[j - 1];
      const isSwapped = given[i - 1] === meant[j - 2] && given[i - 2] === meant[j - 1];
      const at = (back: number, column: number) => rows[i - back]?.[column] ?? 0;
      row[j] = Math.min(
        at(1, j) + 1,
        (row[j - 1] ?? 0) + 1,
        at(1, j - 1) + (isSame ? 0 : 1),
        isSwapped ? at(2, j - 2) + 1 : Number.POSITIVE_INFINITY,
      );
    }
    rows.push(row);
  }
  return rows.at(-1)?.[meant.length] ?? 0;
}
