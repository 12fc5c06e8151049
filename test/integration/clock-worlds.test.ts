import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { QUIET_CACHE } from "../../bench/support/quiet-cache.js";
import { CredentialCache } from "../../src/credentials/credential-cache.js";
import { momentOf } from "../../src/runtime/clock.js";
import { ServerClock } from "../../src/sts/server-clock.js";
import { FakeClock } from "../support/fake-clock.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** `Date` and `Expiration` have whole seconds. */
const SLACK_MS = 2_000;

interface Issued {
  readonly accessKeyId: string;
  readonly expiration: Date;
  /** In milliseconds of real time since the start. */
  readonly endsAt: number;
}

const LIES = {
  none: (ms: number) => new Date(ms).toUTCString(),
  "1970": () => "Thu, 01 Jan 1970 00:00:00 GMT",
  "9999": () => "Fri, 31 Dec 9999 23:59:59 GMT",
  behind: (ms: number) => new Date(ms - 2 * HOUR).toUTCString(),
  ahead: (ms: number) => new Date(ms + 2 * HOUR).toUTCString(),
};
type Lie = keyof typeof LIES;

/** A machine, and two independent STS endpoints. */
class World {
  readonly clock = new FakeClock();
  readonly servers: readonly Server[];
  readonly #start = this.clock.now();
  #suspended = 0;

  constructor(hasBootClock: boolean, offsets: readonly number[]) {
    if (hasBootClock) this.clock.withBootClock();
    this.servers = offsets.map((off) => new Server(this, off));
  }

  /** The real time since the start, in milliseconds. */
  passed(): number {
    return this.clock.monotonic() + this.#suspended;
  }

  trueNow(): number {
    return this.#start + this.passed();
  }

  suspend(ms: number): void {
    this.#suspended += ms;
    this.clock.suspend(ms);
  }

  setClock(byMs: number): void {
    this.clock.setWallClock(this.clock.now() + byMs);
  }
}

/** An STS with its own clock, and the cache of its credentials. */
class Server {
  isDown = false;
  lie: Lie = "none";
  last: Issued | undefined;
  readonly cache: CredentialCache<{ credentials: Issued }, { forceRefresh?: boolean }>;
  #issued = 0;

  constructor(world: World, offMs: number) {
    const { clock } = world;
    const serverClock = new ServerClock(clock);
    const refresh = async () => {
      if (this.isDown) throw new Error("STS is down");
      const sentAt = momentOf(clock);
      const now = world.trueNow() + offMs;
      const endMs = Math.floor(now / 1000) * 1000 + HOUR;
      const times = { date: LIES[this.lie](now), expiration: new Date(endMs), sentAt };
      const { skewMs } = serverClock.learnFromSession({ ...times, requestedMs: HOUR });
      this.#issued += 1;
      this.last = {
        accessKeyId: `AKID-${this.#issued}`,
        expiration: new Date(endMs - skewMs),
        endsAt: world.passed() + endMs - now,
      };
      return { credentials: this.last };
    };
    this.cache = new CredentialCache({
      refresh,
      staleResponse: () => new Error("a stale response"),
      ...QUIET_CACHE,
      clock,
      random: () => 0.5,
    });
  }
}

type Step =
  | { readonly do: "pass" | "suspend" | "set" | "glitch"; readonly ms: number }
  | { readonly do: "get" | "force" | "down" | "up"; readonly server: number }
  | { readonly do: "lie"; readonly server: number; readonly lie: Lie };

const server = fc.integer({ min: 0, max: 1 });
/** No sum of a few of these equals the distance of two false dates, which could not be distinguished. */
const jump = fc.constantFrom(-1507, -7, 7, 1507).map((minutes) => minutes * MINUTE);
const everywhere = [
  fc.record({ do: fc.constantFrom("pass" as const), ms: fc.integer({ min: 1, max: 40 * MINUTE }) }),
  fc.record({ do: fc.constantFrom("set" as const, "glitch" as const), ms: jump }),
  fc.record({ do: fc.constantFrom("get" as const, "get" as const, "force" as const), server }),
  fc.record({ do: fc.constantFrom("down" as const, "up" as const), server }),
  fc.record({
    do: fc.constant("lie" as const),
    server,
    lie: fc.constantFrom(...(Object.keys(LIES) as Lie[])),
  }),
];
const suspend = fc.record({
  do: fc.constant("suspend" as const),
  ms: fc.integer({ min: 1, max: 90 }).map((minutes) => minutes * MINUTE + 7_777),
});
const offsets = fc
  .tuple(fc.constantFrom(0, 30, -30), fc.constantFrom(0, 180, -180))
  .map((minutes) => minutes.map((each) => each * MINUTE));
const machineOff = fc.constantFrom(0, 10, -10, 30, -30).map((minutes) => minutes * MINUTE);

/** Plays the steps. With `mayRefuse`, callers may be refused valid credentials. */
async function play(world: World, steps: readonly Step[], mayRefuse: boolean): Promise<void> {
  const get = async (each: Server, forceRefresh: boolean) => {
    const { last } = each;
    const got = await each.cache.get({ forceRefresh }).catch(() => undefined);
    if (got !== undefined) {
      expect(got.endsAt, "served expired").toBeGreaterThan(world.passed() - SLACK_MS);
    } else if (!mayRefuse) {
      expect(each.isDown, "refused although STS responds").toBe(true);
      expect(last?.endsAt ?? 0, "refused while valid").toBeLessThan(world.passed() + SLACK_MS);
    }
  };
  for (const step of steps) {
    if (step.do === "pass") await world.clock.advance(step.ms);
    else if (step.do === "suspend") world.suspend(step.ms);
    else if (step.do === "set") world.setClock(step.ms);
    else if (step.do === "glitch") {
      world.setClock(step.ms);
      for (const each of world.servers) await get(each, false);
      // A background refresh ends before the clock moves again.
      await world.clock.flush();
      world.setClock(-step.ms);
    } else if ("server" in step) {
      const chosen = world.servers[step.server] as Server;
      if (step.do === "down" || step.do === "up") chosen.isDown = step.do === "down";
      // The first call after the backoff gets credentials.
      if (step.do === "up") await world.clock.advance(4_000);
      else if (step.do === "lie") chosen.lie = step.lie;
      else await get(chosen, step.do === "force");
    }
    // After each step, the callers of every server get a correct response.
    for (const each of world.servers) await get(each, false);
    await world.clock.flush();
  }
}

describe("with wrong, jumping and false clocks", () => {
  test("no caller gets expired credentials, or is refused valid ones, where the time since boot is known", async () => {
    const steps = fc.array(fc.oneof(...everywhere, suspend), { minLength: 5, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(machineOff, offsets, steps, async (off, apart, plan) => {
        const world = new World(true, apart);
        world.setClock(off);
        await play(world, plan, false);
      }),
      { numRuns: 300 },
    );
  });

  test("no caller gets expired credentials where the time since boot is not known", async () => {
    const steps = fc.array(fc.oneof(...everywhere), { minLength: 5, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(machineOff, offsets, steps, async (off, apart, plan) => {
        const world = new World(false, apart);
        world.setClock(off);
        await play(world, plan, true);
      }),
      { numRuns: 150 },
    );
  });
});
