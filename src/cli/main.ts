/**
 * The program `resilient-sts`. Only this file and `bin.ts`, which loads it, touch the process: its
 * arguments, its streams, its signals and its exit code. `commands.ts` lists the commands. Each has a
 * folder with its table of options and its function, and gets a `CommandContext` instead of the process.
 */
import { realpathSync } from "node:fs";
import { safeText } from "../runtime/redact.js";
import { CommandFailure, EXIT, print, wrongUsage } from "./command.js";
import { runProgram } from "./commands.js";

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
// A copy without the variable that is set below, so that `exec` does not pass it on.
const env = { ...process.env };
// The SDK's warning about the version of Node is for developers, not for users of this program.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";

/** The callback of a write reports its failure. Without a listener, the event would end the process. */
function output(name: "stdout" | "stderr"): NodeJS.WriteStream {
  const stream = process[name];
  if (stream.listenerCount("error") === 0) stream.on("error", () => {});
  return stream;
}

const exitCode = await runProgram(process.argv.slice(2), {
  // Getters, because Node opens a stream when it is first used, which takes milliseconds.
  get stdin() {
    return process.stdin;
  },
  get stdout() {
    return output("stdout");
  },
  get stderr() {
    return output("stderr");
  },
  env,
  // The command may be a link to the program's file.
  script: realpathSync(process.argv[1] ?? ""),
  signal: stop.signal,
  handOverSignals: () => {
    for (const remove of removeListeners) remove();
  },
}).catch(async (thrown: unknown) => {
  const failure = asFailure(thrown);
  // Like other programs in a pipe, this one ends silently when the reader closes it.
  if (failure.exitCode === EXIT.pipeClosed) return failure.exitCode;
  const line = `resilient-sts: ${safeText(failure.message, 2_000)}\n`;
  await print(output("stderr"), line).catch(() => {});
  return failure.exitCode;
});
// All output is written, and open timers or sockets must not delay the exit.
process.exit(exitCode);

function asFailure(thrown: unknown): CommandFailure {
  if (thrown instanceof CommandFailure) return thrown;
  if (stop.signal.reason instanceof CommandFailure) return stop.signal.reason;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  // The library throws this for an invalid option.
  if (thrown instanceof TypeError && message.startsWith("Expected `")) return wrongUsage(message);
  return new CommandFailure(`a bug in this program: ${message}`, EXIT.failed);
}
