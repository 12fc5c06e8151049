import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  elapsedSince,
  hasStepped,
  momentOf,
  startDeadline,
  systemClock,
} from "../../src/runtime/clock.js";
import { FakeClock } from "../support/fake-clock.js";

describe("the system's clock", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test("does not fire immediately for a delay that is too long for setTimeout", () => {
    let fired = false;
    const cancel = systemClock.schedule(2 ** 31 + 5, () => {
      fired = true;
    });
    vi.advanceTimersByTime(2 ** 31 - 2);
    expect(fired).toBe(false);
    cancel();
  });

  test("never fires a timer that was cancelled", () => {
    let fired = false;
    systemClock.schedule(5, () => {
      fired = true;
    })();
    vi.advanceTimersByTime(10);
    expect(fired).toBe(false);
  });

  test("keeps the process alive only while it is held", () => {
    const release = systemClock.hold();
    expect(vi.getTimerCount()).toBe(1);
    release();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("a deadline", () => {
  test("counts down to 0 and stays at 0", async () => {
    const clock = new FakeClock();
    const deadline = startDeadline(clock, 1_000);
    expect(deadline.remainingMs()).toBe(1_000);
    await clock.advance(999);
    expect(deadline.remainingMs()).toBe(1);
    await clock.advance(5_000);
    expect(deadline.remainingMs()).toBe(0);
  });

  test("does not change when the wall clock is set", () => {
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
    "is what every clock shows (time since boot known: %s)",
    async (hasBootClock) => {
      const { clock, moment } = await tenMinutesAgo({ hasBootClock });
      const ms = 10 * MINUTE;
      expect(elapsedSince(moment, clock)).toEqual({ certainMs: ms, possibleMs: ms });
      expect(hasStepped(moment, clock)).toBe(false);
    },
  );

  test.each([true, false])(
    "does not change when the wall clock is set back (time since boot known: %s)",
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

  test("is uncertain when the wall clock was set forward and the time since boot shows less", async () => {
    const { clock, moment, set } = await tenMinutesAgo({ hasBootClock: true });
    set(60 * MINUTE);
    const [certainMs, possibleMs] = [10 * MINUTE, 70 * MINUTE];
    expect(elapsedSince(moment, clock)).toEqual({ certainMs, possibleMs });
    set(-60 * MINUTE);
    expect(elapsedSince(moment, clock)).toEqual({ certainMs, possibleMs: certainMs });
  });

  test("is what the wall clock shows where the time since boot is unknown", async () => {
    for (const wasKnown of [false, true]) {
      const { clock, moment, set } = await tenMinutesAgo({ hasBootClock: wasKnown });
      // A system may also report it once, and not again.
      clock.sinceBoot = undefined;
      set(60 * MINUTE);
      const ms = 70 * MINUTE;
      expect(elapsedSince(moment, clock)).toEqual({ certainMs: ms, possibleMs: ms });
    }
  });

  test("includes the time in which the machine was suspended, even if its clock was set back later", async () => {
    const { clock, moment, set } = await tenMinutesAgo({ hasBootClock: true });
    clock.suspend(30 * MINUTE);
    const ms = 40 * MINUTE;
    expect(elapsedSince(moment, clock)).toEqual({ certainMs: ms, possibleMs: ms });
    set(-300 * MINUTE);
    expect(elapsedSince(moment, clock)).toEqual({ certainMs: ms, possibleMs: ms });
  });

  test("does not jump when the time since boot has whole seconds", async () => {
    const { clock, moment, set } = await tenMinutesAgo({ hasBootClock: true });
    const exact = clock.sinceBoot ?? (() => 0);
    clock.sinceBoot = () => exact() + 1_999;
    set(60 * MINUTE);
    expect(elapsedSince(moment, clock).certainMs).toBe(10 * MINUTE);
    clock.sinceBoot = () => exact() + 2_000;
    expect(elapsedSince(moment, clock).certainMs).toBe(10 * MINUTE + 2_000);
  });

  test("is less than a second by the clocks of this machine, for a moment that was just read", () => {
    const moment = momentOf(systemClock);
    expect(moment.sinceBoot).toBeGreaterThan(0);
    expect(moment.wall).toBeCloseTo(Date.now(), -4);
    expect(elapsedSince(moment, systemClock).certainMs).toBeLessThan(1_000);
  });
});
