/**
 * Makes the diagnosis in a process of its own. A process can't exit while a name lookup or a file read
 * hangs, even if it was canceled: without a name server, that takes most of a minute, and Node does not
 * even handle Ctrl-C meanwhile. So the doctor kills this process.
 */
import { type ChildProcess, fork } from "node:child_process";
import type { Diagnosis, Progress } from "../../doctor/diagnosis.js";
import type { DiagnoseOptions } from "../../doctor/options.js";
import type { CredentialStore } from "../../model/credential-store.js";
import { withTimeout } from "../../runtime/abort.js";
import { systemClock } from "../../runtime/clock.js";
import {
  type CommandContext,
  CommandFailure,
  EXIT,
  type ExitCode,
  INTERNAL_COMMANDS,
  wrongUsage,
} from "../command.js";
import { openStore, type StoreChoice } from "../shared-store.js";

/** Longer than any diagnosis, in milliseconds. */
const LIMIT_MS = 70_000;

/** What to diagnose: plain data. */
export interface DiagnosisRequest
  extends Omit<DiagnoseOptions, "env" | "signal" | "onProgress" | "store"> {
  readonly storeChoice?: StoreChoice | undefined;
}

/** A message of the process. A diagnosis or a failure is the last one. */
type Message =
  | { readonly kind: "progress"; readonly progress: Progress }
  | { readonly kind: "diagnosis"; readonly diagnosis: Diagnosis }
  | { readonly kind: "failure"; readonly isMisuse: boolean; readonly message: string };

/** Starts the process, and kills it when the diagnosis is complete or the command is stopped. */
export async function diagnoseApart(
  request: DiagnosisRequest,
  onProgress: (progress: Progress) => void,
  { env, signal, script }: CommandContext,
): Promise<Diagnosis> {
  signal.throwIfAborted();
  const child = fork(script, [INTERNAL_COMMANDS.diagnosis], {
    env,
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const reason = failure("took too long");
  try {
    return await withTimeout({ clock: systemClock, signal, timeoutMs: LIMIT_MS, reason }, () =>
      resultOf(child, request, onProgress),
    );
  } catch (error) {
    // A terminal sends Ctrl-C to both processes, and the end of the child may arrive first.
    signal.throwIfAborted();
    throw error;
  } finally {
    child.kill("SIGKILL");
  }
}

function resultOf(
  child: ChildProcess,
  request: DiagnosisRequest,
  onProgress: (progress: Progress) => void,
): Promise<Diagnosis> {
  return new Promise((resolve, reject) => {
    child.on("message", (message: Message) => {
      if (message.kind === "progress") onProgress(message.progress);
      else if (message.kind === "diagnosis") resolve(message.diagnosis);
      else reject(message.isMisuse ? wrongUsage(message.message) : new Error(message.message));
    });
    child.once("error", (error) => reject(failure(`could not be started: ${error.message}`)));
    child.once("exit", (code, signal) => reject(failure(`ended early (${signal ?? code})`)));
    child.send(request, (error) => error && reject(failure(error.message)));
  });
}

function failure(problem: string): CommandFailure {
  return new CommandFailure(`the diagnosis process ${problem}`, EXIT.failed);
}

/** The child: makes one diagnosis for the process that started it, then waits to be killed. */
export async function diagnosisProcessCommand(
  _args: readonly string[],
  { env }: CommandContext,
): Promise<ExitCode> {
  if (process.send === undefined) {
    throw wrongUsage(
      `${INTERNAL_COMMANDS.diagnosis} is internal; run resilient-sts doctor instead`,
    );
  }
  const send = (message: Message) => void process.send?.(message);
  // The parent has ended. A regular exit would wait for whatever hangs.
  process.once("disconnect", () => process.kill(process.pid, "SIGKILL"));
  const { storeChoice, ...request } = await new Promise<DiagnosisRequest>((resolve) =>
    process.once("message", resolve),
  );
  try {
    const { diagnose } = await import("../../doctor/diagnose.js");
    const onProgress = (progress: Progress) => send({ kind: "progress", progress });
    // Without a signal, because a terminal sends Ctrl-C to both processes and the parent reports it.
    const store = await openForCheck(storeChoice);
    const options = { ...request, env, onProgress, store };
    send({ kind: "diagnosis", diagnosis: await diagnose(options) });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const isOption = error instanceof TypeError && message.startsWith("Expected ");
    send({ kind: "failure", isMisuse: isOption || error instanceof CommandFailure, message });
  }
  return await new Promise<ExitCode>(() => {});
}

/** A store whose reads fail with the first error of the client, which names the cause. The client itself keeps trying to connect. */
async function openForCheck(choice: StoreChoice | undefined): Promise<CredentialStore | undefined> {
  const { store, connected } = await openStore(choice);
  if (store === undefined || connected === undefined) return store;
  const read = store.read.bind(store);
  store.read = async (key) => {
    await connected;
    return await read(key);
  };
  return store;
}
