#!/usr/bin/env node
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { safeText } from "../runtime/redact.js";
import { CommandFailure, EXIT, type ExitCode, wrongUsage } from "./command-failure.js";
import { LOOK_COMMAND } from "./doctor/look-messages.js";
import { print } from "./print.js";
import { readArguments } from "./read-arguments.js";
import type { Surroundings } from "./surroundings.js";

const HELP = `Usage: resilient-sts <command> [options]

AWS credentials from an OIDC token that keep coming when the identity provider,
STS or a region does not. The library is imported; see the README.

Commands:
  doctor     say why AssumeRoleWithWebIdentity fails, and who must do what
  explain    explain an error code, a finding or an error text of STS
  exec       run a command in any language with AWS credentials that stay fresh
  serve      serve credentials to other programs of this machine or pod
  credential-process
             print credentials for a profile's credential_process
  emulate    run a local identity provider and STS, with faults on demand

Options:
  -h, --help     print this help; resilient-sts <command> --help tells more
  -v, --version  print the version
`;

type Command = (args: string[], around: Surroundings) => Promise<ExitCode>;

/** Loaded when they are called: `--version` has to be quick. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  doctor: async () => (await import("./doctor/doctor-command.js")).doctorCommand,
  explain: async () => (await import("./explain/explain-command.js")).explainCommand,
  exec: async () => (await import("./exec/exec-command.js")).execCommand,
  serve: async () => (await import("./serve/serve-command.js")).serveCommand,
  "credential-process": async () =>
    (await import("./credential-process/credential-process-command.js")).credentialProcessCommand,
  emulate: async () => (await import("./emulate/emulate-command.js")).emulateCommand,
};

/** Not for people. */
const HIDDEN: typeof COMMANDS = {
  "endpoint-credentials": async () => (await import("./exec/endpoint-command.js")).endpointCommand,
  [LOOK_COMMAND]: async () => (await import("./doctor/look-command.js")).lookCommand,
};

async function main([name = "", ...rest]: string[], around: Surroundings): Promise<ExitCode> {
  const load = new Map(Object.entries({ ...COMMANDS, ...HIDDEN })).get(name);
  if (load !== undefined) return await (await load())(rest, around);
  if (name !== "" && !name.startsWith("-")) {
    const known = Object.keys(COMMANDS).join(", ");
    throw wrongUsage(
      `there is no command ${JSON.stringify(safeText(name, 40))}, only ${known}; see resilient-sts --help`,
    );
  }
  const values = readArguments("", name === "" ? [] : [name, ...rest], {
    help: { type: "boolean", short: "h" },
    version: { type: "boolean", short: "v" },
  });
  if (values.version) await print(around.stdout, `${version()}\n`);
  else await print(values.help ? around.stdout : around.stderr, HELP);
  return values.version || values.help ? EXIT.fine : EXIT.usage;
}

function version(): string {
  // One folder up from the built command, two from its source.
  const places = ["../package.json", "../../package.json"].map(
    (at) => new URL(at, import.meta.url),
  );
  const manifest = readFileSync(places.find((place) => existsSync(place)) ?? "", "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}

const stop = new AbortController();
const removeListeners = (
  [
    ["SIGINT", "stopped by Ctrl-C", EXIT.interrupted],
    ["SIGTERM", "stopped by SIGTERM", EXIT.terminated],
  ] as const
).map(([signal, words, exitCode]) => {
  const onSignal = () => {
    // A second signal does not wait.
    if (stop.signal.aborted) process.exit(exitCode);
    stop.abort(new CommandFailure(words, exitCode));
  };
  process.on(signal, onSignal);
  return () => process.off(signal, onSignal);
});
// A write that fails tells so itself; the event would end the process with a stack.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});

// As it was inherited: a command that `exec` runs gets nothing of what is set below.
const env = { ...process.env };
// The SDK's advice about Node's version is for programs, not for a person at a terminal.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";

const { stdin, stdout, stderr } = process;
const exitCode = await main(process.argv.slice(2), {
  stdin,
  stdout,
  stderr,
  env,
  script: fileURLToPath(import.meta.url),
  signal: stop.signal,
  handOverSignals: () => {
    for (const remove of removeListeners) remove();
  },
}).catch(async (thrown: unknown) => {
  const failure = asFailure(thrown);
  await print(stderr, `resilient-sts: ${safeText(failure.message, 2_000)}\n`).catch(() => {});
  return failure.exitCode;
});
// Timers and sockets may be left; everything that was written is through.
process.exit(exitCode);

function asFailure(thrown: unknown): CommandFailure {
  if (thrown instanceof CommandFailure) return thrown;
  if (stop.signal.reason instanceof CommandFailure) return stop.signal.reason;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  // The library's own words for a setting that makes no sense.
  if (thrown instanceof TypeError && message.startsWith("Expected `")) return wrongUsage(message);
  return new CommandFailure(`this is a fault of the program: ${message}`, EXIT.failed);
}
