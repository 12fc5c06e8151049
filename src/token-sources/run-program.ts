import { TokenSourceError } from "../model/token-source.js";
import type { Environment } from "../runtime/environment.js";
import { rememberSecret } from "../runtime/known-secrets.js";
import { safeCause, safeText } from "../runtime/redact.js";
import { notConfigured } from "./source.js";

/** More than any token. */
const MAX_OUTPUT_BYTES = 64 * 1024;

/** What a CLI prints when the same call can never work: wrong options, no permission. */
const PERMANENT =
  /\b(40[0134]|422)\b|unauthori[sz]ed|forbidden|not (authorized|allowed|defined|permitted)|permission denied|unknown (flag|command|option)|invalid/i;

interface Program {
  /** Looked for on the PATH. */
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Environment;
  readonly signal: AbortSignal;
  readonly secrets: readonly string[];
  /** Who must do what when there is no such program. */
  readonly whenMissing: string;
  /** Who must do what when it fails. */
  readonly whenFailed: string;
}

/**
 * Runs a program without a shell, and returns its standard output, at most 64 KiB. Kills the program when
 * the signal aborts.
 *
 * @throws TokenSourceError when the program can't be started or fails.
 */
export async function runProgram(program: Program): Promise<string> {
  const { file, args, env, signal, secrets, whenMissing, whenFailed } = program;
  for (const secret of secrets) rememberSecret(secret);
  const { execFile } = await import("node:child_process");
  return await new Promise<string>((resolve, reject) => {
    const options = { env, signal, maxBuffer: MAX_OUTPUT_BYTES, windowsHide: true } as const;
    execFile(file, args, { ...options, killSignal: "SIGKILL" }, (error, stdout, stderr) => {
      if (error === null && stdout.trim() !== "") {
        resolve(stdout);
        return;
      }
      if (error === null) {
        const message = `${file} printed no token`;
        reject(new TokenSourceError(message, { retryable: true, hint: whenFailed }));
        return;
      }
      const code: unknown = error.code;
      if (code === "ENOENT" || code === "EACCES") {
        reject(notConfigured(`${file} can't be started: ${code}`, whenMissing));
        return;
      }
      if (code === "ERR_CHILD_PROCESS_STDIO_MAXBUFFER") {
        const message = `${file} printed more than 64 KiB`;
        reject(new TokenSourceError(message, { retryable: true, hint: whenFailed }));
        return;
      }
      const how =
        typeof code === "number" ? `with exit code ${code}` : `by ${error.signal ?? code}`;
      const words = stderr.trim() === "" ? "" : `: ${safeText(stderr.trim(), 200, secrets)}`;
      const retryable = !PERMANENT.test(stderr);
      // Not the error itself: its message and `cmd` contain the arguments, and `stdout` may contain the token.
      const cause = safeCause(new Error(`${file} ended ${how}`));
      reject(
        new TokenSourceError(`${file} ended ${how}${words}`, {
          retryable,
          hint: whenFailed,
          cause,
        }),
      );
    });
  });
}
