import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { closeOnAbort, sleep, untilAborted, withTimeout } from "../../src/runtime/abort.js";
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
  test("settles as the work does, and leaves no listener on the signal", async () => {
    const { signal } = new AbortController();
    await expect(untilAborted(Promise.resolve(1), signal)).resolves.toBe(1);
    await expect(untilAborted(Promise.reject(tooLate), signal)).rejects.toBe(tooLate);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  test("rejects with the signal's reason, of any type, while the work continues", async () => {
    const controller = new AbortController();
    const work = untilAborted(never(), controller.signal);
    controller.abort("enough");
    await expect(work).rejects.toBe("enough");
  });

  test("handles the rejection of work that fails after an abort", async () => {
    const signal = AbortSignal.abort("before");
    await expect(untilAborted(Promise.reject(tooLate), signal)).rejects.toBe("before");
  });
});

describe("withTimeout", () => {
  test("returns the result of the work, and leaves no timer and no listener", async () => {
    const { clock, options } = setUp();
    await expect(withTimeout(options, async () => "done")).resolves.toBe("done");
    expect(clock.pending).toBe(0);
    expect(getEventListeners(options.signal, "abort")).toEqual([]);
  });

  test("settles when the time is up, even if the work ignores its signal", async () => {
    const { clock, options } = setUp();
    const work = withTimeout(options, never);
    const outcome = expect(work).rejects.toBe(tooLate);
    await clock.advance(1_000);
    await outcome;
    expect(getEventListeners(options.signal, "abort")).toEqual([]);
  });

  test("without a signal, only the time limit ends the work", async () => {
    const { clock, options } = setUp();
    const outcome = expect(withTimeout({ ...options, signal: undefined }, never)).rejects.toBe(
      tooLate,
    );
    await clock.advance(1_000);
    await outcome;
  });

  test("does not reject one millisecond before the time is up", async () => {
    const { clock, options } = setUp();
    let isSettled = false;
    const work = withTimeout(options, never).catch(() => {
      isSettled = true;
    });
    await clock.advance(999);
    expect(isSettled).toBe(false);
    await clock.advance(1);
    await work;
    expect(isSettled).toBe(true);
  });

  test("aborts the signal of the work with the reason when the time is up", async () => {
    const { clock, options } = setUp();
    let received: unknown;
    const work = withTimeout(options, async (signal) => {
      signal.addEventListener("abort", () => {
        received = signal.reason;
      });
      return never();
    });
    await clock.run(work.catch(() => {}));
    expect(received).toBe(tooLate);
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

  test("does not start the work for a signal that has already aborted", async () => {
    const { options } = setUp();
    let started = false;
    const work = withTimeout({ ...options, signal: AbortSignal.abort("closed") }, async () => {
      started = true;
    });
    await expect(work).rejects.toBe("closed");
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

  test("closes any number of owners with one listener on their signal", () => {
    const controller = new AbortController();
    const { reasons, all } = owners(20);
    for (const owner of all) closeOnAbort(controller.signal, owner);
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(1);
    controller.abort("over");
    expect(reasons).toEqual(Array(20).fill("over"));
  });

  test("does not close an owner that was removed, and removes the listener with the last owner", () => {
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

  test("closes the other owners when one removes itself and the next one", () => {
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

  test("closes an owner immediately for a signal that has already aborted", () => {
    const { reasons, all } = owners(1);
    for (const owner of all) closeOnAbort(AbortSignal.abort("before"), owner);
    expect(reasons).toEqual(["before"]);
  });
});

describe("sleep", () => {
  test("resolves after exactly the given time", async () => {
    const clock = new FakeClock();
    let isDone = false;
    const wait = sleep(clock, 100, new AbortController().signal).then(() => {
      isDone = true;
    });
    await clock.advance(99);
    expect(isDone).toBe(false);
    await clock.advance(1);
    await wait;
    expect(isDone).toBe(true);
  });

  test("rejects with the reason of an abort, and leaves no timer and no listener", async () => {
    const clock = new FakeClock();
    const controller = new AbortController();
    const wait = sleep(clock, 100, controller.signal);
    controller.abort("closed");
    await expect(wait).rejects.toBe("closed");
    expect(clock.pending).toBe(0);
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
  });

  test("schedules no timer for a signal that has already aborted", async () => {
    const clock = new FakeClock();
    await expect(sleep(clock, 100, AbortSignal.abort("closed"))).rejects.toBe("closed");
    expect(clock.scheduled).toEqual([]);
  });

  test("leaves no listener on the signal when it resolves", async () => {
    const clock = new FakeClock();
    const { signal } = new AbortController();
    await clock.run(sleep(clock, 5, signal));
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });
});
