import { beforeEach, describe, expect, test } from "vitest";
import { SharedCalls } from "../../src/sts/shared-calls.js";
import { FakeClock } from "../support/fake-clock.js";

/** A call that was made, and how it ends. */
interface Made {
  readonly signal: AbortSignal;
  resolve(answer: string): void;
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

describe("a call under way", () => {
  test("is made once for all who ask for it, and its answer is theirs", async () => {
    const all = Promise.all([join("a"), join("a"), join("a")]);
    await turn();
    expect(made).toHaveLength(1);
    made[0]?.resolve("answer");
    await expect(all).resolves.toEqual(["answer", "answer", "answer"]);
    expect(made[0]?.signal.aborted).toBe(false);
  });

  test("is another one under another name", async () => {
    const all = Promise.all([join("a"), join("b")]);
    await turn();
    for (const [index, one] of made.entries()) one.resolve(`${index}`);
    await expect(all).resolves.toEqual(["0", "1"]);
  });

  test("fails for all, and is forgotten with that", async () => {
    const all = Promise.allSettled([join("a"), join("a")]);
    await turn();
    made[0]?.reject(new Error("no"));
    expect((await all).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    join("a").catch(() => {});
    await turn();
    expect(made).toHaveLength(2);
  });

  test("that was answered is made anew for who asks next", async () => {
    const first = join("a");
    await turn();
    made[0]?.resolve("old");
    await first;
    const second = join("a");
    await turn();
    made[1]?.resolve("new");
    await expect(second).resolves.toBe("new");
  });

  test("goes on when the one who made it gives up", async () => {
    const gone = new AbortController();
    const first = join("a", gone.signal);
    const second = join("a");
    await turn();
    gone.abort(new Error("gone"));
    await expect(first).rejects.toThrow("gone");
    expect(made[0]?.signal.aborted).toBe(false);
    made[0]?.resolve("answer");
    await expect(second).resolves.toBe("answer");
  });

  test("ends with the last one who waits for it", async () => {
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

  test("is joined for a second: one that stays silent does not keep those who come later", async () => {
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

  test("that was followed by another is ended all the same when nobody waits", async () => {
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
    made[1]?.resolve("answer");
    await expect(Promise.all([young, third])).resolves.toEqual(["answer", "answer"]);
  });
});
