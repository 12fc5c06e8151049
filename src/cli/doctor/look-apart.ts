import { type ChildProcess, fork } from "node:child_process";
import type { Diagnosis } from "../../doctor/diagnosis.js";
import type { DiagnoseOptions } from "../../doctor/options.js";
import { onAbort } from "../../runtime/on-abort.js";
import { CommandFailure, EXIT } from "../command-failure.js";
import type { Surroundings } from "../surroundings.js";
import { LOOK_COMMAND, type LookMessage, type LookRequest } from "./look-messages.js";

/** More than any look takes; nothing of it may hang. */
const LIMIT_MS = 70_000;

/**
 * Diagnoses in a process of its own, and ends it. Node waits at its end for name resolutions and
 * file reads that hang, whatever was asked for: with no name server that is most of a minute, in
 * which not even Ctrl-C is heard.
 */
export async function lookApart(
  request: LookRequest,
  onProgress: DiagnoseOptions["onProgress"],
  { env, signal, script }: Surroundings,
): Promise<Diagnosis> {
  signal.throwIfAborted();
  const child = fork(script, [LOOK_COMMAND], {
    env,
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const end = new AbortController();
  const ignoreSignal = onAbort(signal, () => end.abort(signal.reason));
  const limit = setTimeout(() => end.abort(ended("came to no end")), LIMIT_MS);
  try {
    return await told(child, request, onProgress, end.signal);
  } catch (error) {
    // A terminal tells Ctrl-C the other process too, and its end may be heard first.
    signal.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(limit);
    ignoreSignal();
    child.kill("SIGKILL");
  }
}

function told(
  child: ChildProcess,
  request: LookRequest,
  onProgress: DiagnoseOptions["onProgress"],
  signal: AbortSignal,
): Promise<Diagnosis> {
  return new Promise((resolve, reject) => {
    onAbort(signal, () => reject(signal.reason));
    child.on("message", (message: LookMessage) => {
      if (message.kind === "progress") onProgress?.(message.progress);
      else if (message.kind === "diagnosis") resolve(message.diagnosis);
      else reject(message.isMisuse ? new TypeError(message.message) : new Error(message.message));
    });
    child.once("error", (error) => reject(ended(`could not be started: ${error.message}`)));
    child.once("exit", (code, by) => reject(ended(`ended early (${by ?? code})`)));
    child.send(request, (error) => error && reject(ended(error.message)));
  });
}

function ended(how: string): CommandFailure {
  return new CommandFailure(`the process that looks ${how}`, EXIT.failed);
}
