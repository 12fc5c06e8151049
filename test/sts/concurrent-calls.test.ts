import { getEventListeners } from "node:events";
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { ConcurrencyLimit, SharedCalls } from "../../src/sts/concurrent-calls.js";
import { FakeClock } from "../support/fake-clock.js";

const { signal } = new AbortController();

/** Work that ends when the test ends it. */
function makeWork() {
  let end: (error?: Error) => void = () => {};
  const work = new Promise<void>((resolve, reject) => {
    end = (error) => (error === undefined ? resolve() : reject(error));
  });
  return { end, run: () => work, work };
}

describe("a concurrency limit", () => {
  test("is never exceeded, and every call runs, in whatever order calls end", async () => {
    const waits = fc.array(fc.nat(50), { minLength: 1, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 5 }), waits, async (limit, durations) => {
        const clock = new FakeClock();
        const room = new ConcurrencyLimit(limit);
        let running = 0;
        let most = 0;
        const work = async (ms: number) => {
          running += 1;
          most = Math.max(most, running);
          await new Promise<void>((resolve) => clock.schedule(ms, resolve));
          running -= 1;
        };
        await clock.run(Promise.all(durations.map((ms) => room.run(signal, () => work(ms)))));
        expect(most).toBe(Math.min(limit, durations.length));
      }),
      { numRuns: 30 },
    );
  });

  test("starts waiting calls in the order of arrival", async () => {
    const room = new ConcurrencyLimit(1);
    const order: number[] = [];
    await Promise.all([1, 2, 3, 4].map((n) => room.run(signal, async () => order.push(n))));
    expect(order).toEqual([1, 2, 3, 4]);
  });

  test("starts the next call when one fails, even if it fails immediately", async () => {
    const room = new ConcurrencyLimit(1);
    await expect(room.run(signal, async () => Promise.reject(new Error("a")))).rejects.toThrow("a");
    const throwing = () => {
      throw new Error("b");
    };
    await expect(room.run(signal, throwing)).rejects.toThrow("b");
    await expect(room.run(signal, async () => "c")).resolves.toBe("c");
  });

  test("removes a waiting call whose signal aborts, and starts the next one instead", async () => {
    const room = new ConcurrencyLimit(1);
    const first = makeWork();
    const running = room.run(signal, first.run);
    const controller = new AbortController();
    const leaving = room.run(controller.signal, async () => "never");
    const staying = room.run(signal, async () => "mine");
    controller.abort("gone");
    await expect(leaving).rejects.toBe("gone");
    first.end();
    await running;
    await expect(staying).resolves.toBe("mine");
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
  });

  test("starts no waiting call when a later one leaves the queue", async () => {
    const room = new ConcurrencyLimit(1);
    const [first, caller] = [makeWork(), new AbortController()];
    const running = room.run(signal, first.run);
    const begun: string[] = [];
    const waiting = room.run(signal, async () => begun.push("second"));
    const leaving = room.run(caller.signal, async () => begun.push("third"));
    caller.abort("enough");
    await expect(leaving).rejects.toBe("enough");
    await new Promise(setImmediate);
    expect(begun).toEqual([]);
    first.end();
    await Promise.all([running, waiting]);
    expect(begun).toEqual(["second"]);
  });

  test("starts no other call when a waiting one leaves the middle of the queue", async () => {
    const room = new ConcurrencyLimit(1);
    const [first, second, third] = [makeWork(), makeWork(), makeWork()];
    const begun: string[] = [];
    const begin = (name: string, work: ReturnType<typeof makeWork>, by = signal) =>
      room.run(by, () => {
        begun.push(name);
        return work.run();
      });
    const caller = new AbortController();
    const running = begin("first", first);
    const leaving = begin("second", second, caller.signal).catch((reason: unknown) => reason);
    const waiting = begin("third", third);
    caller.abort("enough");
    expect(await leaving).toBe("enough");
    await new Promise(setImmediate);
    expect(begun).toEqual(["first"]);
    first.end();
    await running;
    third.end();
    await waiting;
    expect(begun).toEqual(["first", "third"]);
  });

  test("starts the next call when a waiting one starts and aborts at the same moment", async () => {
    const room = new ConcurrencyLimit(1);
    const first = makeWork();
    const running = room.run(signal, first.run);
    const controller = new AbortController();
    const leaving = room.run(controller.signal, async () => "maybe").catch((reason) => reason);
    // Right after the queue started the waiting call, before that call runs.
    first.work.then(() => controller.abort("gone"));
    first.end();
    await running;
    expect(await leaving).toBe("gone");
    await expect(room.run(signal, async () => "next")).resolves.toBe("next");
  });

  test("does not start work whose signal has already aborted", async () => {
    const room = new ConcurrencyLimit(1);
    await expect(room.run(AbortSignal.abort("gone"), async () => 1)).rejects.toBe("gone");
    await expect(room.run(signal, async () => 2)).resolves.toBe(2);
  });
});

/** A call that was made, and how it ends. */
interface Made {
  readonly signal: AbortSignal;
  resolve(response: string): void;
  reject(error: Error): void;
}

let clock: FakeClock;
let calls: SharedCalls<string>;
let made: Made[];

beforeEach(() => {
  clock = new FakeClock();
  calls = new SharedCalls(clock);
  made = [];
});

const join = (name: string, signal = new AbortController().signal) =>
  calls.join(
    name,
    signal,
    (own) =>
      new Promise((resolve, reject) => {
        made.push({ signal: own, resolve, reject });
      }),
  );

const turn = () => new Promise(setImmediate);

describe("a call in progress", () => {
  test("is made once for all callers, and all get its response", async () => {
    const all = Promise.all([join("a"), join("a"), join("a")]);
    await turn();
    expect(made).toHaveLength(1);
    made[0]?.resolve("response");
    await expect(all).resolves.toEqual(["response", "response", "response"]);
    expect(made[0]?.signal.aborted).toBe(false);
  });

  test("is not shared under another name", async () => {
    const all = Promise.all([join("a"), join("b")]);
    await turn();
    for (const [index, one] of made.entries()) one.resolve(`${index}`);
    await expect(all).resolves.toEqual(["0", "1"]);
  });

  test("fails for all callers, and is then removed", async () => {
    const all = Promise.allSettled([join("a"), join("a")]);
    await turn();
    made[0]?.reject(new Error("no"));
    expect((await all).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    join("a").catch(() => {});
    await turn();
    expect(made).toHaveLength(2);
  });

  test("is made again for the next caller after its response", async () => {
    const first = join("a");
    await turn();
    made[0]?.resolve("old");
    await first;
    const second = join("a");
    await turn();
    made[1]?.resolve("new");
    await expect(second).resolves.toBe("new");
  });

  test("continues when the caller that made it aborts", async () => {
    const gone = new AbortController();
    const first = join("a", gone.signal);
    const second = join("a");
    await turn();
    gone.abort(new Error("gone"));
    await expect(first).rejects.toThrow("gone");
    expect(made[0]?.signal.aborted).toBe(false);
    made[0]?.resolve("response");
    await expect(second).resolves.toBe("response");
  });

  test("ends with the last caller that waits for it", async () => {
    const gone = new AbortController();
    const all = Promise.allSettled([join("a", gone.signal), join("a", gone.signal)]);
    await turn();
    gone.abort(new Error("gone"));
    await all;
    expect(made[0]?.signal.reason).toEqual(new Error("gone"));
    join("a").catch(() => {});
    await turn();
    expect(made).toHaveLength(2);
  });

  test("is joined for one second, so that a silent call does not make later callers wait", async () => {
    const all = [join("a")];
    await clock.advance(999);
    all.push(join("a"));
    await clock.advance(1);
    all.push(join("a"), join("a"));
    await turn();
    expect(made).toHaveLength(2);
    made[1]?.resolve("late");
    await expect(Promise.all(all.slice(2))).resolves.toEqual(["late", "late"]);
    made[0]?.resolve("very late");
    await expect(Promise.all(all.slice(0, 2))).resolves.toEqual(["very late", "very late"]);
  });

  test("ends without a waiting caller, although a newer call has the same name", async () => {
    const gone = new AbortController();
    const old = join("a", gone.signal);
    await clock.advance(1_000);
    const young = join("a");
    await turn();
    gone.abort(new Error("gone"));
    await expect(old).rejects.toThrow("gone");
    expect(made.map(({ signal }) => signal.aborted)).toEqual([true, false]);
    const third = join("a");
    await turn();
    expect(made).toHaveLength(2);
    made[1]?.resolve("response");
    await expect(Promise.all([young, third])).resolves.toEqual(["response", "response"]);
  });
});
