import type { Logger } from "@smithy/types";
import { describe, expect, test } from "vitest";
import type { EventBody, WebIdentityEvent } from "../../src/model/events.js";
import { createEventLog, ProviderReporter } from "../../src/provider/provider-reporter.js";
import { CacheBench, fail, HOUR, hang, outage, refuse } from "../support/make-cache.js";

/** A cache, and the status of a provider that uses it. */
function world(changes: ConstructorParameters<typeof CacheBench>[0] = {}) {
  const bench = new CacheBench(changes);
  const { clock } = bench;
  const reporter = new ProviderReporter({ logger: undefined, onEvent: undefined, clock });
  const status = () => reporter.status(bench.cache.snapshot(), []);
  return { bench, clock: bench.clock, cache: bench.cache, status };
}

describe("the state", () => {
  test("is empty before the first credentials, and during their refresh", async () => {
    const { bench, clock, status } = world();
    expect(status()).toMatchObject({ state: "empty", refreshing: false, expiresAt: undefined });
    bench.respond = hang;
    void bench.get();
    await clock.flush();
    expect(status()).toMatchObject({ state: "empty", refreshing: true });
  });

  test.each([
    ["fresh", 3_600],
    ["fresh", 900.001],
    ["refresh-due", 900],
    ["refresh-due", 60.001],
    ["refresh-urgent", 60],
    ["refresh-urgent", 0.001],
    ["expired", 0],
    ["expired", -HOUR],
  ])("is %s when %d seconds of an hour are left", async (state, left) => {
    const { bench, status } = world();
    await bench.fill(HOUR, left);
    expect(status().state).toBe(state);
  });

  test("is refresh-urgent after the credentials are invalidated, until there are new ones", async () => {
    const { bench, cache, status } = world();
    await bench.fill(HOUR);
    cache.invalidate("another key");
    expect(status().state).toBe("fresh");
    cache.invalidate("AKID-1");
    expect(status().state).toBe("refresh-urgent");
    bench.respond = fail;
    expect(await bench.get()).toBe("AKID-1");
    expect(status().state).toBe("refresh-urgent");
    bench.respond = async ({ issue }) => issue();
    await bench.clock.advance(500);
    await bench.get({ forceRefresh: true });
    expect(status().state).toBe("fresh");
  });

  test("is expired for invalidated credentials that have expired too", async () => {
    const { bench, cache, status } = world();
    await bench.fill(HOUR, -1);
    cache.invalidate();
    expect(status().state).toBe("expired");
  });

  test("does not change when the clock is set back, however far", async () => {
    const { bench, clock, status } = world();
    await bench.fill(HOUR, 1_200);
    clock.setWallClock(clock.now() - 24 * HOUR * 1000);
    expect(status().state).toBe("fresh");
    await clock.advance(300_000);
    expect(status().state).toBe("refresh-due");
    await clock.advance(900_000);
    expect(status().state).toBe("expired");
  });

  test("is empty after the provider is closed", async () => {
    const { bench, clock, cache, status } = world();
    await bench.fill(HOUR, 600);
    bench.respond = fail;
    await bench.get();
    await clock.flush();
    cache.close(outage);
    expect(status()).toMatchObject({
      state: "empty",
      closed: true,
      nextRefreshAllowedAt: undefined,
    });
  });
});

test("every time is a number of milliseconds since the epoch", async () => {
  const { bench, clock, status } = world();
  const issuedAt = clock.now();
  await bench.fill(HOUR);
  expect(status().expiresAt).toBe(issuedAt + HOUR * 1000);
  expect(Object.values(status()).filter((value) => value instanceof Date)).toEqual([]);
});

describe("the next refresh", () => {
  test("is announced after a failed one, in whole milliseconds, until it may start", async () => {
    const { bench, clock, status } = world({ random: () => 1 / 3 });
    await bench.fill(12 * HOUR, 3_000);
    bench.respond = fail;
    await bench.get();
    await clock.flush();
    expect(status().nextRefreshAllowedAt).toBe(clock.now() + 400_000);
    expect(bench.failures[0]?.nextRefreshAllowedAt).toBe(clock.now() + 400_000);
    await clock.advance(399_999);
    expect(status().nextRefreshAllowedAt).toBe(clock.now() + 1);
    await clock.advance(1);
    expect(status().nextRefreshAllowedAt).toBeUndefined();
  });

  test.each([0.123_456, 0.987_654, 1 / 7])(
    "is announced in whole milliseconds for every random number: %d",
    async (chance) => {
      const { bench, clock, status } = world({ random: () => chance });
      await bench.fill(12 * HOUR, 3_000);
      bench.respond = fail;
      await bench.get();
      await clock.flush();
      expect(status().nextRefreshAllowedAt).toSatisfy(Number.isInteger);
    },
  );

  test("is announced after a refusal with nothing cached, while the rejection is cached", async () => {
    const { bench, clock, cache, status } = world({ random: () => 1 / 3 });
    bench.respond = refuse;
    await bench.get();
    expect(status().nextRefreshAllowedAt).toBe(clock.now() + 2_333);
    expect(bench.failures[0]?.nextRefreshAllowedAt).toBe(clock.now() + 2_333);
    await clock.advance(2_333);
    expect(status().nextRefreshAllowedAt).toBeUndefined();
    await bench.get();
    expect(status().nextRefreshAllowedAt).toBeDefined();
    cache.close(outage);
    expect(status().nextRefreshAllowedAt).toBeUndefined();
  });

  test("is not moved when the clock is set", async () => {
    const { bench, clock, status } = world();
    clock.withBootClock();
    await bench.fill(HOUR, 600);
    bench.respond = fail;
    await bench.get();
    await clock.flush();
    const awayMs = () => (status().nextRefreshAllowedAt ?? 0) - clock.now();
    const before = awayMs();
    expect(before).toBeGreaterThan(0);
    for (const hours of [-24, 48]) {
      clock.setWallClock(clock.now() + hours * HOUR * 1000);
      expect(awayMs()).toBe(before);
    }
  });
});

const ROLE = "arn:aws:iam::123456789012:role/service";
const TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl";
const failed: EventBody = {
  ...{ type: "attempt.failed", attempt: 1, verdict: "throttled", message: "slow", ms: 5 },
};

/** A logger that keeps its lines. */
function logged(onEvent?: (event: WebIdentityEvent) => unknown) {
  const lines: string[] = [];
  const log = (level: string) => (text: string) => void lines.push(`${level}: ${text}`);
  const logger = { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") };
  const now = () => 42;
  return { lines, log: createEventLog({ logger, onEvent, now }), now };
}

describe("the event log", () => {
  test("adds the time and the role to an event, and passes it to the handler and the logger", () => {
    const seen: unknown[] = [];
    const { lines, log } = logged((event) => seen.push(event));
    log(ROLE)({ ...failed, waitMs: 250 } as EventBody);
    expect(seen).toEqual([{ ...failed, waitMs: 250, at: 42, roleArn: ROLE }]);
    expect(lines).toEqual([
      `warn: resilient-sts: attempt 1 failed: throttled: slow; next in 250 ms (${ROLE})`,
    ]);
  });

  test("logs the error of a handler that throws, without the token", () => {
    const { lines, log } = logged(() => {
      throw new Error(`cannot ${TOKEN}`);
    });
    log(ROLE)(failed);
    expect(lines[0]).toBe("warn: resilient-sts: onEvent threw: cannot [redacted]");
  });

  test("does not read the fields of an event that no handler, logger or subscriber gets", () => {
    const log = createEventLog({ logger: undefined, onEvent: undefined, now: () => 42 });
    const unread = {
      type: "token.loaded",
      get token(): never {
        throw new Error("the facts of the token were read");
      },
    } as unknown as EventBody;
    expect(() => log(ROLE)(unread)).not.toThrow();
  });

  test("never shows a token that was passed in place of the role", () => {
    const seen: WebIdentityEvent[] = [];
    const { lines, log } = logged((event) => seen.push(event));
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
    ["is absent", undefined],
  ])("continues with a logger that %s", (_, logger) => {
    const onEvent = () => {
      throw new Error("a broken handler");
    };
    const log = createEventLog({ logger: logger as Logger, onEvent, now: () => 0 });
    expect(() => log(ROLE)(failed)).not.toThrow();
  });
});
