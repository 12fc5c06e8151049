/** What a command ends with. Part of the command line's interface. */
export const EXIT = {
  fine: 0,
  /** The doctor found something fatal or suspect. */
  found: 1,
  usage: 2,
  /** The command itself failed: nothing was found out. */
  failed: 3,
  /** STS or the issuer refused: `exec`, `serve` and `credential-process`. */
  refused: 1,
  /** There is no token to send. */
  noToken: 3,
  /** Attempts or time were used up. */
  outOfTime: 4,
  interrupted: 130,
  terminated: 143,
} as const;

/** One of {@link EXIT}, or that of a command that was run. */
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

/** The command was called wrongly; the message says how to call it. */
export function wrongUsage(message: string): CommandFailure {
  return new CommandFailure(message, EXIT.usage);
}
