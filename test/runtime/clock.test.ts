import { getEventListeners } from "node:events";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { sleep, systemClock } from "../../src/runtime/clock.js";
import { startDeadline } from "../../src/runtime/deadline.js";
import { FakeClock } from "../support/fake-clock.js";

describe("sleep", () => {
  test("takes exactly as long as it was asked to", async () => {
    const clock = new FakeClock();
    let awake = false;
    const nap = sleep(clock, 100, new AbortController().signal).then(() => {
      awake = true;
    });
    await clock.advance(99);
    expect(awake).toBe(false);
    await clock.advance(1);
    await nap;
    expect(awake).toBe(true);
  });

  test("ends at an abort with its reason, and leaves neither timer nor listener", async () => {
    const clock = new FakeClock();
    const controller = new AbortController();
    const nap = sleep(clock, 100, controller.signal);
    controller.abort("up");
    await expect(nap).rejects.toBe("up");
    expect(clock.pending).toBe(0);
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
  });

  test("does not begin after an abort", async () => {
    const clock = new FakeClock();
    await expect(sleep(clock, 100, AbortSignal.abort("up"))).rejects.toBe("up");
    expect(clock.scheduled).toEqual([]);
  });

  test("leaves no listener on a signal that lives on", async () => {
    const clock = new FakeClock();
    const { signal } = new AbortController();
    await clock.run(sleep(clock, 5, signal));
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });
});

describe("the system's clock", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test("a wait longer than setTimeout can take does not end at once", () => {
    let fired = false;
    const cancel = systemClock.schedule(2 ** 31 + 5, () => {
      fired = true;
    });
    vi.advanceTimersByTime(2 ** 31 - 2);
    expect(fired).toBe(false);
    cancel();
  });

  test("a cancelled timer never fires", () => {
    let fired = false;
    systemClock.schedule(5, () => {
      fired = true;
    })();
    vi.advanceTimersByTime(10);
    expect(fired).toBe(false);
  });

  test("only a hold keeps the process alive, until it is let go", () => {
    const letGo = systemClock.hold();
    expect(vi.getTimerCount()).toBe(1);
    letGo();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("a deadline", () => {
  test("counts down to 0 and stays there", async () => {
    const clock = new FakeClock();
    const deadline = startDeadline(clock, 1_000);
    expect(deadline.remainingMs()).toBe(1_000);
    await clock.advance(999);
    expect(deadline.remainingMs()).toBe(1);
    await clock.advance(5_000);
    expect(deadline.remainingMs()).toBe(0);
  });

  test("does not notice that somebody sets the clock", () => {
    const clock = new FakeClock();
    const deadline = startDeadline(clock, 1_000);
    clock.setWallClock(0);
    expect(deadline.remainingMs()).toBe(1_000);
  });
});
