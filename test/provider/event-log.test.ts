import type { Logger } from "@smithy/types";
import { describe, expect, test } from "vitest";
import type { EventBody, WebIdentityEvent } from "../../src/model/events.js";
import { createEventLog } from "../../src/provider/event-log.js";

const ROLE = "arn:aws:iam::123456789012:role/service";
const TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl";
const failed: EventBody = {
  ...{ type: "attempt.failed", attempt: 1, verdict: "throttled", message: "slow", ms: 5 },
};

/** A logger that keeps its lines. */
function setUp(onEvent?: (event: WebIdentityEvent) => unknown) {
  const lines: string[] = [];
  const log = (level: string) => (text: string) => void lines.push(`${level}: ${text}`);
  const logger = { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") };
  const now = () => 42;
  return { lines, log: createEventLog({ logger, onEvent, now }), now };
}

describe("the event log", () => {
  test("adds time and role, and passes events to the handler and the logger", () => {
    const seen: unknown[] = [];
    const { lines, log } = setUp((event) => seen.push(event));
    log(ROLE)({ ...failed, waitMs: 250 } as EventBody);
    expect(seen).toEqual([{ ...failed, waitMs: 250, at: 42, roleArn: ROLE }]);
    expect(lines).toEqual([
      `warn: resilient-sts: attempt 1 failed: throttled: slow; next in 250 ms (${ROLE})`,
    ]);
  });

  test("logs the error of a handler that throws, without the token", () => {
    const { lines, log } = setUp(() => {
      throw new Error(`cannot ${TOKEN}`);
    });
    log(ROLE)(failed);
    expect(lines[0]).toBe("warn: resilient-sts: onEvent threw: cannot [redacted]");
  });

  test("reads no field of an event that no handler, logger or subscriber gets", () => {
    const log = createEventLog({ logger: undefined, onEvent: undefined, now: () => 42 });
    const unread = {
      type: "token.loaded",
      get token(): never {
        throw new Error("the facts of the token were read");
      },
    } as unknown as EventBody;
    expect(() => log(ROLE)(unread)).not.toThrow();
  });

  test("shows no token that was given in place of the role", () => {
    const seen: WebIdentityEvent[] = [];
    const { lines, log } = setUp((event) => seen.push(event));
    log(TOKEN)(failed);
    expect(JSON.stringify([seen, lines])).not.toMatch(/eyJ|c2lnb/);
  });

  test.each<[string, unknown]>([
    ["has no methods", {}],
    [
      "throws",
      {
        warn: () => {
          throw new Error("disk full");
        },
      },
    ],
    ["is not there", undefined],
  ])("is not disturbed by a logger that %s", (_, logger) => {
    const onEvent = () => {
      throw new Error("a broken handler");
    };
    const log = createEventLog({ logger: logger as Logger, onEvent, now: () => 0 });
    expect(() => log(ROLE)(failed)).not.toThrow();
  });
});
