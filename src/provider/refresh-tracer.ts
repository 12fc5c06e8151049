import type { WebIdentityError } from "../model/errors.js";
import { AttemptError } from "../model/failure.js";
import {
  type RefreshTrace,
  type StsCallTrace,
  traceClosed,
  traceJoin,
  traceRefresh,
  traceStsCall,
} from "../model/tracing.js";
import { judge } from "../retry/verdict.js";
import { safeText } from "../runtime/redact.js";

/** Publishes the refreshes of one provider on the tracing channels, one at a time. */
export class RefreshTracer {
  #trace: RefreshTrace | undefined;
  #publishEnd = () => {};

  started(isBackground: boolean): void {
    this.#trace = { provider: this, isBackground };
    this.#publishEnd = traceRefresh(this.#trace);
  }

  /** A caller waits for the refresh in progress. */
  joined(): void {
    if (this.#trace !== undefined) traceJoin(this.#trace);
  }

  /** Notes the role. Its text is made safe when a subscriber reads it: a cold start has no time for it. */
  isFor(roleArn: string): void {
    if (this.#trace === undefined) return;
    let shown: string | undefined;
    Object.defineProperty(this.#trace, "roleArn", {
      enumerable: true,
      get: () => {
        // The value given for a role may be a token that belongs elsewhere.
        shown ??= safeText(roleArn);
        return shown;
      },
    });
  }

  /** Runs one STS call between its start and its end on the channel. */
  async call<T>(
    attempt: number,
    send: () => Promise<T>,
    regionAsked: () => string | undefined,
  ): Promise<T> {
    if (this.#trace === undefined) return await send();
    const call: StsCallTrace = { refresh: this.#trace, attempt };
    const publishEnd = traceStsCall(call);
    try {
      return await send();
    } catch (error) {
      if (error instanceof AttemptError) {
        const { requestId, httpStatus } = error.failure;
        Object.assign(call, { verdict: judge(error.failure), requestId, httpStatus });
      }
      throw error;
    } finally {
      call.region = regionAsked();
      publishEnd();
    }
  }

  refreshed(facts: Pick<RefreshTrace, "source" | "region" | "attempts" | "expiration">): void {
    this.#end({ outcome: "refreshed", ...facts });
  }

  failed({ code, attempts, tryNextLink }: WebIdentityError): void {
    const errorType = attempts.at(-1)?.verdict ?? code;
    // Nothing is configured: a chain goes on to its next provider, and nothing has failed.
    if (tryNextLink) this.#end({ outcome: "cancelled" });
    else this.#end({ outcome: "failed", attempts: attempts.length, errorType });
  }

  closed(): void {
    this.#end({ outcome: "cancelled" });
    traceClosed(this);
  }

  #end(facts: Partial<RefreshTrace>): void {
    if (this.#trace === undefined) return;
    Object.assign(this.#trace, facts);
    this.#publishEnd();
    this.#trace = undefined;
  }
}
