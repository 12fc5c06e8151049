import type { CompletedCommand, CompletedValue } from "./completed-command.js";

/**
 * For bash 3.2, which macOS has, and later. Bash splits the line at `=` and `:`, which the program
 * does not, so the script splits the line itself and strips what bash keeps from the candidates.
 */
export function bashScript(commands: readonly CompletedCommand[]): string {
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
${commands.map(commandCase).join("\n")}
  esac
}

# Fails where the option has no value.
_resilient_sts_value() {
  case $command:$option in
${valueCases(commands).join("\n")}
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

function commandCase({ name, options, runsCommand, argument }: CompletedCommand): string {
  const words = [
    ...argument,
    ...options.map((option) => option.name),
    ...(runsCommand ? ["--"] : []),
  ];
  return `  ${name}) COMPREPLY=($(compgen -W ${listOf(words)} -- "$current")) ;;`;
}

/** One case for all options with the same values. */
function valueCases(commands: readonly CompletedCommand[]): string[] {
  const patterns = new Map<string, string[]>();
  for (const { name, options } of commands) {
    for (const option of options) {
      if (option.value === undefined) continue;
      const action = valueAction(option.value);
      patterns.set(action, [...(patterns.get(action) ?? []), `${name}:${option.name}`]);
    }
  }
  return [...patterns].map(([action, options]) => `  ${options.join(" | ")}) ${action} ;;`);
}

function valueAction(value: CompletedValue): string {
  if (value.kind === "file") return '_resilient_sts_files -f "$1"';
  if (value.kind === "directory") return '_resilient_sts_files -d "$1"';
  // Free text: nothing to offer, and no other candidates either.
  if (value.words.length === 0) return ":";
  return `COMPREPLY=($(compgen -W ${listOf(value.words)} -- "$1"))`;
}

/** `compgen` splits the list at the line breaks of IFS. */
function listOf(words: readonly string[]): string {
  return `$'${words.join("\\n")}'`;
}
