import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { momentOf } from "../../src/runtime/clock.js";
import { ServerClock } from "../../src/sts/server-clock.js";
import { FakeClock } from "../support/fake-clock.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** `Date` and `Expiration` have whole seconds. */
const second = (ms: number) => Math.floor(ms / 1000) * 1000;
const httpDate = (ms: number) => new Date(ms).toUTCString();

interface ResponseFacts {
  /** STS's clock minus this machine's, in milliseconds. */
  readonly stsMs?: number;
  /** The error of the `Date`, in milliseconds; or the header itself. */
  readonly lie?: number | string | undefined;
  readonly requestedMs?: number;
  readonly givenMs?: number;
  /** The time from the request, when STS writes its times, to the response. */
  readonly tookMs?: number;
}

/** A machine and one STS. */
function world() {
  const clock = new FakeClock();
  const server = new ServerClock(clock);
  /** How long the session lasts by the corrected expiration, and what was rejected. */
  const issue = (response: ResponseFacts) => {
    const { stsMs = 0, lie = 0, requestedMs = HOUR, givenMs = requestedMs, tookMs = 0 } = response;
    const stsNow = clock.now() + stsMs;
    const expiration = new Date(second(stsNow) + givenMs);
    const date = typeof lie === "string" ? lie : httpDate(stsNow + lie);
    const sentAt = momentOf(clock);
    clock.suspend(tookMs);
    const judged = server.learnFromSession({ date, expiration, requestedMs, sentAt });
    const lifetimeMs = expiration.getTime() - judged.skewMs - clock.now();
    return { lifetimeMs, rejected: judged.rejectedDate?.reason };
  };
  return { clock, server, issue };
}

describe("the clock of an STS endpoint", () => {
  test("is this machine's, and unverified, until a response shows it", () => {
    const { clock, server } = world();
    expect(server.read()).toEqual({ now: clock.now(), isVerified: false });
  });

  test.each([0, 14_000, -14_000])("is this machine's when it differs by %d ms", (stsMs) => {
    const { clock, server, issue } = world();
    issue({ stsMs });
    expect(server.read()).toEqual({ now: clock.now(), isVerified: true });
  });

  test.each([15_000, -15_000, 10 * MINUTE, -30 * MINUTE, 48 * HOUR, -48 * HOUR])(
    "is shown by the session it issues when it differs by %d ms",
    async (stsMs) => {
      const { clock, server, issue } = world();
      expect(issue({ stsMs })).toEqual({ lifetimeMs: HOUR, rejected: undefined });
      await clock.advance(5_000);
      expect(server.read().isVerified).toBe(true);
      expect(server.read().now - clock.now()).toBeCloseTo(stsMs, -4);
    },
  );

  test("is unverified again when the machine's clock was set, or the machine was suspended", () => {
    for (const change of [-MINUTE, MINUTE]) {
      const { clock, server, issue } = world();
      issue({ stsMs: 10 * MINUTE });
      clock.setWallClock(clock.now() + change);
      expect(server.read()).toEqual({ now: clock.now(), isVerified: false });
    }
  });

  test("is this machine's after a response that took a minute, with the Date of its request", () => {
    const { clock, server, issue } = world();
    issue({ tookMs: MINUTE });
    expect(server.read()).toEqual({ now: clock.now(), isVerified: true });
  });

  test("is the time that the last response has shown", () => {
    const { clock, server, issue } = world();
    issue({ stsMs: HOUR });
    issue({ stsMs: -HOUR });
    expect(server.read().now - clock.now()).toBeCloseTo(-HOUR, -4);
  });

  test("is shown by a refusal only if this machine's clock agrees", () => {
    const { clock, server } = world();
    const dates = [0, clock.now() + 15_000, clock.now() - 15_000].map(httpDate);
    for (const date of [undefined, "", "soon", ...dates]) {
      server.learnFromRefusal(date);
      expect(server.read().isVerified).toBe(false);
    }
    server.learnFromRefusal(httpDate(clock.now() - 2_000));
    expect(server.read()).toEqual({ now: clock.now(), isVerified: true });
  });
});

describe("a Date that can't be right", () => {
  test.each([
    ["of 1970", httpDate(0), "session-too-long"],
    ["of the year 9999", "Fri, 31 Dec 9999 23:59:59 GMT", "expired-on-arrival"],
    ["two hours behind", -2 * HOUR, "session-too-long"],
    ["two hours ahead", 2 * HOUR, "expired-on-arrival"],
    ["at the very end of the session", HOUR, "expired-on-arrival"],
    // It would be possible, but by the other clock the session has exactly the requested length.
    ["half an hour ahead", 30 * MINUTE, "session-too-long"],
  ])("(%s) is rejected, however wrong this machine's clock is", (_, lie, reason) => {
    for (const stsMs of [0, 10 * MINUTE, -10 * MINUTE, 5 * HOUR, -5 * HOUR]) {
      const { lifetimeMs, rejected } = world().issue({ stsMs, lie });
      if (typeof lie === "number" && Math.abs(lie) < HOUR && stsMs !== 0) {
        // Neither clock is proven: the session may last less than requested, and never longer.
        expect(lifetimeMs).toBeLessThanOrEqual(HOUR);
        expect(lifetimeMs).toBeGreaterThan(0);
        continue;
      }
      expect(rejected).toBe(reason);
      expect(lifetimeMs).toBeLessThanOrEqual(HOUR + 1_000);
      expect(lifetimeMs).toBeGreaterThan(40 * MINUTE);
    }
  });

  test("is reported with its value and its difference", () => {
    const { clock, server } = world();
    const expiration = new Date(second(clock.now()) + HOUR);
    const times = { expiration, requestedMs: HOUR, sentAt: momentOf(clock) };
    const { skewMs, rejectedDate } = server.learnFromSession({ date: httpDate(0), ...times });
    expect(skewMs).toBe(0);
    expect(rejectedDate).toEqual({
      date: "1970-01-01T00:00:00.000Z",
      skewMs: -clock.now(),
      expiration: expiration.toISOString(),
      reason: "session-too-long",
    });
  });

  test("does not change what earlier responses have shown", () => {
    const { server, issue } = world();
    issue({ stsMs: -2 * HOUR });
    const before = server.read();
    expect(issue({ stsMs: -2 * HOUR, lie: httpDate(0) }).lifetimeMs).toBe(HOUR);
    expect(server.read()).toEqual(before);
  });

  test("keeps this machine's clock verified if the session proves it right", () => {
    const { server, issue } = world();
    issue({ lie: 2 * HOUR });
    expect(server.read().isVerified).toBe(true);
  });
});

describe("the lifetime of a session", () => {
  test.each<[string, ResponseFacts, number]>([
    ["counts by this machine's clock without a Date", { lie: "" }, HOUR],
    ["counts by this machine's clock with a Date that is not a date", { lie: "soon" }, HOUR],
    ["may be longer than requested without a Date", { lie: "", givenMs: 12 * HOUR }, 12 * HOUR],
    [
      "has passed without a Date if this machine's clock shows it",
      { lie: "", givenMs: -HOUR },
      -HOUR,
    ],
    ["may be shorter than requested", { givenMs: 900_000 }, 900_000],
    ["may be longer than requested if both clocks agree", { givenMs: 12 * HOUR }, 12 * HOUR],
    ["has passed if both clocks agree", { givenMs: -HOUR }, -HOUR],
    ["is the shorter one of two", { stsMs: 10 * MINUTE, givenMs: 900_000 }, 900_000],
    ["is the shorter one of two", { stsMs: -10 * MINUTE, givenMs: 900_000 }, 300_000],
    ["loses the time of its response", { stsMs: 10 * MINUTE, tookMs: MINUTE }, 59 * MINUTE],
    [
      "loses the time of its response if it is shorter than requested",
      { stsMs: 10 * MINUTE, givenMs: 900_000, tookMs: MINUTE },
      14 * MINUTE,
    ],
  ])("%s", (_, response, lifetimeMs) => {
    expect(world().issue(response).lifetimeMs / 1000).toBeCloseTo(lifetimeMs / 1000, -1);
  });

  test("is not changed by the milliseconds in which a response is read", () => {
    const clock = new FakeClock();
    let ticks = 0;
    const now = () => {
      ticks += 1;
      return clock.now() + ticks;
    };
    const server = new ServerClock(Object.assign(new FakeClock(), { now }));
    const expiration = new Date("2099-01-01T00:00:00Z");
    const sentAt = momentOf(clock);
    expect(
      server.learnFromSession({ date: undefined, expiration, requestedMs: HOUR, sentAt }).skewMs,
    ).toBe(0);
  });

  test("is unknown without an expiration, and is not corrected", () => {
    const { clock, server } = world();
    const response = { expiration: undefined, requestedMs: HOUR, sentAt: momentOf(clock) };
    expect(server.learnFromSession({ date: httpDate(0), ...response })).toEqual({ skewMs: 0 });
    expect(server.read().isVerified).toBe(false);
  });

  test.each([
    ["suspended, on a system that says so", true],
    ["suspended, on a system that does not say so", false],
  ])(
    "loses the time in which the machine was %s before the response was read",
    (_, hasBootClock) => {
      const clock = new FakeClock();
      if (hasBootClock) clock.withBootClock();
      const server = new ServerClock(clock);
      const sentAt = momentOf(clock);
      const [date, start] = [httpDate(clock.now()), second(clock.now())];
      clock.suspend(40 * MINUTE);
      const expiration = new Date(start + HOUR);
      const { skewMs } = server.learnFromSession({ date, expiration, requestedMs: HOUR, sentAt });
      expect(expiration.getTime() - skewMs - clock.now()).toBeCloseTo(20 * MINUTE, -4);
    },
  );

  test("is the requested one, with a wrong Date, while no response has shown the clock", () => {
    const { issue } = world();
    expect(issue({ lie: httpDate(0), givenMs: 900_000 }).lifetimeMs).toBe(HOUR);
  });

  test("counts by the clock that earlier responses have shown, with a wrong Date", () => {
    const { issue } = world();
    issue({ stsMs: 10 * MINUTE });
    const wrong = { stsMs: 10 * MINUTE, lie: httpDate(0) };
    expect(issue({ ...wrong, givenMs: 900_000 }).lifetimeMs).toBe(900_000);
    expect(issue({ ...wrong, givenMs: 12 * HOUR }).lifetimeMs).toBe(HOUR);
  });

  test("may differ from the requested one by less than 15 seconds", () => {
    const issue = (givenMs: number) => world().issue({ stsMs: 10 * MINUTE, givenMs }).rejected;
    expect([issue(HOUR + 14_000), issue(HOUR + 15_000)]).toEqual([undefined, "session-too-long"]);
  });

  test("is never too long and never empty, for any two clocks", () => {
    const off = fc.integer({ min: -50 * HOUR, max: 50 * HOUR });
    const lie = fc.oneof(
      fc.constant(0),
      fc.integer({ min: -50 * HOUR, max: 50 * HOUR }),
      fc.constantFrom(httpDate(0), "Fri, 31 Dec 9999 23:59:59 GMT", "", "nonsense"),
    );
    const requested = fc.constantFrom(900_000, HOUR, 12 * HOUR);
    fc.assert(
      fc.property(off, lie, requested, (stsMs, lied, requestedMs) => {
        const { issue } = world();
        const { lifetimeMs } = issue({ stsMs, lie: lied, requestedMs });
        // A Date with the error of this machine's clock, or a missing one, can't be recognized as wrong.
        const isAlone = typeof lied === "string" && Number.isNaN(Date.parse(lied));
        if (isAlone || (typeof lied === "number" && Math.abs(stsMs + lied) < 16_000)) return;
        expect(lifetimeMs).toBeGreaterThan(0);
        expect(lifetimeMs).toBeLessThanOrEqual(requestedMs + 30_000);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("a token that STS refused as expired", () => {
  test("is remembered for five minutes", async () => {
    const { clock, server } = world();
    expect(server.isKnownExpired("a")).toBe(false);
    server.noteExpired("a");
    expect([server.isKnownExpired("a"), server.isKnownExpired("b")]).toEqual([true, false]);
    await clock.advance(299_999);
    expect(server.isKnownExpired("a")).toBe(true);
    await clock.advance(1);
    expect(server.isKnownExpired("a")).toBe(false);
  });
});
