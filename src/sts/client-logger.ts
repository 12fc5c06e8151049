import type { Logger } from "@smithy/types";
import { callListener } from "../model/events.js";
import { safeText } from "../runtime/redact.js";

/** Longest text of the SDK's that is logged. */
const MAX_LOGGED = 2_000;

/**
 * The user's logger as the STS client gets it. The SDK logs whole answers and errors: the session
 * token, the token's `sub`, and the token itself when an answer repeats it.
 */
export function withoutSecrets(logger: Logger): Logger {
  const tell =
    (level: keyof Logger) =>
    (...content: unknown[]) => {
      // A logger that throws must not fail the call.
      callListener(
        () => logger[level]?.(...content.map(withoutAnswer)),
        () => {},
      );
    };
  return {
    trace: tell("trace"),
    debug: tell("debug"),
    info: tell("info"),
    warn: tell("warn"),
    error: tell("error"),
  };
}

/** What was called and how it went; of an answer or an error only where it came from. */
function withoutAnswer(content: unknown): unknown {
  if (typeof content === "string") return safeText(content, MAX_LOGGED);
  const { clientName, commandName, metadata } = (content ?? {}) as Record<string, unknown>;
  const { httpStatusCode } = (metadata ?? {}) as { httpStatusCode?: unknown };
  return { clientName, commandName, metadata: { httpStatusCode } };
}
