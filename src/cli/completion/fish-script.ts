import { quoteForPosix } from "../../runtime/shell-quote.js";
import type { CompletedCommand, CompletedOption } from "./completed-command.js";

/** For fish 3.0 and later. */
export function fishScript(commands: readonly CompletedCommand[]): string {
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
${commands.flatMap(commandLines).join("\n")}
`;
}

function commandLines({ name, summary, options, argument }: CompletedCommand): string[] {
  const start = "complete -c resilient-sts";
  const inCommand = `${start} -n '__fish_seen_subcommand_from ${name}'`;
  return [
    `${start} -n __fish_use_subcommand -a ${name} -d ${quote(summary)}`,
    ...(argument.length === 0 ? [] : [`${inCommand} -a ${quote(argument.join(" "))}`]),
    ...options.map((option) => `${inCommand} ${optionFlags(option)} -d ${quote(option.help)}`),
  ];
}

function optionFlags({ name, short, value }: CompletedOption): string {
  const names = [...(short === undefined ? [] : [`-s ${short.slice(1)}`]), `-l ${name.slice(2)}`];
  if (value === undefined) return names.join(" ");
  if (value.kind === "file") return [...names, "-r -F"].join(" ");
  if (value.kind === "directory") {
    return [...names, "-x -a '(__fish_complete_directories)'"].join(" ");
  }
  return [
    ...names,
    "-x",
    ...(value.words.length === 0 ? [] : [`-a ${quote(value.words.join(" "))}`]),
  ].join(" ");
}

/** In single quotes, fish knows two escapes: of the quote and of the backslash. */
function quote(text: string): string {
  return quoteForPosix(text.replaceAll("\\", "\\\\")).replaceAll("'\\''", "\\'");
}
