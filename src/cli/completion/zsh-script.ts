import { quoteForPosix as quote } from "../../runtime/shell-quote.js";
import type { CompletedCommand, CompletedOption, CompletedValue } from "./completed-command.js";

/** For zsh's own `_arguments`. Works from a file on `fpath` and when it is sourced. */
export function zshScript(commands: readonly CompletedCommand[]): string {
  const lines = commands.map(({ name, summary }) => quote(`${name}:${summary}`));
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
${commands.map(commandCase).join("\n")}
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

function commandCase({ name, options, runsCommand, argument }: CompletedCommand): string {
  const specs = [
    ...options.map(optionSpec),
    ...(argument.length > 0 ? [quote(`1:argument:(${argument.join(" ")})`)] : []),
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

function optionSpec({ name, short, help, value, isRepeatable }: CompletedOption): string {
  const text = `[${escaped(help)}]`;
  if (short !== undefined) return `'(- *)'{${short},${name}}${quote(text)}`;
  if (value === undefined) return quote(`${name}${text}`);
  const repeat = isRepeatable ? "*" : "";
  return quote(`${repeat}${name}=${text}:${escaped(value.title)}:${actionOf(value)}`);
}

function actionOf(value: CompletedValue): string {
  if (value.kind === "file") return "_files";
  if (value.kind === "directory") return "_directories";
  return value.words.length === 0 ? " " : `(${value.words.map(escaped).join(" ")})`;
}

/** `_arguments` splits a specification at colons, and ends its explanation at a bracket. */
function escaped(text: string): string {
  return text.replace(/[\\:[\]]/g, "\\$&");
}
