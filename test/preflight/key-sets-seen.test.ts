import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readKeySet } from "../../src/preflight/key-set.js";
import { ANSWERS_THAT_AGREE, KeySetsSeen } from "../../src/preflight/key-sets-seen.js";
import { FakeClock } from "../support/fake-clock.js";

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

describe("answers with the same keys", () => {
  test("agree when there are eight of them within 30 s", async () => {
    const set = keySet(key("a"));
    const { clock, seen } = seenBy(...times(ANSWERS_THAT_AGREE - 1, set));
    expect(seen.doAgree).toBe(false);
    await clock.advance(29_999);
    seen.note(set);
    expect(seen.doAgree).toBe(true);
    await clock.advance(1);
    expect(seen.doAgree).toBe(false);
  });

  test("are those with the same kids for the same keys, in any order and with anything beside", () => {
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
  ])("are not those with %s", (_, keys) => {
    const { seen } = seenBy(...times(ANSWERS_THAT_AGREE, keySet(key("a"))), keySet(...keys));
    expect(seen.doDiffer).toBe(true);
    expect(seen.doAgree).toBe(false);
    expect(seen.finding(true)).toMatchObject({ id: "jwks-inconsistent", severity: "suspect" });
  });
});

describe("answers with other keys", () => {
  test("are those of replicas where each has a key that the other lacks", () => {
    const crossed = seenBy(keySet(key("a")), keySet(key("b"))).seen.finding(false);
    expect(crossed?.detail).toMatch(/2 different sets of keys: "a"; "b"\./);
    expect(crossed?.evidence).toEqual({ sets: [["a"], ["b"]] });
  });

  test("may be a rotation where one only has more: told when a key is missing alone", () => {
    const { seen } = seenBy(keySet(key("a")), keySet(key("a"), key("b")));
    expect(seen.finding(false)).toBeUndefined();
    expect(seen.finding(true)).toBeDefined();
  });

  test("count for a minute, and not when the clock was set back", async () => {
    const { clock, seen } = seenBy(keySet(key("a")), keySet(key("b")));
    await clock.advance(59_999);
    expect(seen.doDiffer).toBe(true);
    await clock.advance(1);
    expect(seen.doDiffer).toBe(false);
    const other = seenBy(keySet(key("a")), keySet(key("b")));
    other.clock.setWallClock(other.clock.now() - 1_000);
    expect(other.seen.doDiffer).toBe(false);
  });

  test("are told in few words, whatever a stranger publishes", () => {
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
