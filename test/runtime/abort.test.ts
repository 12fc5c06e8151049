import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { closeOnAbort, untilAborted, withTimeout } from "../../src/runtime/abort.js";
import { FakeClock } from "../support/fake-clock.js";

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

describe("closeOnAbort", () => {
  const owners = (count: number) => {
    const reasons: unknown[] = [];
    const close = (reason: unknown) => void reasons.push(reason);
    return { reasons, all: Array.from({ length: count }, () => ({ close })) };
  };

  test("closes any number of owners by one listener of their signal", () => {
    const controller = new AbortController();
    const { reasons, all } = owners(20);
    for (const owner of all) closeOnAbort(controller.signal, owner);
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(1);
    controller.abort("over");
    expect(reasons).toEqual(Array(20).fill("over"));
  });

  test("spares an owner that was taken off, and leaves nothing behind the last one", () => {
    const controller = new AbortController();
    const { reasons, all } = owners(2);
    const [one, other] = all.map((owner) => closeOnAbort(controller.signal, owner));
    one?.();
    one?.();
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(1);
    other?.();
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
    const later = owners(1);
    for (const owner of later.all) closeOnAbort(controller.signal, owner);
    one?.();
    controller.abort("over");
    expect([reasons, later.reasons]).toEqual([[], ["over"]]);
  });

  test("closes the others also when an owner takes itself and the next one off", () => {
    const controller = new AbortController();
    const closed: number[] = [];
    const removes: (() => void)[] = [];
    const all = [0, 1, 2].map((number) => ({
      close: () => {
        closed.push(number);
        removes[number]?.();
        if (number === 0) removes[1]?.();
      },
    }));
    for (const owner of all) removes.push(closeOnAbort(controller.signal, owner));
    controller.abort();
    expect(closed).toEqual([0, 2]);
  });

  test("closes at once by a signal that has aborted before", () => {
    const { reasons, all } = owners(1);
    for (const owner of all) closeOnAbort(AbortSignal.abort("before"), owner);
    expect(reasons).toEqual(["before"]);
  });
});
