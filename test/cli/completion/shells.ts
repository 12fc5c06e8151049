import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { runCli } from "../run-cli.js";

const run = promisify(execFile);

export type ShellName = "bash" | "zsh" | "fish";

/** A shell that has loaded the script of `resilient-sts completion`. */
export interface CompletingShell extends Disposable {
  /** The working directory of the completions. */
  readonly folder: string;
  /** What the shell offers at the end of a line, in alphabetical order. */
  candidates(line: string): Promise<string[]>;
}

export async function startShell(shell: ShellName): Promise<CompletingShell> {
  const temporary = temporaryFolder();
  const folder = temporary.path;
  const script = join(folder, `.completion.${shell}`);
  const { stdout } = await runCli(["completion", shell]);
  await writeFile(script, stdout);
  const program = join(folder, `.candidates.${shell}`);
  await writeFile(program, PROGRAMS[shell]);
  const options = { bash: ["--norc", "--noprofile"], zsh: ["-f"], fish: ["--no-config"] }[shell];
  return {
    folder,
    async candidates(line) {
      const env = { PATH: process.env.PATH, HOME: folder, TERM: "dumb", LC_ALL: "C.UTF-8" };
      const args = [...options, program, script, line];
      const { stdout } = await run(shell, args, { cwd: folder, env });
      const found = stdout.split(/\r?\n/).filter((word) => word !== "");
      return [...new Set(found)].toSorted();
    },
    [Symbol.dispose]: () => temporary[Symbol.dispose](),
  };
}

/** Bash: the contents of COMPREPLY after the completion function ran, with the words as bash splits them. */
const BASH = String.raw`
source "$1"
COMP_LINE=$2 COMP_POINT=${"$"}{#2}
COMP_WORDS=($(sed -E 's/([=:])/ \1 /g' <<<"$2"))
if [[ $2 == *[=:' '] ]]; then COMP_WORDS+=(""); fi
COMP_CWORD=$((${"$"}{#COMP_WORDS[@]} - 1))
$(complete -p resilient-sts | sed -E 's/.*-F ([^ ]+).*/\1/') resilient-sts
printf '%s\n' "${"$"}{COMPREPLY[@]}"
`;

const FISH = `
source $argv[1]
complete -C $argv[2] | string replace -r '\\t.*' ''; or true
`;

/** Zsh completes only in its line editor, so this presses the tab key in a pseudo-terminal. */
const ZSH = String.raw`
zmodload zsh/zpty
cat >$1.setup <<'SETUP'
PROMPT= RPROMPT=
autoload -U compinit
compinit -u -D
bindkey '^I' complete-word
zstyle ':completion:*' insert-tab false
mark() { print -r - '<mark>' }
compprefuncs=(mark)
comppostfuncs=(mark exit)
compadd() {
  if [[ ${"$"}{@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then
    builtin compadd "$@"
    return
  fi
  local -a hits
  builtin compadd -A hits "$@"
  (( $#hits )) || return 1
  print -rl - $hits
  builtin compadd "$@"
}
SETUP
zpty terminal zsh -f -i
zpty -w terminal "source $1.setup; source $1; print ready"
local line
while zpty -r terminal line && [[ $line != ready* ]]; do :; done
zpty -w -n terminal "$2"$'\t'
local output
while zpty -r terminal line; do output+=$line; done
print -r - ${"$"}{${"$"}{output#*<mark>}%<mark>*}
`;

const PROGRAMS = { bash: BASH, zsh: ZSH, fish: FISH } as const;
