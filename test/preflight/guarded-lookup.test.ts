import type { LookupAddress } from "node:dns";
import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import {
  guardedLookup,
  isPublicAddress,
  oneAtATime,
  type ResolveHost,
} from "../../src/preflight/guarded-lookup.js";

const ADDRESSES: readonly LookupAddress[] = [
  { address: "203.0.114.7", family: 4 },
  { address: "2600::7", family: 6 },
];

/** A resolver that responds when the test wants. */
function slowResolver() {
  const requested: string[] = [];
  let settle: (end: readonly LookupAddress[] | Error) => void = () => {};
  const resolve = oneAtATime((hostname) => {
    requested.push(hostname);
    return new Promise((succeed, fail) => {
      settle = (end) => (end instanceof Error ? fail(end) : succeed(end));
    });
  });
  return {
    requested,
    resolve,
    settle: async (end: readonly LookupAddress[] | Error) => {
      await nextTurn();
      settle(end);
      await nextTurn();
    },
  };
}

describe("a name that is already being resolved", () => {
  test("is resolved once for all callers", async () => {
    const { requested, resolve, settle } = slowResolver();
    const both = [resolve("a.invalid"), resolve("a.invalid")];
    await settle(ADDRESSES);
    expect(await Promise.all(both)).toEqual([ADDRESSES, ADDRESSES]);
    expect(requested).toEqual(["a.invalid"]);
  });

  test("is resolved again after the response, because responses are not cached", async () => {
    const { requested, resolve, settle } = slowResolver();
    const first = resolve("a.invalid");
    await settle(ADDRESSES);
    await first;
    void resolve("a.invalid");
    await nextTurn();
    expect(requested).toEqual(["a.invalid", "a.invalid"]);
  });

  test("fails for every caller, and the failure is not cached", async () => {
    const { requested, resolve, settle } = slowResolver();
    const both = Promise.allSettled([resolve("a.invalid"), resolve("a.invalid")]);
    const failure = Object.assign(new Error("no such name"), { code: "ENOTFOUND" });
    await settle(failure);
    expect(await both).toEqual([
      { status: "rejected", reason: failure },
      { status: "rejected", reason: failure },
    ]);
    void resolve("a.invalid");
    await nextTurn();
    expect(requested).toHaveLength(2);
  });
});

describe("several names", () => {
  test("are resolved one at a time, in the order of the calls", async () => {
    const { requested, resolve, settle } = slowResolver();
    const steps: string[] = [];
    const lookups = ["a", "b", "c"].map((hostname) =>
      resolve(hostname, {
        onQueued: () => steps.push(`${hostname} waits`),
        onStarted: () => steps.push(`${hostname} is started`),
      }),
    );
    const results = Promise.allSettled(lookups);
    await nextTurn();
    expect(requested).toEqual(["a"]);
    await settle(new Error("no such name"));
    expect(requested).toEqual(["a", "b"]);
    await settle(ADDRESSES);
    await settle(ADDRESSES);
    expect(requested).toEqual(["a", "b", "c"]);
    expect(steps).toEqual([
      ...["a is started", "b waits", "c waits"],
      ...["b is started", "c is started"],
    ]);
    expect((await results).map(({ status }) => status)).toEqual([
      ...["rejected", "fulfilled", "fulfilled"],
    ]);
  });

  test("leave the queue with the last caller that waits for them", async () => {
    const { requested, resolve, settle } = slowResolver();
    const [one, other] = [new AbortController(), new AbortController()];
    const waits = Promise.allSettled([
      resolve("silent"),
      resolve("given up", { signal: one.signal }),
      resolve("wanted", { signal: one.signal }),
      resolve("wanted", { signal: other.signal }),
    ]);
    one.abort("enough");
    await settle(ADDRESSES);
    expect(requested).toEqual(["silent", "wanted"]);
    await settle(ADDRESSES);
    expect(await waits).toMatchObject([
      { value: ADDRESSES },
      { reason: "enough" },
      { reason: "enough" },
      { value: ADDRESSES },
    ]);
  });

  test("wait for an abandoned name only if the resolver has already begun with it", async () => {
    const { requested, resolve, settle } = slowResolver();
    const controller = new AbortController();
    const silent = resolve("silent", { signal: controller.signal });
    await nextTurn();
    controller.abort("enough");
    await expect(silent).rejects.toBe("enough");
    const next = resolve("next");
    await nextTurn();
    expect(requested).toEqual(["silent"]);
    await settle(new Error("timeout"));
    await settle(ADDRESSES);
    expect(await next).toEqual(ADDRESSES);
  });
});

describe("the lookup of a connection", () => {
  const start = (resolve: ResolveHost, all: boolean) =>
    new Promise((done) => {
      const lookup = guardedLookup(resolve, isPublicAddress);
      lookup("a.invalid", { all }, (error, address, family) => done([error, address, family]));
    });

  test("returns one address or all addresses, as the connection requires", async () => {
    expect(await start(async () => ADDRESSES, false)).toEqual([null, "203.0.114.7", 4]);
    expect(await start(async () => ADDRESSES, true)).toEqual([null, ADDRESSES, undefined]);
  });

  test.each([false, true])(
    "reports ENODATA for a name without an address (all: %s)",
    async (all) => {
      const none = all ? [] : "";
      const error = expect.objectContaining({ code: "ENODATA" });
      expect(await start(async () => [], all)).toEqual([error, none, 0]);
    },
  );
});
