import type { Diagnosis, Progress } from "../../doctor/diagnosis.js";
import type { DiagnoseOptions } from "../../doctor/options.js";

/** The hidden command of the process that looks. */
export const LOOK_COMMAND = "look";

/** What it is told to do: plain data. */
export type LookRequest = Omit<DiagnoseOptions, "env" | "signal" | "onProgress">;

/** What it tells. The diagnosis or the failure is the last of it. */
export type LookMessage =
  | { readonly kind: "progress"; readonly progress: Progress }
  | { readonly kind: "diagnosis"; readonly diagnosis: Diagnosis }
  | { readonly kind: "failure"; readonly isMisuse: boolean; readonly message: string };
