/**
 * Runs the command after `--`: with this process's terminal, with every signal, and in an
 * environment that has exactly one source of credentials. `exec` and `emulate` share it.
 */
import { spawn } from "node:child_process";
import { constants, devNull } from "node:os";
import type { Environment } from "../runtime/environment.js";
import { type CommandContext, CommandFailure } from "./command.js";
import { quoted } from "./option-values.js";

/** Signals that a supervisor or a person sends to the command, and that are meant for the child. */
const FORWARDED = [
  "SIGTERM",
  "SIGHUP",
  "SIGINT",
  "SIGQUIT",
  "SIGUSR1",
  "SIGUSR2",
  "SIGWINCH",
] as const;

/** Signals that a terminal sends to the whole foreground group: the child has them already. */
const FROM_TERMINAL: readonly string[] = ["SIGINT", "SIGQUIT", "SIGWINCH"];

/** What a shell reports for a command that is not there, and for one that can't be run (POSIX). */
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;

export interface Child {
  /** Resolves with the exit code, or with 128 and the number of the signal that ended the child. */
  readonly exitCode: Promise<number>;
}

/**
 * Runs a command with this process's input and output, passes signals on to it, and reports its end
 * as a shell does. The command is not run by a shell: its arguments reach it as they were given.
 *
 * @throws CommandFailure when the command can't be started.
 */
export async function runChild(
  [command = "", ...args]: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  { stdin, stdout, stderr }: Pick<CommandContext, "stdin" | "stdout" | "stderr">,
): Promise<Child> {
  const child = spawn(command, args, { stdio: "inherit", env, windowsHide: false });
  const hasTerminal = [stdin, stdout, stderr].some(({ isTTY }) => isTTY === true);
  const listeners = FORWARDED.map((signal) => {
    const forward = () => {
      if (!hasTerminal || !FROM_TERMINAL.includes(signal)) child.kill(signal);
    };
    process.on(signal, forward);
    return () => process.off(signal, forward);
  });
  const ended = new Promise<number>((resolve) => {
    child.once("close", (code, signal) => {
      for (const remove of listeners) remove();
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (error: NodeJS.ErrnoException) => {
      for (const remove of listeners) remove();
      reject(startFailure(command, error));
    });
  });
  return { exitCode: ended };
}

function startFailure(command: string, { code = "unknown error" }: NodeJS.ErrnoException) {
  const named = quoted(command);
  if (code === "ENOENT") {
    return new CommandFailure(`there is no command ${named} on the PATH`, NOT_FOUND);
  }
  return new CommandFailure(`the command ${named} can't be started: ${code}`, NOT_EXECUTABLE);
}

/**
 * Variables that some SDK reads before the container-credentials endpoint, or for it: inherited ones
 * would win over this command's, or send the child somewhere else.
 */
const CREDENTIAL_VARIABLES = [
  ...["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"],
  ...["AWS_CREDENTIAL_EXPIRATION", "AWS_ACCOUNT_ID"],
  // The AWS SDK for Java 1.x and Hadoop.
  ...["AWS_ACCESS_KEY", "AWS_SECRET_KEY"],
  ...["AWS_PROFILE", "AWS_DEFAULT_PROFILE"],
  ...["AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_WEB_IDENTITY_TOKEN"],
  "AWS_ROLE_SESSION_NAME",
  ...["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"],
  ...["AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"],
  // botocore looks for the files of older tools before it asks a container endpoint.
  "AWS_CREDENTIAL_FILE",
];

const PROXY_VARIABLES = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/** Hosts of the endpoint that no proxy can reach: a proxy is another machine. */
const NOT_PROXIED = ["127.0.0.1", "localhost", "::1"];

interface ChildEnvironmentOptions {
  /** Region of the child's clients; `undefined` leaves the inherited variables as they are. */
  readonly region: string | undefined;
  /** Leave the user's AWS files and profile to the child. */
  readonly keepsConfig: boolean;
  /** Config file made for the child, with a profile for each role. */
  readonly configFile: string | undefined;
  /** Variables of the child's one source of credentials, such as {@link CredentialsServer.env}. */
  readonly credentials: Readonly<Record<string, string>>;
}

/** The child's environment: the inherited one, with one source of credentials. */
export function childEnvironment(
  inherited: Environment,
  { region, keepsConfig, configFile, credentials }: ChildEnvironmentOptions,
): Record<string, string> {
  const removed = new Set(
    CREDENTIAL_VARIABLES.filter((name) => !(keepsConfig && name.endsWith("PROFILE"))),
  );
  const kept = Object.entries(inherited).filter(
    // Windows does not tell cases apart.
    ([name, value]) => value !== undefined && !removed.has(name.toUpperCase()),
  ) as [string, string][];
  const files = {
    AWS_CONFIG_FILE: configFile ?? devNull,
    // The empty string would mean the usual file to the JavaScript SDK.
    AWS_SHARED_CREDENTIALS_FILE: devNull,
    // boto 2's own files come before a container endpoint too.
    BOTO_CONFIG: devNull,
  };
  return {
    ...Object.fromEntries(kept),
    ...(keepsConfig ? {} : files),
    ...(region !== undefined && { AWS_REGION: region, AWS_DEFAULT_REGION: region }),
    ...withoutProxy(inherited),
    // Java's default chain would go on to the instance's role if the endpoint ever failed.
    AWS_EC2_METADATA_DISABLED: inherited.AWS_EC2_METADATA_DISABLED ?? "true",
    ...credentials,
  };
}

/** Ruby and older SDKs send even loopback requests to a proxy unless `no_proxy` names the host. */
function withoutProxy(inherited: Environment): Record<string, string> {
  if (PROXY_VARIABLES.every((name) => !inherited[name])) return {};
  const present = ["NO_PROXY", "no_proxy"].filter((name) => inherited[name] !== undefined);
  const names = present.length === 0 ? ["NO_PROXY", "no_proxy"] : present;
  return Object.fromEntries(
    names.map((name) => {
      const hosts = (inherited[name] ?? "").split(",").filter((host) => host.trim() !== "");
      return [name, [...hosts, ...NOT_PROXIED.filter((host) => !hosts.includes(host))].join(",")];
    }),
  );
}
