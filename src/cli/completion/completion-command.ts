/**
 * `resilient-sts completion`: prints a script for bash, zsh or fish (`shell-scripts.ts`), made of the
 * option tables of all commands.
 */
import { EXIT, print, wrongUsage } from "../command.js";
import {
  COMMON_OPTIONS,
  type Command,
  type CommandEntry,
  type CommandSpec,
  defineCommand,
  type OptionSpec,
} from "../command-spec.js";
import {
  bashScript,
  type CompletedCommand,
  type CompletedValue,
  fishScript,
  zshScript,
} from "./shell-scripts.js";

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;
const SHELLS = Object.keys(SCRIPTS) as (keyof typeof SCRIPTS)[];

const SPEC = {
  name: "completion",
  usage: "SHELL",
  about: `
Prints a script that completes commands, options and their values in bash, zsh or fish, and the
command after -- of exec and emulate.`,
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
