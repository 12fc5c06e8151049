/**
 * `resilient-sts completion`: prints a script for bash, zsh or fish, made from the option tables of
 * all commands. A script contains everything that it offers, so that no key press starts this program.
 */
import { quoteForPosix } from "../../runtime/shell-quote.js";
import { EXIT, print, wrongUsage } from "../command.js";
import {
  COMMON_OPTIONS,
  type Command,
  type CommandEntry,
  type CommandSpec,
  defineCommand,
  type OptionSpec,
} from "../command-spec.js";

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;
const SHELLS = Object.keys(SCRIPTS) as (keyof typeof SCRIPTS)[];

const SPEC = {
  name: "completion",
  usage: "SHELL",
  about: `
Prints a script for bash, zsh or fish that completes commands, options and their values, and the
command after the -- of exec and emulate.`,
  groups: { Options: ["help", "version"] },
  options: COMMON_OPTIONS,
  argument: SHELLS,
  examples: [
    ["bash, in ~/.bashrc", "source <(resilient-sts completion bash)"],
    ["zsh, in ~/.zshrc after compinit", "source <(resilient-sts completion zsh)"],
    ["fish", "resilient-sts completion fish > ~/.config/fish/completions/resilient-sts.fish"],
  ],
} as const satisfies CommandSpec;

/** The command that completes these commands. */
export function completionOf(commands: Readonly<Record<string, CommandEntry>>): Command {
  return defineCommand(SPEC, async ({ operands }, { stdout }) => {
    const shell = SHELLS.find((name) => name === operands[0]);
    if (shell === undefined || operands.length > 1) {
      throw wrongUsage(`completion takes the name of one shell: ${SHELLS.join(", ")}`);
    }
    const completed = Object.values(commands).map(async ({ summary, load }) => {
      return completedCommand((await load()).spec, summary);
    });
    await print(stdout, SCRIPTS[shell](await Promise.all(completed)));
    return EXIT.ok;
  });
}

/** A command with what a shell can complete in it. */
interface CompletedCommand {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly CompletedOption[];
  /** Whether a command follows `--`. */
  readonly runsCommand: boolean;
  /** What its own argument can be. */
  readonly argument: readonly string[];
}

/** An option, with its dashes. */
interface CompletedOption {
  readonly name: string;
  readonly short: string | undefined;
  readonly help: string;
  /** `undefined` for an option without a value. */
  readonly value: CompletedValue | undefined;
  readonly isRepeatable: boolean;
}

/** The value of an option. Free text has the kind `words` and no words. */
interface CompletedValue {
  readonly title: string;
  readonly kind: "file" | "directory" | "words";
  readonly words: readonly string[];
}

function completedCommand(spec: CommandSpec, summary: string): CompletedCommand {
  const options = Object.entries(spec.options).map(([name, option]) => ({
    name: `--${name}`,
    short: option.short === undefined ? undefined : `-${option.short}`,
    help: firstSentence(option.help),
    value: option.type === "boolean" ? undefined : completedValue(option),
    isRepeatable: option.multiple ?? false,
  }));
  const { name, runsCommand = false, argument = [] } = spec;
  return { name, summary, options, runsCommand, argument };
}

function completedValue({ value = "VALUE", complete }: OptionSpec): CompletedValue {
  if (complete === "file" || complete === "directory") {
    return { title: value, kind: complete, words: [] };
  }
  const words = complete === "region" ? REGIONS : (complete ?? []);
  return { title: value, kind: "words", words };
}

function firstSentence(text: string): string {
  return /^.*?(?=\.(?:\s|$))/.exec(text)?.[0] ?? text;
}

/** Regions with an STS endpoint (AWS General Reference, "AWS Security Token Service"). */
const REGIONS = [
  ...["us-east-1", "us-east-2", "us-west-1", "us-west-2", "us-gov-east-1", "us-gov-west-1"],
  ...["af-south-1", "ap-east-1", "ap-east-2", "ap-northeast-1", "ap-northeast-2"],
  ...["ap-northeast-3", "ap-south-1", "ap-south-2", "ap-southeast-1", "ap-southeast-2"],
  ...["ap-southeast-3", "ap-southeast-4", "ap-southeast-5", "ap-southeast-7"],
  ...["ca-central-1", "ca-west-1", "cn-north-1", "cn-northwest-1", "eu-central-1"],
  ...["eu-central-2", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-2"],
  ...["eu-west-3", "il-central-1", "me-central-1", "me-south-1", "mx-central-1", "sa-east-1"],
];

/**
 * For bash 3.2, which macOS has, and later. Bash splits the line at `=` and `:`, which the program
 * does not, so the script splits the line itself and strips what bash keeps from the candidates.
 */
function bashScript(commands: readonly CompletedCommand[]): string {
  const runners = commands.filter(({ runsCommand }) => runsCommand).map(({ name }) => name);
  return `# Completion of resilient-sts for bash: source <(resilient-sts completion bash)
_resilient_sts() {
  local line=\${COMP_LINE:0:COMP_POINT} current= option= command= separator= words=() i IFS
  COMPREPLY=()
  read -ra words <<<"$line"
  if [[ $line != *[[:space:]] ]]; then
    current=\${words[\${#words[@]} - 1]}
    unset "words[\${#words[@]} - 1]"
  fi
  for ((i = 1; i < \${#words[@]}; i++)); do
    if [[ \${words[i]} == -- ]]; then
      separator=1
      break
    fi
    if [[ -z $command && \${words[i]} != -* ]]; then command=\${words[i]}; fi
  done
  IFS=$'\\n'
  if [[ -n $separator ]]; then
    case $command in
    ${runners.join(" | ")}) _resilient_sts_child ;;
    esac
    return
  fi
  if [[ $current == --*=* ]]; then
    option=\${current%%=*}
    _resilient_sts_value "\${current#*=}"
    return
  fi
  if ((\${#words[@]} > 1)); then
    option=\${words[\${#words[@]} - 1]}
    if _resilient_sts_value "$current"; then return; fi
  fi
  case $command in
  '') COMPREPLY=($(compgen -W ${listOf([...commands.map(({ name }) => name), "--help", "--version"])} -- "$current")) ;;
${commands.map(bashCommandCase).join("\n")}
  esac
}

# Fails where the option has no value.
_resilient_sts_value() {
  case $command:$option in
${bashValueCases(commands).join("\n")}
  *) return 1 ;;
  esac
  # Bash replaces what follows the last = or : only.
  local kept=\${1%"\${1##*[=:]}"}
  COMPREPLY=("\${COMPREPLY[@]#"$kept"}")
}

_resilient_sts_files() {
  compopt -o filenames 2>/dev/null
  COMPREPLY=($(compgen "$1" -- "$2"))
}

# The command after --, as if the line began with it.
_resilient_sts_child() {
  for ((i = 1; i < COMP_CWORD; i++)); do
    if [[ \${COMP_WORDS[i]} == -- ]]; then break; fi
  done
  if declare -F _command_offset >/dev/null; then
    IFS=$' \\t\\n'
    _command_offset $((i + 1))
  elif ((COMP_CWORD == i + 1)); then
    COMPREPLY=($(compgen -c -- "$current"))
  else
    _resilient_sts_files -f "$current"
  fi
}

complete -F _resilient_sts resilient-sts
`;
}

function bashCommandCase({ name, options, runsCommand, argument }: CompletedCommand): string {
  const words = [
    ...argument,
    ...options.map((option) => option.name),
    ...(runsCommand ? ["--"] : []),
  ];
  return `  ${name}) COMPREPLY=($(compgen -W ${listOf(words)} -- "$current")) ;;`;
}

/** One case for all options with the same values. */
function bashValueCases(commands: readonly CompletedCommand[]): string[] {
  const patterns = new Map<string, string[]>();
  for (const { name, options } of commands) {
    for (const option of options) {
      if (option.value === undefined) continue;
      const action = bashValueAction(option.value);
      patterns.set(action, [...(patterns.get(action) ?? []), `${name}:${option.name}`]);
    }
  }
  return [...patterns].map(([action, options]) => `  ${options.join(" | ")}) ${action} ;;`);
}

function bashValueAction(value: CompletedValue): string {
  if (value.kind === "file") return '_resilient_sts_files -f "$1"';
  if (value.kind === "directory") return '_resilient_sts_files -d "$1"';
  // Free text: the shell offers nothing, not even the options.
  if (value.words.length === 0) return ":";
  return `COMPREPLY=($(compgen -W ${listOf(value.words)} -- "$1"))`;
}

/** `compgen` splits the list at the line breaks of IFS. */
function listOf(words: readonly string[]): string {
  return `$'${words.join("\\n")}'`;
}

/** For zsh's own `_arguments`. Works from a file on `fpath` and when it is sourced. */
function zshScript(commands: readonly CompletedCommand[]): string {
  const lines = commands.map(({ name, summary }) => quoteForPosix(`${name}:${summary}`));
  return `#compdef resilient-sts
# Completion of resilient-sts for zsh: source <(resilient-sts completion zsh)
_resilient_sts() {
  local curcontext=$curcontext state line separator
  local -a described
  local -A opt_args
  _arguments -C \\
    '(- *)'{-h,--help}'[Print this help]' \\
    '(- *)'{-v,--version}'[Print the version]' \\
    '1:command:->command' \\
    '*::argument:->arguments' && return
  case $state in
  command)
    described=(
      ${lines.join("\n      ")}
    )
    _describe -t commands command described
    ;;
  arguments)
    case $line[1] in
${commands.map(zshCommandCase).join("\n")}
    esac
    ;;
  esac
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _resilient_sts "$@"
else
  compdef _resilient_sts resilient-sts
fi
`;
}

function zshCommandCase({ name, options, runsCommand, argument }: CompletedCommand): string {
  const specs = [
    ...options.map(zshOptionSpec),
    ...(argument.length > 0 ? [quoteForPosix(`1:argument:(${argument.join(" ")})`)] : []),
  ];
  const own = `_arguments \\\n        ${specs.join(" \\\n        ")}`;
  if (!runsCommand) return `    ${name})\n      ${own}\n      ;;`;
  return `    ${name})
      separator=\${words[(i)--]}
      if ((separator < CURRENT)); then
        shift separator words
        ((CURRENT -= separator))
        _normal
      else
        ${own.replaceAll("\n", "\n  ")} \\
          '1:separator:(--)'
      fi
      ;;`;
}

function zshOptionSpec({ name, short, help, value, isRepeatable }: CompletedOption): string {
  const text = `[${zshEscaped(help)}]`;
  if (short !== undefined) return `'(- *)'{${short},${name}}${quoteForPosix(text)}`;
  if (value === undefined) return quoteForPosix(`${name}${text}`);
  const repeat = isRepeatable ? "*" : "";
  return quoteForPosix(
    `${repeat}${name}=${text}:${zshEscaped(value.title)}:${zshValueAction(value)}`,
  );
}

function zshValueAction(value: CompletedValue): string {
  if (value.kind === "file") return "_files";
  if (value.kind === "directory") return "_directories";
  return value.words.length === 0 ? " " : `(${value.words.map(zshEscaped).join(" ")})`;
}

/** `_arguments` splits a specification at colons, and ends its explanation at a bracket. */
function zshEscaped(text: string): string {
  return text.replace(/[\\:[\]]/g, "\\$&");
}

/** For fish 3.0 and later. */
function fishScript(commands: readonly CompletedCommand[]): string {
  const runners = commands.filter(({ runsCommand }) => runsCommand).map(({ name }) => name);
  return `# Completion of resilient-sts for fish:
# resilient-sts completion fish > ~/.config/fish/completions/resilient-sts.fish
function __resilient_sts_after_separator
    contains -- -- (commandline -opc); and __fish_seen_subcommand_from ${runners.join(" ")}
end

# The command after --, as if the line began with it.
function __resilient_sts_child
    set -l words (commandline -opc)
    set -l separator (contains -i -- -- $words)
    set -e words[1..$separator]
    complete -C (string join ' ' -- (string escape -- $words) (commandline -ct))
end

complete -c resilient-sts -e
complete -c resilient-sts -f
complete -c resilient-sts -n __fish_use_subcommand -s h -l help -d 'Print this help'
complete -c resilient-sts -n __fish_use_subcommand -s v -l version -d 'Print the version'
complete -c resilient-sts -n __resilient_sts_after_separator -a '(__resilient_sts_child)'
${commands.flatMap(fishCommandLines).join("\n")}
`;
}

function fishCommandLines({ name, summary, options, argument }: CompletedCommand): string[] {
  const start = "complete -c resilient-sts";
  const inCommand = `${start} -n '__fish_seen_subcommand_from ${name}'`;
  return [
    `${start} -n __fish_use_subcommand -a ${name} -d ${fishQuoted(summary)}`,
    ...(argument.length === 0 ? [] : [`${inCommand} -a ${fishQuoted(argument.join(" "))}`]),
    ...options.map(
      (option) => `${inCommand} ${fishOptionFlags(option)} -d ${fishQuoted(option.help)}`,
    ),
  ];
}

function fishOptionFlags({ name, short, value }: CompletedOption): string {
  const names = [...(short === undefined ? [] : [`-s ${short.slice(1)}`]), `-l ${name.slice(2)}`];
  if (value === undefined) return names.join(" ");
  if (value.kind === "file") return [...names, "-r -F"].join(" ");
  if (value.kind === "directory") {
    return [...names, "-x -a '(__fish_complete_directories)'"].join(" ");
  }
  return [
    ...names,
    "-x",
    ...(value.words.length === 0 ? [] : [`-a ${fishQuoted(value.words.join(" "))}`]),
  ].join(" ");
}

/** In single quotes, fish knows two escapes: of the quote and of the backslash. */
function fishQuoted(text: string): string {
  return quoteForPosix(text.replaceAll("\\", "\\\\")).replaceAll("'\\''", "\\'");
}
