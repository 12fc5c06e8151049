/**
 * What every command receives, and how it ends. A command is a function of its arguments and a
 * {@link CommandContext}: it resolves with its exit code, or throws a {@link CommandFailure} for one
 * line on standard error.
 */
import type { Readable, Writable } from "node:stream";
import type { Environment } from "../runtime/environment.js";
import { redact } from "../runtime/redact.js";

/** The names of the commands that only this program runs, in a process of their own. */
export const INTERNAL_COMMANDS = {
  endpoint: "endpoint-credentials",
  diagnosis: "diagnosis-process",
} as const;

/** Exit codes. They are part of the command line's interface. */
export const EXIT = {
  ok: 0,
  /** The doctor found something fatal or suspect. */
  found: 1,
  /** STS or the issuer refused: `exec`, `serve` and `credential-process`. */
  refused: 1,
  usage: 2,
  /** The command itself failed. */
  failed: 3,
  /** There is no token to send. */
  noToken: 3,
  /** The time limit or the last attempt was reached. */
  outOfTime: 4,
  interrupted: 130,
  /** The reader of the output has ended (`| head`): what a shell reports after SIGPIPE. */
  pipeClosed: 141,
  terminated: 143,
} as const;

/** One of {@link EXIT}, or the exit code of a command that was run. */
export type ExitCode = number;

/** Ends a command with one line on standard error. */
export class CommandFailure extends Error {
  override readonly name = "CommandFailure";
  readonly exitCode: ExitCode;

  constructor(message: string, exitCode: ExitCode) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** The failure of a command that was called incorrectly. The message says what to change. */
export function wrongUsage(message: string): CommandFailure {
  return new CommandFailure(message, EXIT.usage);
}

/** Credentials for the SDK that runs this program as its `credential_process`. */
export interface PrintedCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
  readonly accountId?: string | undefined;
  /** In milliseconds since the epoch; `undefined` for credentials that do not expire. */
  readonly expiresAt: number | undefined;
}

/** A stream that may be a terminal. */
export type Terminal = Writable & {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
};

/** The parts of the process that a command may use. */
export interface CommandContext {
  readonly stdin: Readable & { readonly isTTY?: boolean | undefined };
  readonly stdout: Terminal;
  readonly stderr: Terminal;
  readonly env: Environment;
  /** The file of this program, for a command that runs it in another process. */
  readonly script: string;
  /** Aborts on Ctrl-C and SIGTERM, with the failure to end with. */
  readonly signal: AbortSignal;
  /** From now on, the command handles Ctrl-C and SIGTERM itself. */
  handOverSignals(): void;
}

/** Writes text to standard output or error and waits until it is written. Tokens are redacted. */
export async function print(stream: Writable, text: string): Promise<void> {
  await write(stream, redact(text));
}

/** Prints {@link credentialsText} in one write. Nothing is redacted. */
export async function printCredentials(
  stream: Writable,
  credentials: PrintedCredentials,
): Promise<void> {
  await write(stream, credentialsText(credentials));
}

/** The JSON document that SDKs read from a `credential_process`. */
export function credentialsText(credentials: PrintedCredentials): string {
  const { expiresAt } = credentials;
  const document = {
    Version: 1,
    AccessKeyId: credentials.accessKeyId,
    SecretAccessKey: credentials.secretAccessKey,
    SessionToken: credentials.sessionToken,
    Expiration: expiresAt === undefined ? undefined : new Date(expiresAt).toISOString(),
    AccountId: credentials.accountId,
  };
  return `${JSON.stringify(document)}\n`;
}

async function write(stream: Writable, text: string): Promise<void> {
  const error = await new Promise<Error | null | undefined>((resolve) => {
    stream.write(text, resolve);
  });
  if (!error) return;
  const { code = error.message } = error as NodeJS.ErrnoException;
  if (code === "EPIPE") throw new CommandFailure("the output pipe was closed", EXIT.pipeClosed);
  throw new CommandFailure(`the output could not be written: ${code}`, EXIT.failed);
}
