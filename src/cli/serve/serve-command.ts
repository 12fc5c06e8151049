import { createWriteStream } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { quoteForPosix } from "../../doctor/shell-quote.js";
import type { WebIdentityEvent } from "../../model/events.js";
import { safeText } from "../../runtime/redact.js";
import { type CredentialsServer, serveCredentials } from "../../serve/serve-credentials.js";
import { CommandFailure, EXIT, type ExitCode, wrongUsage } from "../command-failure.js";
import { type CommandSpec, HELP_OPTION, helpText, readOptions } from "../command-spec.js";
import { print } from "../print.js";
import {
  PROVIDER_OPTION_NAMES,
  PROVIDER_OPTIONS,
  readProviderSettings,
  readRoles,
} from "../provider-options.js";
import { createRoleProvider, credentialsFailure } from "../role-provider.js";
import { openSharedStore, STORE_OPTION_NAMES, STORE_OPTIONS } from "../shared-store.js";
import type { Surroundings } from "../surroundings.js";

export const SPEC = {
  name: "serve",
  summary: "serve credentials to other programs of this machine or pod",
  usage: "[options]",
  about: `
Gets AWS credentials from an OIDC token and serves them to every AWS SDK and the AWS CLI over the
container-credentials protocol, on a loopback address and behind a random token for each role.
Runs until SIGTERM or Ctrl-C.`,
  groups: {
    Roles: ["role", ...PROVIDER_OPTION_NAMES, ...STORE_OPTION_NAMES],
    "The server": ["listen", "token-dir", "print-env", "ready-fd", "ready-file", "no-wait", "help"],
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
      help: "Loopback address and port; port 0 takes any that is free. Default: 127.0.0.1:9912.",
    },
    "token-dir": {
      type: "string",
      value: "DIRECTORY",
      complete: "directory",
      help: "Private folder for a token file of each role. Programs that use a role must run as the same user.",
    },
    "print-env": {
      type: "string",
      value: "NAME",
      help: "Print the variables that make a program use this role, and end. Needs the same --listen and --token-dir as the server.",
    },
    "ready-fd": {
      type: "string",
      value: "NUMBER",
      help: "Write a line to this file descriptor when there are credentials.",
    },
    "ready-file": {
      type: "string",
      value: "FILE",
      complete: "file",
      help: "Write this file when there are credentials.",
    },
    "no-wait": {
      type: "boolean",
      help: "Be ready before there are credentials, and go on when the first ones fail.",
    },
    ...HELP_OPTION,
  },
  examples: [
    [
      "A sidecar: the folder is a volume that the other container mounts too",
      "resilient-sts serve --role app=arn:aws:iam::123456789012:role/app --token-dir /run/aws/tokens",
    ],
    [
      "What the other program needs",
      "resilient-sts serve --print-env app --token-dir /run/aws/tokens",
    ],
  ],
} as const satisfies CommandSpec;

/** `resilient-sts serve`. */
export async function serveCommand(args: string[], around: Surroundings): Promise<ExitCode> {
  const values = readOptions(SPEC, args);
  if (values.help) {
    await print(around.stdout, helpText(SPEC));
    return EXIT.fine;
  }
  const directory = values["token-dir"];
  if (values["print-env"] !== undefined) {
    await print(around.stdout, variablesOf(values["print-env"], values.listen, directory));
    return EXIT.fine;
  }
  if (directory === undefined) {
    throw wrongUsage(
      "there is no --token-dir: name a private folder in which other programs find the tokens",
    );
  }
  const settings = await readProviderSettings(values, around.env);
  const roles = readRoles(values, settings);
  await using shared = await openSharedStore(values, around.env);
  const { store } = shared;
  const providers = Object.fromEntries(
    [...roles].map(([name, arn]) => [
      name,
      createRoleProvider(arn, { ...settings, store }, (event) => report(name, event, around)),
    ]),
  );
  try {
    await using server = await started(values.listen, () =>
      serveCredentials({ roles: providers, listen: values.listen, tokenDirectory: directory }),
    );
    if (!values["no-wait"]) {
      await Promise.all(
        Object.values(providers).map((provide) => provide({ abortSignal: around.signal })),
      ).catch((error: unknown) => {
        throw credentialsFailure(error);
      });
    }
    await announce(server, values, around);
    await untilStopped(around.signal);
    return EXIT.fine;
  } finally {
    await Promise.all(Object.values(providers).map((provider) => provider[Symbol.asyncDispose]()));
  }
}

async function started(
  listen: string,
  start: () => Promise<CredentialsServer>,
): Promise<CredentialsServer> {
  try {
    return await start();
  } catch (error) {
    if (error instanceof TypeError) throw wrongUsage(error.message);
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "EADDRINUSE" || code === "EACCES" || code === "EADDRNOTAVAIL") {
      const problem = {
        EADDRINUSE: "is taken",
        EACCES: "is not for this user",
        EADDRNOTAVAIL: "is not an address of this machine",
      }[code];
      throw wrongUsage(`${safeText(listen, 60)} ${problem}; choose another with --listen`);
    }
    throw new CommandFailure(message, EXIT.failed);
  }
}

interface ReadyOptions {
  readonly "ready-fd"?: string | undefined;
  readonly "ready-file"?: string | undefined;
}

async function announce(
  { url }: CredentialsServer,
  { "ready-fd": fd, "ready-file": file }: ReadyOptions,
  { stdout }: Surroundings,
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
  // The process lives for the server's sake until then.
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** The script for a POSIX shell. The token stays in its file. */
function variablesOf(name: string, listen: string, directory: string | undefined): string {
  if (directory === undefined) {
    throw wrongUsage("--print-env needs --token-dir: the token is in a file there");
  }
  const [, port = "0"] = /:(\d+)$/.exec(listen) ?? [];
  if (Number(port) === 0) {
    throw wrongUsage("--print-env needs a port in --listen: port 0 is another at each start");
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

/** One line for each change that an operator wants in the log. */
function report(role: string, event: WebIdentityEvent, { stderr }: Surroundings): void {
  const words = wordsFor(event);
  if (words === undefined) return;
  print(
    stderr,
    `${new Date(event.at).toISOString()} role ${role}: ${safeText(words, 1_000)}\n`,
  ).catch(() => {});
}

function wordsFor(event: WebIdentityEvent): string | undefined {
  switch (event.type) {
    case "credentials.refreshed":
      if (event.source === "store") {
        return `refreshed by another process, valid until ${event.expiration?.toISOString()}`;
      }
      return `refreshed after ${event.attempts === 1 ? "1 attempt" : `${event.attempts} attempts`}, valid until ${event.expiration?.toISOString()}`;
    case "attempt.failed":
      return `attempt ${event.attempt} failed: ${event.verdict}: ${event.message}`;
    case "refresh.failed":
      return event.servedFromCache
        ? `not refreshed, the cached credentials go on: ${event.code}: ${event.message}`
        : `no valid credentials: ${event.code}: ${event.message}`;
    case "store.failed":
      return `the ${event.store} store failed (${event.operation}): ${event.message}`;
    default:
      return undefined;
  }
}
