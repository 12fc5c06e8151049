import { describe, expect, test } from "vitest";
import { CachedCredentials, type Situation } from "../../src/credentials/refresh-timing.js";
import { FakeClock } from "../support/fake-clock.js";

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

/** A clock that counts how often its monotonic time is read. */
class CountingClock extends FakeClock {
  reads = 0;

  constructor() {
    super();
    const { monotonic } = this;
    const value = () => {
      this.reads += 1;
      return monotonic();
    };
    Object.defineProperty(this, "monotonic", { value });
  }
}

/** Credentials of an hour, which are due at 15 minutes before their end and mandatory at one minute. */
function cached() {
  const clock = new CountingClock();
  const expiration = new Date(clock.now() + HOUR_MS);
  const windows = { advisoryWindowSeconds: 900, mandatoryWindowSeconds: 60 };
  const entry = new CachedCredentials(
    { accessKeyId: "AKID", expiration },
    { clock, windows, random: () => 0 },
  );
  return { clock, entry };
}

describe("cached credentials", () => {
  test.each<[leftMs: number, Situation, isDue: boolean]>([
    [HOUR_MS, "valid", false],
    [15 * MINUTE_MS + 1, "valid", false],
    [15 * MINUTE_MS, "advisory", true],
    [MINUTE_MS + 1, "advisory", true],
    [MINUTE_MS, "mandatory", true],
    [1, "mandatory", true],
    [0, "expired", true],
  ])("with %i ms left are %s", async (leftMs, situation, isDue) => {
    const { clock, entry } = cached();
    await clock.advance(HOUR_MS - leftMs);
    expect(entry.situation).toBe(situation);
    expect(entry.whileValid() === undefined).toBe(isDue);
    expect(entry.validForMs()).toBe(leftMs);
    expect(entry.mayHaveExpired).toBe(leftMs === 0);
  });

  test("are mandatory and due when a service has rejected them", () => {
    const { entry } = cached();
    expect(entry.whileValid()).toBeDefined();
    entry.invalidate();
    expect(entry.situation).toBe("mandatory");
    expect(entry.whileValid()).toBeUndefined();
    expect(entry.dueInMs()).toBe(0);
  });

  test("read one clock for a minute, then all clocks again", async () => {
    const { clock, entry } = cached();
    entry.whileValid();
    const first = clock.reads;
    expect(first).toBeGreaterThan(0);
    await clock.advance(MINUTE_MS - 1);
    const before = clock.reads;
    entry.whileValid();
    expect(clock.reads).toBe(before);
    await clock.advance(1);
    const after = clock.reads;
    entry.whileValid();
    expect(clock.reads).toBeGreaterThan(after);
  });
});
