import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { untilAborted, withTimeout } from "../src/abort.js";
import { FakeClock } from "./fake-clock.js";

const never = () => new Promise<never>(() => {});
const tooLate = new Error("too late");

function setUp() {
  const clock = new FakeClock();
  const controller = new AbortController();
  const { signal } = controller;
  return { clock, controller, options: { clock, signal, timeoutMs: 1_000, reason: tooLate } };
}

describe("untilAborted", () => {
  test("settles as the work does, and leaves no listener behind", async () => {
    const { signal } = new AbortController();
    await expect(untilAborted(Promise.resolve(1), signal)).resolves.toBe(1);
    await expect(untilAborted(Promise.reject(tooLate), signal)).rejects.toBe(tooLate);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  test("rejects with the signal's reason, whatever that is, while the work goes on", async () => {
    const controller = new AbortController();
    const work = untilAborted(never(), controller.signal);
    controller.abort("enough");
    await expect(work).rejects.toBe("enough");
  });

  test("after an abort a failure of the work is nobody's unhandled rejection", async () => {
    const signal = AbortSignal.abort("before");
    await expect(untilAborted(Promise.reject(tooLate), signal)).rejects.toBe("before");
  });
});

describe("withTimeout", () => {
  test("gives what the work gives, and leaves neither timer nor listener behind", async () => {
    const { clock, options } = setUp();
    await expect(withTimeout(options, async () => "done")).resolves.toBe("done");
    expect(clock.pending).toBe(0);
    expect(getEventListeners(options.signal, "abort")).toEqual([]);
  });

  test("settles when the time is up, although the work ignores its signal", async () => {
    const { clock, options } = setUp();
    const work = withTimeout(options, never);
    const outcome = expect(work).rejects.toBe(tooLate);
    await clock.advance(1_000);
    await outcome;
    expect(getEventListeners(options.signal, "abort")).toEqual([]);
  });

  test("is not over a millisecond before the time is up", async () => {
    const { clock, options } = setUp();
    let isOver = false;
    const work = withTimeout(options, never).catch(() => {
      isOver = true;
    });
    await clock.advance(999);
    expect(isOver).toBe(false);
    await clock.advance(1);
    await work;
    expect(isOver).toBe(true);
  });

  test("tells the work that time is up, with the reason", async () => {
    const { clock, options } = setUp();
    let told: unknown;
    const work = withTimeout(options, async (signal) => {
      signal.addEventListener("abort", () => {
        told = signal.reason;
      });
      return never();
    });
    await clock.run(work.catch(() => {}));
    expect(told).toBe(tooLate);
  });

  test("passes the caller's abort on, and rejects with its reason", async () => {
    const { clock, controller, options } = setUp();
    const seen: AbortSignal[] = [];
    const work = withTimeout(options, (signal) => {
      seen.push(signal);
      return never();
    });
    controller.abort("closed");
    await expect(work).rejects.toBe("closed");
    expect(seen[0]?.reason).toBe("closed");
    expect(clock.pending).toBe(0);
  });

  test("does not start for a caller who is gone already", async () => {
    const { options } = setUp();
    let started = false;
    const work = withTimeout({ ...options, signal: AbortSignal.abort("gone") }, async () => {
      started = true;
    });
    await expect(work).rejects.toBe("gone");
    expect(started).toBe(false);
  });

  test("turns a synchronous throw into a rejection", async () => {
    const { clock, options } = setUp();
    const work = withTimeout(options, () => {
      throw tooLate;
    });
    await expect(work).rejects.toBe(tooLate);
    expect(clock.pending).toBe(0);
  });
});
