import type { IssuerReport } from "../model/issuer-report.js";
import { loadLook } from "./load-look.js";
import type { PreflightRuntime, PreflightSettings } from "./settings.js";
import { subjectOfToken } from "./subject.js";

export interface LookOptions {
  /** Ends the wait; the visit to the issuer goes on for others. */
  readonly signal: AbortSignal;
  /**
   * Says that STS has just failed to get the key, so that documents older than 30 s are looked at
   * again, and a missing key is waited for until a second look is due (1 s).
   * @default false
   */
  readonly fresh?: boolean | undefined;
}

export interface Preflight {
  /**
   * Looks at what the token's issuer publishes. It does not keep the process alive, but for a name
   * that is being resolved or a connection that is being made: Node cannot let go of those. A token
   * that names no issuer gives an empty report: that is the token check's business.
   *
   * @throws the signal's reason, and nothing else.
   */
  look(token: string, options: LookOptions): Promise<IssuerReport>;
}

/**
 * A pre-flight whose documents are shared by the whole process. Most of the room is loaded at its
 * first look: a process that is never refused does without.
 */
export function createPreflight(settings: PreflightSettings, runtime: PreflightRuntime): Preflight {
  return {
    async look(token, { signal, fresh = false }) {
      signal.throwIfAborted();
      const subject = subjectOfToken(token);
      if ("severity" in subject) return { issuer: "", findings: [], requests: [] };
      const { lookAtSubject } = await loadLook();
      return await lookAtSubject(subject, settings, runtime, { signal, fresh, table: false });
    },
  };
}
