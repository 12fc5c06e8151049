import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  FETCHES_APART_MS,
  KeySetsSeen,
  MissingKids,
  RESPONSES_THAT_AGREE,
} from "../../src/preflight/key-history.js";
import { type FetchedKeys, readKeySet } from "../../src/preflight/key-set.js";
import { FakeClock } from "../support/fake-clock.js";

function world() {
  const clock = new FakeClock();
  const missing = new MissingKids(clock);
  let fetchId = 0;
  const keySet = { entries: [], total: 0, otherKids: "", counts: { RSA: 0, EC: 0 } };
  const fetched = (fetchedMonotonic = clock.monotonic()): FetchedKeys => {
    fetchId += 1;
    return { keySet, fetchId, fetchedAt: clock.now(), fetchedMonotonic };
  };
  return { clock, missing, fetched };
}

describe("the fetches that do not have a key", () => {
  test("count as two when they are one second apart, and not a millisecond less", async () => {
    const { clock, missing, fetched } = world();
    expect(missing.note("a", fetched(), clock.monotonic())).toBe(1);
    await clock.advance(FETCHES_APART_MS - 1);
    expect(missing.note("a", fetched(), clock.monotonic())).toBe(1);
    await clock.advance(1);
    expect(missing.note("a", fetched(), clock.monotonic())).toBe(2);
    expect(missing.fetchesWithout("a")).toBe(2);
  });

  test("count once for a cached JWKS, however late a check reads it", async () => {
    const { clock, missing, fetched } = world();
    const kept = fetched();
    expect(missing.note("a", kept, clock.monotonic())).toBe(1);
    await clock.advance(5_000);
    expect(missing.note("a", kept, clock.monotonic())).toBe(1);
  });

  test("do not count when they are older than the check that needs the key", async () => {
    const { clock, missing, fetched } = world();
    const checkedAt = clock.monotonic();
    expect(missing.note("a", fetched(checkedAt - FETCHES_APART_MS - 1), checkedAt)).toBe(0);
    expect(missing.note("a", fetched(checkedAt - FETCHES_APART_MS), checkedAt)).toBe(1);
  });

  test("start again at zero for a key that a JWKS has, and for no other key", async () => {
    const { clock, missing, fetched } = world();
    missing.note("a", fetched(), clock.monotonic());
    missing.note("", fetched(), clock.monotonic());
    missing.forget("a");
    expect([missing.fetchesWithout("a"), missing.fetchesWithout("")]).toEqual([0, 1]);
    await clock.advance(FETCHES_APART_MS);
    expect(missing.note("a", fetched(), clock.monotonic())).toBe(1);
    expect(missing.note("", fetched(), clock.monotonic())).toBe(2);
  });

  test("are recorded for a hundred kids: the next one replaces the oldest", () => {
    const { clock, missing, fetched } = world();
    for (let index = 0; index <= 100; index += 1) {
      missing.note(`stranger-${index}`, fetched(), clock.monotonic());
    }
    const seen = ["stranger-0", "stranger-1", "stranger-100"].map((kid) =>
      missing.fetchesWithout(kid),
    );
    expect(seen).toEqual([0, 1, 1]);
  });
});

describe("the fetches that unknown kids cause", () => {
  test("are at most two in 30 s", async () => {
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

  test.each([3_600_000, -3_600_000])(
    "are as many after the machine's clock was set by %i ms",
    async (stepMs) => {
      const { clock, missing } = world();
      missing.mayRefetch();
      missing.mayRefetch();
      clock.setWallClock(clock.now() + stepMs);
      expect(missing.mayRefetch()).toBe(false);
      await clock.advance(30_000);
      expect(missing.mayRefetch()).toBe(true);
    },
  );
});

const keySet = (...keys: readonly Readonly<Record<string, unknown>>[]) =>
  readKeySet(Buffer.from(JSON.stringify({ keys })), "https://issuer.invalid/jwks").keySet;
const key = (kid: unknown, n = "AQAB", more = {}) => ({ kty: "RSA", kid, n, e: "AQAB", ...more });

function seenBy(...sets: readonly ReturnType<typeof keySet>[]) {
  const clock = new FakeClock();
  const seen = new KeySetsSeen(clock);
  for (const set of sets) seen.note(set);
  return { clock, seen };
}
const times = (count: number, set: ReturnType<typeof keySet>) =>
  Array.from({ length: count }, () => set);

describe("responses with the same keys", () => {
  test("agree when there are eight of them within 30 s", async () => {
    const set = keySet(key("a"));
    const { clock, seen } = seenBy(...times(RESPONSES_THAT_AGREE - 1, set));
    expect(seen.doAgree).toBe(false);
    await clock.advance(29_999);
    seen.note(set);
    expect(seen.doAgree).toBe(true);
    await clock.advance(1);
    expect(seen.doAgree).toBe(false);
  });

  test("have the same kid for each key, in any order and with any other members", () => {
    const { seen } = seenBy(
      keySet(key("a"), key("b")),
      keySet(key("b", "AQAB", { alg: "RS256" }), key("a", "AQAB", { use: "sig", x5t: "x" })),
    );
    expect(seen.doDiffer).toBe(false);
  });

  test.each([
    ["another kid", [key("b")]],
    ["another key of the same kid", [key("a", "AQAD")]],
    ["an empty kid", [key("")]],
    ["no kid", [key(undefined)]],
    ["one key more", [key("a"), key("b")]],
    ["none of them", []],
  ])("do not have %s", (_, keys) => {
    const { seen } = seenBy(...times(RESPONSES_THAT_AGREE, keySet(key("a"))), keySet(...keys));
    expect(seen.doDiffer).toBe(true);
    expect(seen.doAgree).toBe(false);
    expect(seen.finding(true)).toMatchObject({ id: "jwks-inconsistent", severity: "suspect" });
  });
});

describe("an agreement of responses", () => {
  const agreed = () => seenBy(...times(RESPONSES_THAT_AGREE, keySet(key("a"))));

  test("needs eight of them", () => {
    expect(seenBy(...times(RESPONSES_THAT_AGREE - 1, keySet(key("a")))).seen.haveAgreed).toBe(
      false,
    );
    expect(agreed().seen.haveAgreed).toBe(true);
  });

  test("lasts five minutes, whether or not there are further responses like them", async () => {
    const { clock, seen } = agreed();
    await clock.advance(31_000);
    seen.note(keySet(key("a")));
    expect([seen.doAgree, seen.haveAgreed]).toEqual([false, true]);
    await clock.advance(268_999);
    expect(seen.haveAgreed).toBe(true);
    await clock.advance(1);
    expect(seen.haveAgreed).toBe(false);
  });

  test("ends with the first response that has other keys, or has them in another form", async () => {
    for (const other of [key("b"), key("a", "AQAB", { key_ops: ["verify"] })]) {
      const { clock, seen } = agreed();
      await clock.advance(120_000);
      seen.note(keySet(other));
      expect(seen.haveAgreed).toBe(false);
      seen.note(keySet(key("a")));
      expect(seen.haveAgreed).toBe(false);
    }
  });
});

describe("responses with different keys", () => {
  test("show that replicas differ when each has a key that the other lacks", () => {
    const crossed = seenBy(keySet(key("a")), keySet(key("b"))).seen.finding(false);
    expect(crossed?.detail).toMatch(/2 different sets of keys: "a"; "b"\./);
    expect(crossed?.evidence).toEqual({ sets: [["a"], ["b"]] });
  });

  test("show it when they have the same key in another form, and what is wrong with one of them", () => {
    const bad = key("a", "AQAB", { key_ops: ["verify"] });
    const { seen } = seenBy(keySet(key("a")), keySet(bad));
    expect(seen.finding(false)?.detail).toMatch(
      /2 different sets of keys: "a"; "a" \(it has key_ops, .+\)\./,
    );
  });

  test("may show a rotation when one only has more keys: reported only for a missing key", () => {
    const { seen } = seenBy(keySet(key("a")), keySet(key("a"), key("b")));
    expect(seen.finding(false)).toBeUndefined();
    expect(seen.finding(true)).toBeDefined();
  });

  test("count for one minute, whatever the machine's clock is set to meanwhile", async () => {
    const { clock, seen } = seenBy(keySet(key("a")), keySet(key("b")));
    await clock.advance(59_999);
    expect(seen.doDiffer).toBe(true);
    await clock.advance(1);
    expect(seen.doDiffer).toBe(false);
    for (const stepMs of [-1_000, 3_600_000]) {
      const other = seenBy(keySet(key("a")), keySet(key("b")));
      other.clock.setWallClock(other.clock.now() + stepMs);
      expect(other.seen.doDiffer).toBe(true);
    }
  });

  test("make a short finding, whatever the issuer publishes", () => {
    const kid = fc.string({ maxLength: 3_000 });
    fc.assert(
      fc.property(fc.array(fc.array(kid, { maxLength: 40 }), { minLength: 2 }), (sets) => {
        const { seen } = seenBy(...sets.map((kids) => keySet(...kids.map((each) => key(each)))));
        const finding = seen.finding(true);
        expect(finding !== undefined).toBe(seen.doDiffer);
        expect((finding?.detail ?? "").length).toBeLessThan(8 * 5 * 150);
      }),
      { numRuns: 50 },
    );
  });
});
