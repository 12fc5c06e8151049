/**
 * Runs the command after `--`: with this process's terminal, with every signal, and in an
 * environment that has exactly one source of credentials. `exec` and `emulate` share it.
 */
import { spawn } from "node:child_process";
import { constants, devNull } from "node:os";
import type { Environment } from "../runtime/environment.js";
import { type CommandContext, CommandFailure } from "./command.js";
import { quoted } from "./command-spec.js";

/** Signals to this process that are meant for the child. */
const FORWARDED = [
  "SIGTERM",
  "SIGHUP",
  "SIGINT",
  "SIGQUIT",
  "SIGUSR1",
  "SIGUSR2",
  "SIGWINCH",
] as const;

/** Signals that a terminal sends to the whole foreground group, so the child already gets them. */
const FROM_TERMINAL: readonly string[] = ["SIGINT", "SIGQUIT", "SIGWINCH"];

/** The exit codes of a shell for a command that does not exist, and for one that can't be run (POSIX). */
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;

export interface Child {
  /** Resolves with the exit code, or with 128 and the number of the signal that ended the child. */
  readonly exitCode: Promise<number>;
}

/**
 * Runs a command with this process's input and output, passes signals on to it, and returns its exit
 * code as a shell does. No shell is involved: the command gets its arguments unchanged.
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
 * Variables that an SDK reads before the container-credentials endpoint, or to find it. Inherited ones
 * would take precedence over those of this command, or lead the child to another endpoint.
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
  // botocore reads the files of older tools before it calls a container endpoint.
  "AWS_CREDENTIAL_FILE",
];

const PROXY_VARIABLES = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/** Hosts of the endpoint. A proxy can't reach them, because it runs on another machine. */
const NOT_PROXIED = ["127.0.0.1", "localhost", "::1"];

interface ChildEnvironmentOptions {
  /** Region of the child's clients; `undefined` leaves the inherited variables as they are. */
  readonly region: string | undefined;
  /** Pass the user's AWS files and profile on to the child. */
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
    // On Windows, the names of variables are case-insensitive.
    ([name, value]) => value !== undefined && !removed.has(name.toUpperCase()),
  ) as [string, string][];
  const files = {
    AWS_CONFIG_FILE: configFile ?? devNull,
    // The JavaScript SDK treats an empty string as the default file.
    AWS_SHARED_CREDENTIALS_FILE: devNull,
    // boto 2 also reads its own files before a container endpoint.
    BOTO_CONFIG: devNull,
  };
  return {
    ...Object.fromEntries(kept),
    ...(keepsConfig ? {} : files),
    ...(region !== undefined && { AWS_REGION: region, AWS_DEFAULT_REGION: region }),
    ...withoutProxy(inherited),
    // Without this, Java's default chain uses the instance's role when the endpoint fails.
    AWS_EC2_METADATA_DISABLED: inherited.AWS_EC2_METADATA_DISABLED ?? "true",
    ...credentials,
  };
}

/** Ruby and older SDKs send even loopback requests through a proxy unless `no_proxy` names the host. */
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
