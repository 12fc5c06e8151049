import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { AttemptError, type AttemptRecord, type Failure } from "../../src/model/failure.js";
import {
  type Attempt,
  AttemptsFailed,
  type LoopOptions,
  retryLoop,
} from "../../src/retry/retry-loop.js";
import { sleep } from "../../src/runtime/abort.js";
import { startDeadline } from "../../src/runtime/clock.js";
import { FakeClock } from "../support/fake-clock.js";

const DOWN: Failure = {
  kind: "response",
  code: "ServiceUnavailable",
  message: "down",
  httpStatus: 503,
};
const DENIED: Failure = { kind: "response", code: "AccessDenied", message: "no", httpStatus: 403 };
const STRANGE: Failure = { kind: "response", code: "Strange", message: "?", httpStatus: 400 };
const CUT_SHORT: Failure = { kind: "timeout", message: "no response", cutShort: true };
const fail = (failure: Failure) => new AttemptError(failure);

type Step = (context: Attempt, clock: FakeClock, signal: AbortSignal) => Promise<unknown>;

/** Runs the loop under the fake clock: one step an attempt, the last one again and again. */
function start(steps: readonly Step[], changes: Partial<LoopOptions> = {}) {
  const clock = new FakeClock();
  const controller = new AbortController();
  const records: AttemptRecord[] = [];
  const contexts: Attempt[] = [];
  const { signal } = controller;
  const loop = retryLoop(
    async (context) => {
      contexts.push(context);
      const step = steps[Math.min(contexts.length, steps.length) - 1];
      return step?.(context, clock, signal);
    },
    {
      retry: { maxAttempts: 25, baseDelayMs: 500, maxDelayMs: 4_000, budgetMs: 60_000 },
      retryAccessDenied: false,
      deadline: startDeadline(clock, changes.retry?.budgetMs ?? 60_000),
      random: () => 0.5,
      onAttemptFailed: (record) => records.push(record),
      clock,
      signal,
      ...changes,
    },
  );
  loop.catch(() => {});
  return { loop, clock, controller, records, contexts };
}

const failWith =
  (failure: Failure, ms = 0): Step =>
  async (_, clock, signal) => {
    if (ms > 0) await sleep(clock, ms, signal);
    throw fail(failure);
  };
const succeed: Step = async () => "credentials";

async function outcomeOf({ loop, clock }: ReturnType<typeof start>): Promise<AttemptsFailed> {
  const error = await clock.run(loop.catch((thrown: unknown) => thrown));
  if (error instanceof AttemptsFailed) return error;
  throw new Error(`expected the loop to give up, got ${String(error)}`);
}

const retry = (changes: Partial<LoopOptions["retry"]>): LoopOptions["retry"] => ({
  ...{ maxAttempts: 25, baseDelayMs: 500, maxDelayMs: 4_000, budgetMs: 60_000 },
  ...changes,
});

describe("the retry loop", () => {
  test("makes one attempt when that succeeds, and sets no timer", async () => {
    const run = start([succeed]);
    await expect(run.loop).resolves.toBe("credentials");
    expect([run.contexts.length, run.records, run.clock.scheduled]).toEqual([1, [], []]);
  });

  test("counts attempts from 1, and waits longer before each one", async () => {
    const run = start([...Array<Step>(4).fill(failWith(DOWN)), succeed]);
    await expect(run.clock.run(run.loop)).resolves.toBe("credentials");
    expect(run.contexts.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5]);
    expect(run.clock.scheduled).toEqual([375, 750, 1_500, 3_000]);
    expect(run.records.map(({ waitMs }) => waitMs)).toEqual([375, 750, 1_500, 3_000]);
  });

  test.each([1, 2, 3, 25])("makes %d attempts if that is the maximum", async (maxAttempts) => {
    const run = start([failWith(DOWN)], { retry: retry({ maxAttempts, baseDelayMs: 0 }) });
    const { attempts, verdict } = await outcomeOf(run);
    expect(run.contexts).toHaveLength(maxAttempts);
    expect(attempts).toEqual(run.records);
    expect(verdict).toBe("sts-unavailable");
    expect(run.records.map(({ waitMs }) => waitMs)).toEqual([
      ...Array(maxAttempts - 1).fill(0),
      undefined,
    ]);
  });

  test("stops immediately after a failure that no retry can help", async () => {
    const run = start([failWith(DOWN), failWith(DENIED)]);
    const { verdict, failure } = await outcomeOf(run);
    expect([verdict, failure, run.contexts.length]).toEqual(["access-denied", DENIED, 2]);
  });

  test("counts each verdict separately: unknown failures get two retries, also between others", async () => {
    const steps = [STRANGE, DOWN, STRANGE, DOWN, STRANGE].map((failure) => failWith(failure));
    const run = start([...steps, succeed]);
    expect(await outcomeOf(run)).toMatchObject({ verdict: "unknown", attempts: { length: 5 } });
  });

  test("reports every failed attempt when it fails, with its facts", async () => {
    const failure = { ...DOWN, region: "eu-west-1", requestId: "r-1", cause: new Error("x") };
    const run = start([failWith(failure, 70), succeed]);
    await run.clock.run(run.loop);
    expect(run.records).toEqual([
      {
        ...{ attempt: 1, region: "eu-west-1", verdict: "sts-unavailable", code: DOWN.code },
        ...{ message: "down", httpStatus: 503, requestId: "r-1", ms: 70, waitMs: 375 },
      },
    ]);
  });

  test("retries anything that an attempt throws as unknown, also a TypeError or a value that is not an error", async () => {
    for (const thrown of [new TypeError("a bug"), "a word", undefined, Object.create(null)]) {
      const run = start([() => Promise.reject(thrown)]);
      const { verdict, failure, attempts } = await outcomeOf(run);
      expect([verdict, failure.kind, attempts.length]).toEqual(["unknown", "local", 3]);
      expect(attempts.map(({ waitMs }) => waitMs)).toEqual([375, 750, undefined]);
    }
  });

  test("shows no token that a thrown error contains", async () => {
    const token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl";
    const { failure, attempts } = await outcomeOf(start([() => Promise.reject(new Error(token))]));
    expect(JSON.stringify([failure, failure.cause?.stack, attempts])).not.toMatch(/eyJ|c2lnb/);
  });
});

describe("the budget", () => {
  test("is one deadline over all attempts and waits", async () => {
    const run = start([failWith(DOWN, 3_000)]);
    const { elapsedMs, attempts } = await outcomeOf(run);
    expect(elapsedMs).toBeLessThanOrEqual(60_000);
    expect(elapsedMs).toBe(attempts.reduce((sum, { ms, waitMs = 0 }) => sum + ms + waitMs, 0));
    expect(run.clock.monotonic()).toBe(elapsedMs);
    expect(run.contexts.at(-1)?.deadline.remainingMs()).toBe(60_000 - elapsedMs);
  });

  test("is measured from the start of the loop, not of the clock", async () => {
    const clock = new FakeClock();
    await clock.run(sleep(clock, 5_000, new AbortController().signal));
    const { loop } = start([failWith(DENIED)], { clock, deadline: startDeadline(clock, 60_000) });
    await expect(loop).rejects.toMatchObject({ elapsedMs: 0 });
  });

  test("is not spent on an attempt that would have less than a second", async () => {
    const run = start([failWith(DOWN, 58_750)], { random: () => 0 });
    expect((await outcomeOf(run)).attempts).toHaveLength(2);
    const later = start([failWith(DOWN, 58_751)], { random: () => 0 });
    expect((await outcomeOf(later)).attempts).toHaveLength(1);
  });

  test("of less than ten seconds requires only a tenth of itself for an attempt", async () => {
    const run = start([failWith(DOWN, 80)], { retry: retry({ budgetMs: 100, baseDelayMs: 0 }) });
    expect((await outcomeOf(run)).attempts).toHaveLength(2);
  });

  test("that cuts an attempt short does not hide the cause", async () => {
    const run = start([failWith(DOWN, 58_000), failWith(CUT_SHORT, 1_700)], { random: () => 0 });
    const { verdict, failure, attempts } = await outcomeOf(run);
    expect([verdict, failure, attempts.length]).toEqual(["sts-unavailable", DOWN, 2]);
  });

  test("that cuts the only attempt short reports that attempt", async () => {
    const { failure } = await outcomeOf(start([failWith(CUT_SHORT, 60_000)]));
    expect(failure).toBe(CUT_SHORT);
  });

  test("does not change when the wall clock is set", async () => {
    const run = start([
      async (_, clock) => {
        clock.setWallClock(clock.now() + 86_400_000);
        throw fail(DOWN);
      },
      succeed,
    ]);
    await expect(run.clock.run(run.loop)).resolves.toBe("credentials");
  });
});

describe("an abort", () => {
  test("in a wait ends it immediately with the signal's reason", async () => {
    const run = start([failWith(DOWN)]);
    while (run.clock.pending === 0) await run.clock.flush();
    run.controller.abort("closed");
    await expect(run.loop).rejects.toBe("closed");
    expect([run.clock.pending, run.clock.monotonic(), run.contexts.length]).toEqual([0, 0, 1]);
  });

  test("in a later wait also ends it immediately", async () => {
    const run = start([failWith(DOWN)]);
    while (run.contexts.length < 3) await run.clock.advance(100);
    run.controller.abort("closed");
    await expect(run.loop).rejects.toBe("closed");
    expect([run.clock.pending, run.contexts.length]).toEqual([0, 3]);
  });

  test.each([1, 2])("in attempt %d is not reported as a failed attempt", async (number) => {
    const hang: Step = (_, clock, signal) => sleep(clock, 9_999_999, signal);
    const run = start([...Array<Step>(number - 1).fill(failWith(DOWN)), hang]);
    while (run.contexts.length < number) await run.clock.advance(100);
    run.controller.abort(new Error("closed"));
    await expect(run.loop).rejects.toThrow("closed");
    expect(run.records).toHaveLength(number - 1);
  });

  test("before the start makes no attempt", async () => {
    const run = start([succeed], { signal: AbortSignal.abort("closed") });
    await expect(run.loop).rejects.toBe("closed");
    expect(run.contexts).toEqual([]);
  });

  test("counts, although a later attempt succeeds at the same moment", async () => {
    const run = start([failWith(DOWN), async () => run.controller.abort("closed")]);
    await expect(run.clock.run(run.loop)).rejects.toBe("closed");
  });

  test("leaves no listener on the signal, as success and failure don't", async () => {
    for (const last of [succeed, failWith(DENIED)]) {
      const run = start([failWith(DOWN), failWith(DOWN), last]);
      await run.clock.run(run.loop.catch(() => {}));
      expect(getEventListeners(run.controller.signal, "abort")).toEqual([]);
    }
  });
});

test("a failed attempt is recorded with the facts of its failure, and without those that it lacks", async () => {
  const bare: Failure = { kind: "timeout", message: "no response" };
  const full: Failure = { ...DOWN, region: "eu-west-1", requestId: "req-1" };
  const run = start([failWith(bare), failWith(full), succeed]);
  await run.clock.run(run.loop);
  const [first, second] = run.records;
  for (const fact of ["region", "code", "httpStatus", "requestId"]) {
    expect(first).not.toHaveProperty(fact);
    expect(second).toHaveProperty(fact);
  }
});

test("the failure of all attempts has a name of its own", async () => {
  const run = start([failWith(DENIED)]);
  await expect(run.clock.run(run.loop)).rejects.toMatchObject({ name: "AttemptsFailed" });
});
