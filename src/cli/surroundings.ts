import type { Readable, Writable } from "node:stream";
import type { Environment } from "../runtime/environment.js";

/** A stream that may be a terminal. */
export type Terminal = Writable & {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
};

/** What a command has of the process it runs in. */
export interface Surroundings {
  readonly stdin: Readable & { readonly isTTY?: boolean | undefined };
  readonly stdout: Terminal;
  readonly stderr: Terminal;
  readonly env: Environment;
  /** The file of this command, for a process of its own. */
  readonly script: string;
  /** Aborts on Ctrl-C and SIGTERM, with the failure to end with. */
  readonly signal: AbortSignal;
  /** From here on Ctrl-C and SIGTERM are the command's own business. */
  handOverSignals(): void;
}
