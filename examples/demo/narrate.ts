import type { WebIdentityEvent } from "../../src/index.js";
import { duration, type Printer } from "./print.js";

interface NarratorOptions {
  readonly printer: Printer;
  /** What the issuer does at the moment; STS does not report it. */
  readonly issuerCondition?: (() => string) | undefined;
}

/** A handler for `onEvent` that prints a provider's events, one line each. */
export function createNarrator(options: NarratorOptions): (event: WebIdentityEvent) => void {
  const { printer, issuerCondition } = options;
  const printed = new Set<string>();
  let lastWords: string | undefined;

  const failed = (event: WebIdentityEvent & { type: "attempt.failed" }) => {
    const words = `${event.code ?? event.verdict}: ${event.message}`;
    // Repeating the same sentence six times would hide what changes.
    const what = words === lastWords ? "the same; " : `${words}\n`;
    lastWords = words;
    const condition = issuerCondition?.();
    const why = condition === undefined ? `verdict ${event.verdict}` : `the issuer ${condition}`;
    const next =
      event.waitMs === undefined ? "no further attempt" : `next in ${duration(event.waitMs)}`;
    printer.event("resilient", `attempt ${event.attempt}: ${what}${why}; ${next}`);
  };

  return (event) => {
    switch (event.type) {
      case "token.loaded":
        if (event.attempt > 1) return;
        return printer.event("resilient", aboutToken(event));
      case "preflight.finished":
        for (const { title } of event.findings) {
          // The issuer check caches its findings, so the same ones are reported again.
          if (!printed.has(title)) printer.event("resilient", `issuer check: ${title}`);
          printed.add(title);
        }
        return;
      case "attempt.failed":
        return failed(event);
      case "region.defaulted":
        return printer.event("resilient", `no region is configured; uses ${event.region}`);
      case "credentials.refreshed": {
        const { expiresAt } = event;
        const until =
          expiresAt === undefined ? undefined : new Date(expiresAt).toISOString().slice(11, 16);
        const what = `credentials at attempt ${event.attempts}, after ${duration(event.ms)}`;
        return printer.event(
          "resilient",
          until === undefined ? what : `${what}, valid until ${until} UTC`,
          "good",
        );
      }
      case "refresh.failed":
        return printer.event("resilient", `the refresh failed: ${event.code}`, "bad");
      case "credentials.expired-served":
        return printer.event("resilient", "returned expired credentials", "bad");
    }
  };
}

function aboutToken({ ms, token, findings }: WebIdentityEvent & { type: "token.loaded" }): string {
  const facts =
    token === undefined ? "not checked" : `${token.alg ?? "no alg"}, kid ${token.kid ?? "none"}`;
  const advice = findings.map(({ detail }) => `\n${detail}`).join("");
  return `token read in ${duration(ms)}: ${facts}${advice}`;
}
