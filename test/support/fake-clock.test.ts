import { describe, expect, test } from "vitest";
import { sleep } from "../../src/runtime/abort.js";
import { FakeClock } from "./fake-clock.js";

describe("the fake clock", () => {
  test("timers fire in the order they are due, equal ones in the order they were scheduled", async () => {
    const clock = new FakeClock();
    const fired: string[] = [];
    clock.schedule(20, () => fired.push("20"));
    clock.schedule(10, () => fired.push("10a"));
    clock.schedule(10, () => fired.push("10b"));
    await clock.advance(19);
    expect(fired).toEqual(["10a", "10b"]);
    await clock.advance(1);
    expect(fired).toEqual(["10a", "10b", "20"]);
  });

  test("what a timer starts runs before the next timer, at the time it was due", async () => {
    const clock = new FakeClock(0);
    const seen: number[] = [];
    const { signal } = new AbortController();
    const work = (async () => {
      for (let n = 0; n < 3; n += 1) {
        await sleep(clock, 10, signal);
        seen.push(clock.now());
      }
    })();
    await clock.advance(30);
    await work;
    expect(seen).toEqual([10, 20, 30]);
  });

  test("a cancelled timer does not fire, and holds are counted once each", async () => {
    const clock = new FakeClock();
    let fired = false;
    const cancel = clock.schedule(1, () => {
      fired = true;
    });
    cancel();
    const letGo = clock.hold();
    expect([clock.pending, clock.holds]).toEqual([0, 1]);
    letGo();
    letGo();
    await clock.advance(10);
    expect([fired, clock.holds]).toEqual([false, 0]);
  });

  test("setting the wall clock moves now and leaves monotonic and timers alone", async () => {
    const clock = new FakeClock(1_000);
    let fired = false;
    clock.schedule(10, () => {
      fired = true;
    });
    clock.setWallClock(999_000);
    expect([clock.now(), clock.monotonic()]).toEqual([999_000, 0]);
    await clock.advance(9);
    expect(fired).toBe(false);
    await clock.advance(1);
    expect(fired).toBe(true);
  });

  test("run lets exactly as much time pass as the work takes", async () => {
    const clock = new FakeClock();
    const { signal } = new AbortController();
    await clock.run(sleep(clock, 5_000, signal).then(() => sleep(clock, 2_500, signal)));
    expect(clock.monotonic()).toBe(7_500);
  });
});
