import type { Progress } from "../../doctor/diagnosis.js";
import { type ExitCode, wrongUsage } from "../command-failure.js";
import type { Surroundings } from "../surroundings.js";
import type { LookMessage, LookRequest } from "./look-messages.js";

/** One diagnosis for the process that started this one, which also ends it. */
export async function lookCommand(_args: string[], around: Surroundings): Promise<ExitCode> {
  if (process.send === undefined) {
    throw wrongUsage("look is not for people; see resilient-sts --help");
  }
  const tell = (message: LookMessage) => void process.send?.(message);
  // Nobody is left to tell, and an exit would wait for what hangs.
  process.once("disconnect", () => process.kill(process.pid, "SIGKILL"));
  const request = await new Promise<LookRequest>((resolve) => process.once("message", resolve));
  try {
    const { diagnose } = await import("../../doctor/diagnose.js");
    const { env } = around;
    const onProgress = (progress: Progress) => tell({ kind: "progress", progress });
    // Not under the signal: a terminal tells Ctrl-C both processes, and one of them has to say so.
    tell({ kind: "diagnosis", diagnosis: await diagnose({ ...request, env, onProgress }) });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    tell({ kind: "failure", isMisuse: error instanceof TypeError, message });
  }
  return await new Promise<ExitCode>(() => {});
}
