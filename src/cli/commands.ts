/** The commands of the program, and how the arguments select one. */
import { safeText } from "../runtime/redact.js";
import {
  type CommandContext,
  type CommandFailure,
  EXIT,
  type ExitCode,
  INTERNAL_COMMANDS,
  print,
  wrongUsage,
} from "./command.js";
import {
  COMMON_OPTIONS,
  type Command,
  type CommandEntry,
  nearestName,
  readOptions,
  versionOf,
} from "./command-spec.js";

export const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  doctor: {
    summary: "say why AssumeRoleWithWebIdentity fails, and how to fix it",
    load: async () => (await import("./doctor/doctor-command.js")).DOCTOR,
  },
  explain: {
    summary: "explain an error code, a finding or an error text of STS",
    load: async () => (await import("./explain/explain-command.js")).EXPLAIN,
  },
  exec: {
    summary: "run a command with AWS credentials that stay fresh",
    load: async () => (await import("./exec/exec-command.js")).EXEC,
  },
  serve: {
    summary: "serve credentials to other programs on this machine or pod",
    load: async () => (await import("./serve/serve-command.js")).SERVE,
  },
  "credential-process": {
    summary: "print credentials for a profile's credential_process",
    load: async () =>
      (await import("./credential-process/credential-process-command.js")).CREDENTIAL_PROCESS,
  },
  emulate: {
    summary: "run a local identity provider and STS, and simulate faults",
    load: async () => (await import("./emulate/emulate-command.js")).EMULATE,
  },
  completion: {
    summary: "print a completion script for bash, zsh or fish",
    load: async () => (await import("./completion/completion-command.js")).completionOf(COMMANDS),
  },
};

const INTERNAL: Readonly<Record<string, () => Promise<Command["run"]>>> = {
  [INTERNAL_COMMANDS.endpoint]: async () =>
    (await import("./exec/endpoint-command.js")).endpointCommand,
  [INTERNAL_COMMANDS.diagnosis]: async () =>
    (await import("./doctor/diagnosis-process.js")).diagnosisProcessCommand,
};

/** Runs the command that the arguments name, or prints the help or the version. */
export async function runProgram(
  args: readonly string[],
  context: CommandContext,
): Promise<ExitCode> {
  const [name = "", ...rest] = args;
  const internal = Object.hasOwn(INTERNAL, name) ? INTERNAL[name] : undefined;
  if (internal !== undefined) return await (await internal())(rest, context);
  const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (entry !== undefined) return await (await entry.load()).run(rest, context);
  if (name !== "" && !name.startsWith("-")) throw unknownCommand(name);
  const { values } = readOptions({ name: "", options: COMMON_OPTIONS }, args);
  if (values.version) {
    await print(context.stdout, `${versionOf(context.script)}\n`);
    return EXIT.ok;
  }
  await print(values.help ? context.stdout : context.stderr, programHelp());
  return values.help ? EXIT.ok : EXIT.usage;
}

function unknownCommand(name: string): CommandFailure {
  const names = Object.keys(COMMANDS);
  const near = nearestName(name, names);
  const end =
    near === undefined
      ? `the commands are ${names.join(", ")}; see resilient-sts --help`
      : `did you mean ${near}? See resilient-sts --help`;
  return wrongUsage(`there is no command ${JSON.stringify(safeText(name, 40))}; ${end}`);
}

function programHelp(): string {
  const lines = Object.entries(COMMANDS).map(
    ([name, { summary }]) => `  ${name.padEnd(20)}${summary}`,
  );
  return `Usage: resilient-sts <command> [options]

AWS credentials from OIDC tokens, even while the identity provider, STS or a
region fails.

Commands:
${lines.join("\n")}

Options:
  -h, --help          print this help; <command> --help explains a command
  -v, --version       print the version

Examples:
  # Why does this workload get no credentials?
  resilient-sts doctor

  # A job that runs longer than its credentials are valid
  resilient-sts exec --role-arn ARN -- terraform apply
`;
}
