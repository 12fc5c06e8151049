import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { RefreshTimer } from "../../src/credentials/refresh-timer.js";
import { FakeClock } from "../support/fake-clock.js";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

test("the timer of an owner that was collected fires into nothing, and is not set again", async () => {
  const clock = new FakeClock();
  const create = () => {
    const owner = { onTimer: () => {} };
    const timer = new RefreshTimer(clock, owner);
    timer.set(1_000_000);
    return new WeakRef(owner);
  };
  const owner = create();
  while (owner.deref() !== undefined) {
    await clock.flush();
    collectGarbage();
  }
  await clock.advance(300_000);
  expect(clock.pending).toBe(0);
});
