/**
 * `resilient-sts serve`: the endpoint of `src/serve` as a program of its own, for a sidecar or a
 * service. It reports when it is ready, and logs the refreshes of each role.
 */
import { createWriteStream } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { CredentialsRefreshedEvent, WebIdentityEvent } from "../../model/events.js";
import { onAbort } from "../../runtime/abort.js";
import { safeText } from "../../runtime/redact.js";
import { quoteForPosix } from "../../runtime/shell-quote.js";
import {
  type CredentialsServer,
  type ServeCredentialsOptions,
  serveCredentials,
} from "../../serve/serve-credentials.js";
import { type CommandContext, CommandFailure, EXIT, print, wrongUsage } from "../command.js";
import { COMMON_OPTIONS, type CommandSpec, defineCommand } from "../command-spec.js";
import { PROVIDER_OPTION_NAMES, PROVIDER_OPTIONS } from "../provider-options.js";
import { RoleProviders } from "../role-provider.js";
import { STORE_OPTION_NAMES, STORE_OPTIONS } from "../shared-store.js";

const SPEC = {
  name: "serve",
  usage: "[options]",
  about: `
Gets AWS credentials from an OIDC token and serves them to every AWS SDK and the AWS CLI over the
container-credentials protocol, on a loopback address and behind a random token for each role.
Runs until SIGTERM or Ctrl-C.`,
  groups: {
    Roles: ["role", ...PROVIDER_OPTION_NAMES, ...STORE_OPTION_NAMES],
    "The server": [
      "listen",
      "token-dir",
      "print-env",
      "ready-fd",
      "ready-file",
      "no-wait",
      "help",
      "version",
    ],
  },
  options: {
    ...PROVIDER_OPTIONS,
    ...STORE_OPTIONS,
    role: {
      type: "string",
      multiple: true,
      value: "NAME=ARN",
      help: "A role and its name in the URL; may be repeated.",
    },
    listen: {
      type: "string",
      value: "ADDRESS",
      default: "127.0.0.1:9912",
      help: "Loopback address and port; port 0 is any free port. Default: 127.0.0.1:9912.",
    },
    "token-dir": {
      type: "string",
      value: "DIRECTORY",
      complete: "directory",
      help: "Private directory for the token file of each role. Programs that use a role must run as the same user.",
    },
    "print-env": {
      type: "string",
      value: "NAME",
      help: "Print the variables that make a program use this role, and exit. Needs the same --listen and --token-dir as the server.",
    },
    "ready-fd": {
      type: "string",
      value: "NUMBER",
      help: "Write a line to this file descriptor when credentials are available.",
    },
    "ready-file": {
      type: "string",
      value: "FILE",
      complete: "file",
      help: "Write this file when credentials are available.",
    },
    "no-wait": {
      type: "boolean",
      help: "Report readiness before credentials are available, and continue if the first refresh fails.",
    },
    ...COMMON_OPTIONS,
  },
  examples: [
    [
      "A sidecar, with the tokens on a volume that both containers mount",
      "resilient-sts serve --role app=arn:aws:iam::123456789012:role/app \\\n    --token-dir /run/aws/tokens",
    ],
    [
      "The variables that the other program needs",
      "resilient-sts serve --print-env app --token-dir /run/aws/tokens",
    ],
  ],
} as const satisfies CommandSpec;

export const SERVE = defineCommand(SPEC, async ({ values }, context) => {
  const { listen, "token-dir": tokenDirectory, "print-env": printedRole } = values;
  if (printedRole !== undefined) {
    await print(context.stdout, variablesOf(printedRole, listen, tokenDirectory));
    return EXIT.ok;
  }
  if (tokenDirectory === undefined) {
    throw wrongUsage(
      "there is no --token-dir; name a private directory in which other programs find the tokens",
    );
  }
  await using roles = await RoleProviders.open(values, context.env, (role, event) =>
    log(role, event, context),
  );
  await using server = await start({ roles: roles.byName, listen, tokenDirectory });
  if (!values["no-wait"]) await roles.firstCredentials(context.signal);
  await announce(server, values, context);
  await untilStopped(context.signal);
  return EXIT.ok;
});

async function start(options: ServeCredentialsOptions): Promise<CredentialsServer> {
  try {
    return await serveCredentials(options);
  } catch (error) {
    if (error instanceof TypeError) throw wrongUsage(error.message);
    const { code = "", message } = error as NodeJS.ErrnoException;
    const problem = {
      EADDRINUSE: "is in use",
      EACCES: "is not allowed for this user",
      EADDRNOTAVAIL: "is not an address of this machine",
    }[code];
    if (problem === undefined) throw new CommandFailure(message, EXIT.failed);
    throw wrongUsage(
      `${safeText(options.listen ?? "", 60)} ${problem}; choose another with --listen`,
    );
  }
}

interface ReadyOptions {
  readonly "ready-fd"?: string | undefined;
  readonly "ready-file"?: string | undefined;
}

async function announce(
  { url }: CredentialsServer,
  { "ready-fd": fd, "ready-file": file }: ReadyOptions,
  { stdout }: CommandContext,
): Promise<void> {
  const line = `resilient-sts: ready at ${url}\n`;
  if (fd !== undefined) await writeTo(readDescriptor(fd), line);
  if (file !== undefined) {
    const next = `${file}.${process.pid}.next`;
    await writeFile(next, line);
    await rename(next, file);
  }
  await print(stdout, line);
}

function readDescriptor(text: string): number {
  if (/^\d{1,5}$/.test(text)) return Number(text);
  throw wrongUsage("--ready-fd takes the number of an open file descriptor, such as 3");
}

function writeTo(fd: number, line: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = createWriteStream("", { fd, autoClose: true });
    stream.on("error", ({ message }) =>
      reject(wrongUsage(`--ready-fd ${fd} can't be written: ${message}`)),
    );
    stream.end(line, resolve);
  });
}

function untilStopped(signal: AbortSignal): Promise<void> {
  // Until then, the server keeps the process alive.
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    onAbort(signal, resolve);
  });
}

/** The script for a POSIX shell. The token stays in its file. */
function variablesOf(name: string, listen: string, directory: string | undefined): string {
  if (directory === undefined) {
    throw wrongUsage("--print-env needs --token-dir: the token is in a file there");
  }
  const [, port = "0"] = /:(\d+)$/.exec(listen) ?? [];
  if (Number(port) === 0) {
    throw wrongUsage(
      "--print-env needs a port in --listen: with port 0, the port differs at each start",
    );
  }
  if (!/^[\w.-]{1,64}$/.test(name)) {
    throw wrongUsage("--print-env takes the name of a role, such as app");
  }
  const host = listen.replace(/^localhost(?=:)/i, "127.0.0.1");
  const variables = {
    AWS_CONTAINER_CREDENTIALS_FULL_URI: `http://${safeText(host)}/v1/roles/${name}`,
    AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: join(resolve(directory), `${name}.token`),
  };
  return Object.entries(variables)
    .map(([variable, value]) => `export ${variable}=${quoteForPosix(value)}\n`)
    .join("");
}

/** Logs each event that concerns the credentials of a role, in one line. */
function log(role: string, event: WebIdentityEvent, { stderr }: CommandContext): void {
  const words = wordsFor(event);
  if (words === undefined) return;
  print(
    stderr,
    `${new Date(event.at).toISOString()} role ${role}: ${safeText(words, 1_000)}\n`,
  ).catch(() => {});
}

function refreshed({ source, attempts, expiresAt }: CredentialsRefreshedEvent): string {
  const until = expiresAt === undefined ? "" : `, valid until ${new Date(expiresAt).toISOString()}`;
  if (source === "store") return `refreshed by another process${until}`;
  return `refreshed after ${attempts === 1 ? "1 attempt" : `${attempts} attempts`}${until}`;
}

function wordsFor(event: WebIdentityEvent): string | undefined {
  switch (event.type) {
    case "credentials.refreshed":
      return refreshed(event);
    case "attempt.failed":
      return `attempt ${event.attempt} failed: ${event.verdict}: ${event.message}`;
    case "refresh.failed":
      return event.servedFromCache
        ? `not refreshed, the cached credentials stay in use: ${event.code}: ${event.message}`
        : `no valid credentials: ${event.code}: ${event.message}`;
    case "store.failed":
      return `the ${event.store} store failed (${event.operation}): ${event.message}`;
    default:
      return undefined;
  }
}
