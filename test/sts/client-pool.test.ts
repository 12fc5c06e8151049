import { describe, expect, test, vi } from "vitest";
import { momentOf } from "../../src/runtime/clock.js";
import type { ClientPool, PooledClient } from "../../src/sts/client-pool.js";
import type { StsTarget } from "../../src/sts/target.js";
import { FakeClock } from "../support/fake-clock.js";
import { makePool } from "../support/make-pool.js";
import { makeTarget } from "../support/make-target.js";

const handler = () =>
  ({ handle: async () => ({}) }) as unknown as StsTarget["config"]["requestHandler"];
const withConfig = (config: StsTarget["config"]) => makeTarget({ config });

/** The client that a target gets. */
const clientOf = (pool: ClientPool, target: StsTarget) =>
  pool.use(target, async ({ client }) => client);

/** Whether two targets get the same client; `changed` is set in between. */
async function share(one: StsTarget, other: StsTarget, changed: Record<string, string> = {}) {
  const env: Record<string, string> = {};
  const pool = makePool({ env });
  const clients = [await clientOf(pool, one)];
  Object.assign(env, changed);
  clients.push(await clientOf(pool, other));
  expect(pool.size).toBe(clients[0] === clients[1] ? 1 : 2);
  return clients[0] === clients[1];
}

/** A client in use until it is given back. */
async function lend(pool: ClientPool, target: StsTarget) {
  let giveBack = () => {};
  const returned = new Promise<void>((resolve) => {
    giveBack = resolve;
  });
  let started: (pooled: PooledClient) => void = () => {};
  const lent = new Promise<PooledClient>((resolve) => {
    started = resolve;
  });
  const work = pool.use(target, (pooled) => {
    started(pooled);
    return returned;
  });
  const { client } = await lent;
  return {
    client,
    giveBack: () => {
      giveBack();
      return work;
    },
  };
}

describe("two targets share a client", () => {
  test("when their options are equal, in any order", async () => {
    expect(await share(makeTarget(), makeTarget())).toBe(true);
    const one = { region: "eu-west-1", endpoint: "http://localhost:1" };
    const other = { endpoint: "http://localhost:1", region: "eu-west-1" };
    expect(await share(withConfig(one), withConfig(other))).toBe(true);
  });

  test("when they need it at the same moment", async () => {
    const pool = makePool();
    const clients = await Promise.all(
      Array.from({ length: 50 }, () => clientOf(pool, makeTarget())),
    );
    expect([new Set(clients).size, pool.size]).toEqual([1, 1]);
  });

  test("when the literals in their options are equal, four levels deep and no deeper", async () => {
    const nested = (levels: number): object => (levels === 0 ? {} : { a: nested(levels - 1) });
    const own = (levels: number) => withConfig({ requestHandler: { a: null, b: nested(levels) } });
    expect(await share(own(2), own(2))).toBe(true);
    expect(await share(own(3), own(3))).toBe(false);
    expect(await share(own(1), own(2))).toBe(false);
  });

  test("when values that can't be compared are identical", async () => {
    const requestHandler = handler() as NonNullable<ReturnType<typeof handler>>;
    const config = { region: "eu-west-1", requestHandler };
    expect(await share(withConfig(config), withConfig({ ...config }))).toBe(true);
  });
});

describe("two targets do not share a client", () => {
  const base = { region: "eu-west-1" };
  test.each<[string, StsTarget["config"]]>([
    ["region", { region: "eu-west-2" }],
    ["endpoint", { ...base, endpoint: "http://localhost:2" }],
    ["FIPS", { ...base, useFipsEndpoint: true }],
    ["global endpoint", { ...base, useGlobalEndpoint: true }],
    ["profile", { ...base, profile: "other" }],
    ["app id", { ...base, userAgentAppId: "other" }],
  ])("of another %s", async (_, config) => {
    expect(await share(withConfig(base), withConfig(config))).toBe(false);
  });

  test("with handlers or plugins that are only similar", async () => {
    const own = () => withConfig({ ...base, requestHandler: handler() as never });
    expect(await share(own(), own())).toBe(false);
    const plugged = () => makeTarget({ plugins: [{ applyToStack: () => {} }] });
    expect(await share(plugged(), plugged())).toBe(false);
  });

  test.each(["AWS_ENDPOINT_URL_STS", "AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_USE_FIPS_ENDPOINT"])(
    "with another %s, which the SDK reads by itself",
    async (name) => {
      expect(await share(makeTarget(), makeTarget(), { [name]: "x" })).toBe(false);
      expect(await share(makeTarget(), makeTarget(), { UNRELATED: "x" })).toBe(true);
    },
  );
});

describe("a client", () => {
  test("sends each request once, whatever the retry options are", async () => {
    const config = { region: "eu-west-1", maxAttempts: 9, retryMode: "adaptive" };
    const client = await clientOf(makePool(), withConfig(config));
    expect(await client.config.maxAttempts()).toBe(1);
  });

  test("gets the plugins of its target", async () => {
    const seen: unknown[] = [];
    const plugin = { applyToStack: (stack: unknown) => seen.push(stack) };
    await clientOf(makePool(), makeTarget({ plugins: [plugin] as never }));
    expect(seen).toHaveLength(1);
  });

  test("is returned when the work fails", async () => {
    const pool = makePool();
    const failing = pool.use(makeTarget(), async () => Promise.reject(new Error("no")));
    await expect(failing).rejects.toThrow("no");
    pool.release(makeTarget());
    expect(pool.size).toBe(0);
  });
});

describe("a released client", () => {
  test("is closed if it is idle, and the next caller gets a new one", async () => {
    const pool = makePool();
    const first = await clientOf(pool, makeTarget());
    pool.release(makeTarget());
    expect(pool.size).toBe(0);
    expect(await clientOf(pool, makeTarget())).not.toBe(first);
  });

  test("stays open while it is in use", async () => {
    const pool = makePool();
    const { client, giveBack } = await lend(pool, makeTarget());
    pool.release(makeTarget());
    expect(await clientOf(pool, makeTarget())).toBe(client);
    await giveBack();
    expect(pool.size).toBe(1);
  });

  test("is closed when the last caller returns it", async () => {
    const pool = makePool();
    const [one, other] = [await lend(pool, makeTarget()), await lend(pool, makeTarget())];
    const destroy = vi.spyOn(one.client, "destroy");
    pool.release(makeTarget());
    await one.giveBack();
    expect([pool.size, destroy.mock.calls.length]).toEqual([1, 0]);
    await other.giveBack();
    expect([pool.size, destroy.mock.calls.length]).toEqual([0, 1]);
  });

  test("is not destroyed if its connections belong to the calling client", async () => {
    const pool = makePool();
    const target = withConfig({ region: "eu-west-1", requestHandler: handler() as never });
    const destroy = vi.spyOn(await clientOf(pool, target), "destroy");
    pool.release(target);
    expect([pool.size, destroy.mock.calls.length]).toEqual([0, 0]);
  });

  test("does not belong to the target that a provider gets for an equal one", async () => {
    const pool = makePool();
    const [kept, unused] = [makeTarget(), withConfig({ region: "eu-west-2" })];
    await clientOf(pool, kept);
    const replaced = pool.replaceTargets([kept], [makeTarget(), unused]);
    expect(replaced).toHaveLength(2);
    expect(replaced[0]).toBe(kept);
    expect(replaced[1]).toBe(unused);
  });

  test("belongs to a target that equals none of the new targets of its provider", async () => {
    const pool = makePool();
    const other = withConfig({ region: "eu-west-2" });
    const [kept, left] = [await clientOf(pool, makeTarget()), await clientOf(pool, other)];
    const used = makeTarget();
    const [target] = pool.replaceTargets([makeTarget(), other], [used]);
    expect(target).not.toBe(used);
    expect([pool.size, await clientOf(pool, makeTarget())]).toEqual([1, kept]);
    expect(await clientOf(pool, other)).not.toBe(left);
  });

  test("may belong to a target that was never used", () => {
    expect(() => makePool().release(makeTarget())).not.toThrow();
  });
});

describe("of many clients", () => {
  const numbered = (n: number) => withConfig({ region: `eu-west-${n}` });

  test("the sixteen most recently used are kept", async () => {
    const pool = makePool();
    const first = await clientOf(pool, numbered(1));
    const second = await clientOf(pool, numbered(2));
    for (let n = 3; n <= 16; n += 1) await clientOf(pool, numbered(n));
    await clientOf(pool, numbered(1));
    await clientOf(pool, numbered(17));
    expect(pool.size).toBe(16);
    expect(await clientOf(pool, numbered(1))).toBe(first);
    expect(await clientOf(pool, numbered(2))).not.toBe(second);
  });

  test("a client in use is kept, however long ago its use began", async () => {
    const pool = makePool();
    const { client, giveBack } = await lend(pool, numbered(1));
    for (let n = 2; n <= 40; n += 1) await clientOf(pool, numbered(n));
    expect(await clientOf(pool, numbered(1))).toBe(client);
    await giveBack();
    expect(pool.size).toBe(16);
  });
});

describe("what an endpoint has shown", () => {
  const config = { region: "eu-west-1" };

  test("is shared by all targets of the endpoint, whatever they send their calls with", () => {
    const pool = makePool();
    const [one, other] = [
      withConfig({ ...config, requestHandler: handler() as never, userAgentAppId: "a" }),
      makeTarget({ config: { ...config, logger: console }, plugins: [{ applyToStack() {} }] }),
    ];
    expect(pool.breaker(one)).toBe(pool.breaker(other));
    expect(pool.serverClock(one)).toBe(pool.serverClock(other));
  });

  test.each<[string, StsTarget["config"]]>([
    ["region", { region: "eu-west-2" }],
    ["endpoint", { ...config, endpoint: "http://localhost:2" }],
    ["profile", { ...config, profile: "other" }],
    ["FIPS setting", { ...config, useFipsEndpoint: true }],
    ["dual-stack setting", { ...config, useDualstackEndpoint: true }],
    ["global setting", { ...config, useGlobalEndpoint: true }],
  ])("is not shared with another %s", (_, other) => {
    const pool = makePool();
    expect(pool.breaker(withConfig(config))).not.toBe(pool.breaker(withConfig(other)));
    expect(pool.serverClock(withConfig(config))).not.toBe(pool.serverClock(withConfig(other)));
  });

  test("is not shared when a variable that the SDK reads has changed", () => {
    const env: Record<string, string> = {};
    const pool = makePool({ env });
    const before = pool.breaker(makeTarget());
    env.AWS_ENDPOINT_URL_STS = "http://localhost:2";
    expect(pool.breaker(makeTarget())).not.toBe(before);
  });

  test("is remembered for 256 endpoints, and the first of them is forgotten first", () => {
    const pool = makePool();
    const numbered = (n: number) => pool.breaker(withConfig({ region: `eu-west-${n}` }));
    const [first, second] = [numbered(1), numbered(2)];
    for (let n = 3; n <= 256; n += 1) numbered(n);
    expect(numbered(1)).toBe(first);
    numbered(257);
    expect(numbered(2)).toBe(second);
    expect(numbered(1)).not.toBe(first);
  });

  test("depends on the clock and the random source of the pool", () => {
    const clock = new FakeClock();
    const pool = makePool({ clock, random: () => 0.5 });
    pool.breaker(makeTarget()).failed();
    expect(pool.breaker(makeTarget()).openForMs).toBe(45_000);
    expect(pool.serverClock(makeTarget()).read().now).toBe(clock.now());
    expect(pool.clock).toBe(clock);
  });
});

describe("two requests at the same time", () => {
  const base = { region: "eu-west-1" };
  /** How many requests are sent for both. */
  async function sent(one: StsTarget, other: StsTarget, names = ["request", "request"]) {
    const clock = new FakeClock();
    const pool = makePool({ clock });
    const response = { output: { $metadata: {} }, date: undefined, sentAt: momentOf(clock) };
    const send = vi.fn(async () => response);
    const { signal } = new AbortController();
    const responses = await Promise.all(
      [one, other].map((target, n) =>
        pool.share({ target, request: names[n] ?? "", signal }, send),
      ),
    );
    expect(responses).toEqual([response, response]);
    return send.mock.calls.length;
  }

  test("are sent once if they are equal, whichever connections they use", async () => {
    const lent = (userAgentAppId: string) => {
      return withConfig({ ...base, userAgentAppId, requestHandler: handler() as never });
    };
    expect(await sent(lent("a"), lent("b"))).toBe(1);
  });

  test.each<[string, Partial<StsTarget>, Partial<StsTarget>]>([
    ["own request handlers", { isHandlerLent: false }, { isHandlerLent: false }],
    ["other regions", { config: base }, { config: { region: "eu-west-2" } }],
    ["other plugins", { plugins: [{ applyToStack() {} }] }, { plugins: [{ applyToStack() {} }] }],
  ])("are sent twice with %s", async (_, one, other) => {
    const own = (changes: Partial<StsTarget>) =>
      makeTarget({ config: { ...base, requestHandler: handler() as never }, ...changes });
    expect(await sent(own(one), own(other))).toBe(2);
  });

  test("are sent twice if their contents differ", async () => {
    expect(await sent(makeTarget(), makeTarget(), ["one", "other"])).toBe(2);
  });
});
