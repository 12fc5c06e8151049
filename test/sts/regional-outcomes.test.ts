import { describe, expect, test } from "vitest";
import type { EventBody } from "../../src/model/events.js";
import type { Verdict } from "../../src/model/failure.js";
import { judge } from "../../src/retry/verdict.js";
import { startDeadline } from "../../src/runtime/clock.js";
import { createRegionalCaller, type RegionalCallerOptions } from "../../src/sts/regional-caller.js";
import {
  bytes,
  failureOf,
  granted,
  INPUT,
  never,
  refusal,
  respondingEndpoint,
  sessionXml,
  untilSent,
} from "../support/responding-endpoint.js";

const [FIRST, SECOND] = ["eu-west-1", "eu-central-1"] as const;

type Respond = Parameters<typeof respondingEndpoint>[0];

/** STS in regions that respond as the test says, and the callers of one process. */
function regions(responses: Readonly<Record<string, Respond>>) {
  const current = { ...responses };
  const world = respondingEndpoint((request) => (current[request.region ?? ""] ?? never)(request));
  const events: EventBody[] = [];
  const caller = (
    options: Partial<RegionalCallerOptions["limits"]> & {
      readonly retryAccessDenied?: boolean;
    } = {},
    names: readonly [string, ...string[]] = [FIRST, SECOND],
  ) => {
    const { retryAccessDenied = false, ...changes } = options;
    const limits = {
      attemptTimeoutMs: 5_000,
      hedgeAfterMs: undefined,
      budgetMs: 60_000,
      ...changes,
    };
    const [first, ...others] = names;
    const sts = createRegionalCaller({
      targets: [world.targetIn(first), ...others.map(world.targetIn)],
      ...{ pool: world.pool, judge, retryAccessDenied, limits },
      signal: new AbortController().signal,
      emit: (event) => events.push(event),
    });
    const call = (input = {}, budgetMs = limits.budgetMs) =>
      sts.call({ ...INPUT, ...input }, startDeadline(world.clock, budgetMs));
    return { sts, call };
  };
  const called = () => world.sent.map(({ region }) => region);
  return { ...world, responses: current, events, caller, called };
}

const busy = (seconds: number, code = "ThrottlingException") =>
  refusal(code, { headers: { "retry-after": String(seconds) } });

describe("a region that requests a wait", () => {
  test("is left for another one if the wait takes most of the remaining time", async () => {
    const { caller, called } = regions({ [FIRST]: busy(31), [SECOND]: granted() });
    const { call } = caller();
    const failure = await failureOf(call());
    expect(failure).toMatchObject({ code: "ThrottlingException", alternative: true });
    expect(failure.retryAfterMs).toBeUndefined();
    await call();
    expect(called()).toEqual([FIRST, SECOND]);
  });

  test.each<[string, Respond, readonly [string, ...string[]]]>([
    ["the wait takes half of the remaining time", busy(30), [FIRST, SECOND]],
    ["no other region can be called", busy(31), [FIRST]],
    ["every region would refuse the call", busy(31, "AccessDenied"), [FIRST, SECOND]],
  ])("is called again after the wait if %s", async (_, respond, names) => {
    const { caller, called } = regions({ [FIRST]: respond, [SECOND]: granted() });
    const { call } = caller({}, names);
    const failure = await failureOf(call());
    expect(failure.alternative).toBe(false);
    expect(failure.retryAfterMs).toBeGreaterThanOrEqual(30_000);
    await failureOf(call());
    expect(called()).toEqual([FIRST, FIRST]);
  });
});

describe("a hedged call", () => {
  const hedged = (respond: Respond, options = {}) => {
    const world = regions({ [FIRST]: never, [SECOND]: granted() });
    const { call } = world.caller({ hedgeAfterMs: 500, ...options });
    /** The first region responds after the hedged request was sent, which gets no response. */
    const late = async () => {
      world.responses[SECOND] = never;
      let respondNow = () => {};
      const released = new Promise<void>((resolve) => {
        respondNow = resolve;
      });
      world.responses[FIRST] = async (request) => {
        await released;
        return respond(request);
      };
      const outcome = failureOf(call());
      await untilSent(world, 1);
      await world.clock.advance(500);
      await untilSent(world, 2);
      respondNow();
      return { outcome };
    };
    return { ...world, call, late };
  };

  test.each<[Verdict, string]>([
    ["token-rejected", "IDPRejectedClaim"],
    ["token-expired", "ExpiredTokenException"],
    ["request-invalid", "ValidationError"],
    ["access-denied", "AccessDenied"],
  ])("ends immediately with the verdict %s of the first region", async (verdict, code) => {
    const { late, sent } = hedged(refusal(code));
    const { outcome } = await late();
    const failure = await outcome;
    expect([failure.code, judge(failure), failure.region]).toEqual([code, verdict, FIRST]);
    expect(sent[1]?.abortSignal?.aborted).toBe(true);
  });

  test.each<[string, Respond, object]>([
    ["is throttled", refusal("ThrottlingException"), {}],
    ["denies access, which may pass", refusal("AccessDenied"), { retryAccessDenied: true }],
  ])("waits for the second region if the first one %s", async (_, respond, options) => {
    const world = hedged(respond, options);
    const { outcome } = await world.late();
    await world.clock.flush();
    expect(world.sent[1]?.abortSignal?.aborted).toBe(false);
    await world.clock.advance(5_000);
    expect(await outcome).toMatchObject({ region: FIRST });
  });

  test("opens the circuit of a region that three such calls found silent for a second", async () => {
    const world = hedged(granted());
    for (const count of [1, 2, 3]) {
      expect(world.pool.breaker(world.targetIn(FIRST)).openForMs).toBe(0);
      const outcome = world.caller({ hedgeAfterMs: 500 }).call();
      await untilSent(world, 2 * count - 1);
      await world.clock.advance(500);
      await outcome;
    }
    expect(world.called()).toEqual([FIRST, SECOND, FIRST, SECOND, FIRST, SECOND]);
    expect(world.pool.breaker(world.targetIn(FIRST)).openForMs).toBe(30_000);
  });

  test("does not open a circuit while its region was silent for less than a second in total", async () => {
    const world = hedged(granted());
    await world.clock.advance(60_000);
    for (const count of [1, 2, 3]) {
      const outcome = world.caller({ hedgeAfterMs: 300 }).call();
      await untilSent(world, 2 * count - 1);
      await world.clock.advance(300);
      await outcome;
    }
    expect(world.pool.breaker(world.targetIn(FIRST)).openForMs).toBe(0);
  });

  test("does not count a slow response of the first region as silence", async () => {
    const world = hedged(async () => granted()());
    const { call } = world.caller({ hedgeAfterMs: 500 });
    const silent = async (sent: number) => {
      world.responses[FIRST] = never;
      world.responses[SECOND] = granted();
      const outcome = call();
      await untilSent(world, sent);
      await world.clock.advance(500);
      await outcome;
    };
    await (await world.late()).outcome.catch(() => {});
    await silent(3);
    await silent(5);
    expect(world.called()).toEqual([FIRST, SECOND, FIRST, SECOND, FIRST, SECOND]);
    expect(world.pool.breaker(world.targetIn(FIRST)).openForMs).toBe(0);
  });

  test("is not made without another region", async () => {
    const world = regions({ [FIRST]: never });
    const outcome = failureOf(world.caller({ hedgeAfterMs: 500 }, [FIRST]).call());
    await untilSent(world, 1);
    await world.clock.advance(5_000);
    expect(await outcome).toMatchObject({ kind: "timeout", region: FIRST });
    expect(world.called()).toEqual([FIRST]);
  });

  test("passes its probe of the second region to the next caller if the first one responds", async () => {
    const world = regions({ [FIRST]: never, [SECOND]: never });
    world.pool.breaker(world.targetIn(SECOND)).failed();
    await world.clock.advance(30_000);
    let respondNow = () => {};
    const released = new Promise<void>((resolve) => {
      respondNow = resolve;
    });
    world.responses[FIRST] = async () => {
      await released;
      return granted()();
    };
    const outcome = world.caller({ hedgeAfterMs: 500 }).call();
    await untilSent(world, 1);
    await world.clock.advance(500);
    await untilSent(world, 2);
    expect(world.pool.breaker(world.targetIn(SECOND)).permit()).toBeUndefined();
    respondNow();
    await outcome;
    expect(world.pool.breaker(world.targetIn(SECOND)).permit()).toBe("probe");
    expect(world.events).toEqual([]);
  });
});

describe("an outcome of a region", () => {
  test("shows a token that STS refused as expired to the clock of the endpoint", async () => {
    const { caller, pool, target } = regions({ [FIRST]: refusal("ExpiredTokenException") });
    expect(await failureOf(caller().call())).toMatchObject({ code: "ExpiredTokenException" });
    expect(pool.serverClock(target).isKnownExpired(INPUT.WebIdentityToken)).toBe(true);
  });

  test("shows no expired token to that clock if STS refused it for another reason", async () => {
    const { caller, pool, target } = regions({ [FIRST]: refusal("InvalidIdentityToken") });
    await failureOf(caller().call());
    expect(pool.serverClock(target).isKnownExpired(INPUT.WebIdentityToken)).toBe(false);
  });

  test("with a Date that can't be right is reported as an event", async () => {
    const world = regions({
      [FIRST]: async () => ({
        headers: { date: new Date(0).toUTCString() },
        body: bytes(sessionXml({ expiresAt: world.clock.now() + 3_600_000 })),
      }),
    });
    await world.caller().call();
    expect(world.events).toEqual([
      {
        ...{ type: "sts-date.rejected", region: FIRST, reason: "session-too-long" },
        ...{ dateAt: 0, skewMs: -world.clock.now(), expiresAt: world.clock.now() + 3_600_000 },
      },
    ]);
  });

  test("closes the circuit of a region that responds to its probe", async () => {
    const world = regions({ [FIRST]: granted() });
    const breaker = world.pool.breaker(world.target);
    breaker.failed();
    await world.clock.advance(30_000);
    await world.caller().call();
    expect([breaker.permit(), world.events]).toEqual(["call", []]);
  });

  test("does not end the probe of a region if the call failed in this process", async () => {
    const world = regions({ [FIRST]: () => Promise.reject(new Error("a fault of a plugin")) });
    const breaker = world.pool.breaker(world.target);
    breaker.failed();
    await world.clock.advance(30_000);
    expect(await failureOf(world.caller().call())).toMatchObject({ kind: "local" });
    expect(breaker.permit()).toBeUndefined();
  });

  test("does not open the circuit of a region if the budget cut the call short", async () => {
    const world = regions({ [FIRST]: never });
    const outcome = failureOf(world.caller({}, [FIRST]).call({}, 1_000));
    await untilSent(world, 1);
    await world.clock.advance(1_000);
    expect(await outcome).toMatchObject({ cutShort: true });
    expect(world.pool.breaker(world.target).openForMs).toBe(0);
  });

  test("opens the circuit of a region that was silent for the whole timeout", async () => {
    const world = regions({ [FIRST]: never });
    const outcome = failureOf(world.caller().call());
    await untilSent(world, 1);
    await world.clock.advance(5_000);
    expect(await outcome).toMatchObject({ cutShort: false, alternative: true });
    expect(world.pool.breaker(world.target).openForMs).toBe(30_000);
  });

  test("gives a silent region a second, however small the budget is", async () => {
    const world = regions({ [FIRST]: never });
    const outcome = failureOf(world.caller({ budgetMs: 1_200 }).call({}, 60_000));
    await untilSent(world, 1);
    await world.clock.advance(1_000);
    expect(await outcome).toMatchObject({ message: "no response from STS within 1000 ms" });
  });
});

describe("a call in the queue of a region", () => {
  /** Forty calls to which the region does not respond, and one more in the queue. */
  async function queued(names: readonly [string, ...string[]]) {
    const world = regions({ [FIRST]: never });
    const calls = Array.from({ length: 41 }, (_, n) =>
      failureOf(world.caller({}, names).call({ RoleSessionName: `s${n}` })),
    );
    await untilSent(world, 40);
    await world.clock.advance(5_000);
    await Promise.all(calls.slice(0, 40));
    return { ...world, last: calls[40] };
  }

  test("is not made if the calls before it found the region silent, and another one is called", async () => {
    const { last, sent } = await queued([FIRST, SECOND]);
    expect(await last).toEqual({
      ...{ kind: "timeout", code: "TimeoutError", cutShort: true, alternative: true },
      ...{ region: FIRST },
      message: "not called: other calls to this region got no response in the meantime",
    });
    expect(sent).toHaveLength(40);
  });

  test("is made if no other region can be called", async () => {
    const world = await queued([FIRST]);
    await untilSent(world, 41);
    await world.clock.advance(5_000);
    expect(await world.last).toMatchObject({ cutShort: false, alternative: false });
  });
});
