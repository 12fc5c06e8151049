import { describe, expect, test } from "vitest";
import { LOOKS_APART_MS, MissingKids } from "../../src/preflight/missing-kids.js";
import type { FetchedKeys } from "../../src/preflight/snapshot.js";
import { FakeClock } from "../support/fake-clock.js";

function world() {
  const clock = new FakeClock();
  const missing = new MissingKids(clock);
  let fetchId = 0;
  const keySet = { entries: [], total: 0, otherKids: "", counts: { RSA: 0, EC: 0 } };
  const fetched = (fetchedAt = clock.now()): FetchedKeys => {
    fetchId += 1;
    return { keySet, fetchId, fetchedAt };
  };
  return { clock, missing, fetched };
}

describe("looks that do not find a key", () => {
  test("agree when they are a second apart, and not a millisecond sooner", async () => {
    const { clock, missing, fetched } = world();
    expect(missing.note("a", fetched(), clock.now())).toBe(1);
    await clock.advance(LOOKS_APART_MS - 1);
    expect(missing.note("a", fetched(), clock.now())).toBe(1);
    await clock.advance(1);
    expect(missing.note("a", fetched(), clock.now())).toBe(2);
    expect(missing.looks("a")).toBe(2);
  });

  test("are different fetches: one that is kept counts once, however late it is asked", async () => {
    const { clock, missing, fetched } = world();
    const kept = fetched();
    expect(missing.note("a", kept, clock.now())).toBe(1);
    await clock.advance(5_000);
    expect(missing.note("a", kept, clock.now())).toBe(1);
  });

  test("do not count when they are older than the question", async () => {
    const { clock, missing, fetched } = world();
    const askedAt = clock.now();
    expect(missing.note("a", fetched(askedAt - LOOKS_APART_MS - 1), askedAt)).toBe(0);
    expect(missing.note("a", fetched(askedAt - LOOKS_APART_MS), askedAt)).toBe(1);
  });

  test("start anew for a key that was found meanwhile, and for that one alone", async () => {
    const { clock, missing, fetched } = world();
    missing.note("a", fetched(), clock.now());
    missing.note("", fetched(), clock.now());
    missing.forget("a");
    expect([missing.looks("a"), missing.looks("")]).toEqual([0, 1]);
    await clock.advance(LOOKS_APART_MS);
    expect(missing.note("a", fetched(), clock.now())).toBe(1);
    expect(missing.note("", fetched(), clock.now())).toBe(2);
  });

  test("are kept for a hundred keys: the hundred-and-first pushes out the oldest", () => {
    const { clock, missing, fetched } = world();
    for (let index = 0; index <= 100; index += 1) {
      missing.note(`stranger-${index}`, fetched(), clock.now());
    }
    const seen = ["stranger-0", "stranger-1", "stranger-100"].map((kid) => missing.looks(kid));
    expect(seen).toEqual([0, 1, 1]);
  });
});

describe("fetches for unknown keys", () => {
  test("are two in 30 s, and possible again when the first is 30 s old", async () => {
    const { clock, missing } = world();
    expect([missing.mayRefetch(), missing.mayRefetch(), missing.mayRefetch()]).toEqual([
      true,
      true,
      false,
    ]);
    await clock.advance(29_999);
    expect(missing.mayRefetch()).toBe(false);
    await clock.advance(1);
    expect([missing.mayRefetch(), missing.mayRefetch(), missing.mayRefetch()]).toEqual([
      true,
      true,
      false,
    ]);
  });

  test("are not held back by a clock that was set back", () => {
    const { clock, missing } = world();
    missing.mayRefetch();
    missing.mayRefetch();
    clock.setWallClock(clock.now() - 3_600_000);
    expect(missing.mayRefetch()).toBe(true);
  });
});
