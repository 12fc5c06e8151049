import { getEventListeners } from "node:events";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { elapsedSince, hasStepped, momentOf, sleep, systemClock } from "../../src/runtime/clock.js";
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

describe("how long ago a moment was", () => {
  const MINUTE = 60_000;

  /** A moment, ten minutes ago by the clock that only goes forward. */
  async function tenMinutesAgo({ hasBootClock }: { hasBootClock: boolean }) {
    const clock = new FakeClock();
    if (hasBootClock) clock.withBootClock();
    const moment = momentOf(clock);
    await clock.advance(10 * MINUTE);
    return { clock, moment, set: (byMs: number) => clock.setWallClock(clock.now() + byMs) };
  }

  test.each([true, false])(
    "is what every clock says (time since boot known: %s)",
    async (hasBootClock) => {
      const { clock, moment } = await tenMinutesAgo({ hasBootClock });
      const ms = 10 * MINUTE;
      expect(elapsedSince(moment, clock)).toEqual({ certainMs: ms, possibleMs: ms });
      expect(hasStepped(moment, clock)).toBe(false);
    },
  );

  test.each([true, false])(
    "does not change with a clock that is set back (time since boot known: %s)",
    async (hasBootClock) => {
      const { clock, moment, set } = await tenMinutesAgo({ hasBootClock });
      const ms = 10 * MINUTE;
      for (const by of [-1_000, -5 * MINUTE, -48 * 60 * MINUTE]) {
        set(by);
        expect(elapsedSince(moment, clock)).toEqual({ certainMs: ms, possibleMs: ms });
        expect(hasStepped(moment, clock)).toBe(true);
      }
    },
  );

  test("is not certain by a clock that was set forward where the time since boot says otherwise", async () => {
    const { clock, moment, set } = await tenMinutesAgo({ hasBootClock: true });
    set(60 * MINUTE);
    const [certainMs, possibleMs] = [10 * MINUTE, 70 * MINUTE];
    expect(elapsedSince(moment, clock)).toEqual({ certainMs, possibleMs });
    set(-60 * MINUTE);
    expect(elapsedSince(moment, clock)).toEqual({ certainMs, possibleMs: certainMs });
  });

  test("is what a clock that was set forward says where the time since boot is not known", async () => {
    for (const forgets of [false, true]) {
      const { clock, moment, set } = await tenMinutesAgo({ hasBootClock: forgets });
      // A system may also say it once, and then no more.
      clock.sinceBoot = undefined;
      set(60 * MINUTE);
      const ms = 70 * MINUTE;
      expect(elapsedSince(moment, clock)).toEqual({ certainMs: ms, possibleMs: ms });
    }
  });

  test("counts the time in which the machine was suspended, even if its clock was set back since", async () => {
    const { clock, moment, set } = await tenMinutesAgo({ hasBootClock: true });
    clock.suspend(30 * MINUTE);
    const ms = 40 * MINUTE;
    expect(elapsedSince(moment, clock)).toEqual({ certainMs: ms, possibleMs: ms });
    set(-300 * MINUTE);
    expect(elapsedSince(moment, clock)).toEqual({ certainMs: ms, possibleMs: ms });
  });

  test("does not jump for a time since boot that has whole seconds", async () => {
    const { clock, moment, set } = await tenMinutesAgo({ hasBootClock: true });
    const exact = clock.sinceBoot ?? (() => 0);
    clock.sinceBoot = () => exact() + 1_999;
    set(60 * MINUTE);
    expect(elapsedSince(moment, clock).certainMs).toBe(10 * MINUTE);
    clock.sinceBoot = () => exact() + 2_000;
    expect(elapsedSince(moment, clock).certainMs).toBe(10 * MINUTE + 2_000);
  });

  test("is within a second of the wall clock by all of the system's clocks", () => {
    const moment = momentOf(systemClock);
    expect(moment.sinceBoot).toBeGreaterThan(0);
    expect(moment.wall).toBeCloseTo(Date.now(), -4);
    expect(elapsedSince(moment, systemClock).certainMs).toBeLessThan(1_000);
  });
});
