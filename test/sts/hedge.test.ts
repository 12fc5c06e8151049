import { describe, expect, test, vi } from "vitest";
import { hedged } from "../../src/sts/regional-caller.js";
import { FakeClock } from "../support/fake-clock.js";

const isFinal = (error: unknown) => error instanceof Error && error.message === "refused";

/** A call that ends when the test says so, or with its signal. */
function call() {
  let succeed = (_: string) => {};
  let fail = (_: Error) => {};
  let signal: AbortSignal | undefined;
  const make = vi.fn((given: AbortSignal) => {
    signal = given;
    return new Promise<string>((resolve, reject) => {
      succeed = resolve;
      fail = reject;
      given.addEventListener("abort", () => reject(given.reason));
    });
  });
  return {
    make,
    succeed: (value: string) => succeed(value),
    fail: (message: string) => fail(new Error(message)),
    get isAborted() {
      return signal?.aborted;
    },
  };
}

function race(signal = new AbortController().signal) {
  const clock = new FakeClock();
  const [first, second] = [call(), call()];
  const offer = vi.fn(() => second.make);
  const outcome = hedged({ clock, signal, afterMs: 100, isFinal }, first.make, offer);
  outcome.catch(() => {});
  return { clock, first, second, offer, outcome };
}

describe("the hedged call", () => {
  test("is made when the first call has not settled in time, and not earlier", async () => {
    const { clock, first, second } = race();
    await clock.advance(99);
    expect([first.make.mock.calls.length, second.make.mock.calls.length]).toEqual([1, 0]);
    await clock.advance(1);
    expect(second.make).toHaveBeenCalledOnce();
  });

  test.each([
    ["succeeded", "resolved"],
    ["failed", "rejected"],
  ])("is not made when the first has %s", async (how) => {
    const { clock, first, offer, outcome } = race();
    if (how === "succeeded") first.succeed("one");
    else first.fail("one failed");
    await outcome.catch(() => {});
    expect(clock.pending).toBe(0);
    await clock.advance(1_000);
    expect(offer).not.toHaveBeenCalled();
    const said = await outcome.then(
      ({ value }) => value,
      ({ message }) => message,
    );
    expect(said).toMatch(/^one/);
  });

  test("is not made when there is no other region to call", async () => {
    const clock = new FakeClock();
    const first = call();
    const { signal } = new AbortController();
    const outcome = hedged({ clock, signal, afterMs: 100, isFinal }, first.make, () => undefined);
    await clock.advance(100);
    first.fail("alone");
    await expect(outcome).rejects.toThrow("alone");
  });
});

describe("of two calls", () => {
  test.each(["first", "second"] as const)(
    "the %s to succeed wins, and the other is aborted",
    async (who) => {
      const world = race();
      await world.clock.advance(100);
      const loser = who === "first" ? world.second : world.first;
      world[who].succeed(who);
      const how = who === "first" ? "won" : "silent";
      await expect(world.outcome).resolves.toEqual({ value: who, first: how });
      expect(loser.isAborted).toBe(true);
    },
  );

  test("a failure of one does not end the other", async () => {
    for (const who of ["first", "second"] as const) {
      const world = race();
      await world.clock.advance(100);
      world[who].fail("no");
      await world.clock.flush();
      const other = who === "first" ? world.second : world.first;
      expect(other.isAborted).toBe(false);
      other.succeed("yes");
      const how = who === "first" ? "failed" : "won";
      await expect(world.outcome).resolves.toEqual({ value: "yes", first: how });
    }
  });

  test("the failure of the first counts when both fail, in any order", async () => {
    for (const order of [["first", "second"] as const, ["second", "first"] as const]) {
      const world = race();
      await world.clock.advance(100);
      for (const who of order) {
        world[who].fail(who);
        await world.clock.flush();
      }
      await expect(world.outcome).rejects.toThrow("first");
    }
  });
});

describe("a final failure", () => {
  test("of the first call ends both immediately", async () => {
    const { clock, first, second, outcome } = race();
    await clock.advance(100);
    first.fail("refused");
    await expect(outcome).rejects.toThrow("refused");
    expect(second.isAborted).toBe(true);
  });

  test("of the hedged call ends neither, because the first may have another response", async () => {
    const { clock, first, second, outcome } = race();
    await clock.advance(100);
    second.fail("refused");
    await clock.flush();
    expect(first.isAborted).toBe(false);
    first.succeed("yes");
    await expect(outcome).resolves.toEqual({ value: "yes", first: "won" });
  });
});

describe("the caller's abort", () => {
  test("ends both calls, with its reason", async () => {
    const controller = new AbortController();
    const { clock, first, second, outcome } = race(controller.signal);
    await clock.advance(100);
    const reason = new Error("shutting down");
    controller.abort(reason);
    await expect(outcome).rejects.toBe(reason);
    expect([first.isAborted, second.isAborted, clock.pending]).toEqual([true, true, 0]);
  });

  test("ends the first call before the hedged call begins, and no hedged call is made", async () => {
    const controller = new AbortController();
    const { clock, offer, outcome } = race(controller.signal);
    controller.abort("enough");
    await expect(outcome).rejects.toBe("enough");
    await clock.advance(1_000);
    expect(offer).not.toHaveBeenCalled();
  });

  test("prevents both calls if it comes before the first", async () => {
    const { first, outcome } = race(AbortSignal.abort("enough"));
    await expect(outcome).rejects.toBe("enough");
    expect(first.make).not.toHaveBeenCalled();
  });

  test("leaves no listener on the signal when both calls have ended", async () => {
    const { signal } = new AbortController();
    const remove = vi.spyOn(signal, "removeEventListener");
    const add = vi.spyOn(signal, "addEventListener");
    const { first, outcome } = race(signal);
    first.succeed("one");
    await outcome;
    expect(remove.mock.calls.map(([, listener]) => listener)).toEqual(
      add.mock.calls.map(([, listener]) => listener),
    );
  });
});
