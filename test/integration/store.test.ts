import { describe, expect, test, vi } from "vitest";
import { Memory, memoryStore } from "../../bench/support/memory-store.js";
import type { CredentialStore } from "../../src/model/credential-store.js";
import type { WebIdentityEvent } from "../../src/model/events.js";
import { createProvider } from "../../src/provider/create-provider.js";
import type { WebIdentityInit } from "../../src/provider/options.js";
import { systemClock } from "../../src/runtime/clock.js";
import {
  type LocalIdp,
  type LocalSts,
  startLocalIdp,
  startLocalSts,
} from "../../src/testing/index.js";
import { makePool } from "../support/make-pool.js";
import { until } from "../support/virtual-clock.js";
import { REGION, ROLE_ARN, rejection } from "../support/world.js";

interface SharingWorld extends AsyncDisposable {
  readonly idp: LocalIdp;
  readonly sts: LocalSts;
  readonly memory: Memory;
  /** A provider as of a process of its own: connections and store are not another's. */
  process(init?: WebIdentityInit, token?: object): Process;
  calls(): number;
}

interface Process {
  readonly provider: ReturnType<typeof createProvider>;
  readonly events: WebIdentityEvent[];
  readonly store: CredentialStore;
}

async function startSharingWorld(): Promise<SharingWorld> {
  const idp = await startLocalIdp({ algorithm: "ES256" });
  const sts = await startLocalSts({ providers: [idp] });
  const memory = new Memory();
  return {
    idp,
    sts,
    memory,
    process(init = {}, token = {}) {
      const events: WebIdentityEvent[] = [];
      const store = init.store ?? memoryStore(memory);
      const identity = () => ({
        source: () => idp.issueToken(token),
        sourceName: "the token source",
        roleArn: ROLE_ARN,
        roleSessionName: init.roleSessionName,
        marks: {},
      });
      const provider = createProvider(
        identity,
        {
          preflight: "off",
          clientConfig: { endpoint: sts.url, region: REGION },
          refresh: { aheadOfTime: false },
          onEvent: (event) => events.push(event),
          store,
          ...init,
        },
        { clock: systemClock, pool: makePool(), env: {}, random: Math.random },
      );
      return { provider, events, store };
    },
    calls: () => sts.requests.filter(({ action }) => action === "AssumeRoleWithWebIdentity").length,
    async [Symbol.asyncDispose]() {
      await Promise.all([idp.close(), sts.close()]);
    },
  };
}

const typesOf = (events: readonly WebIdentityEvent[]) => events.map(({ type }) => type);

describe("processes with a shared store", () => {
  test("call STS once when they start together, and all have the same credentials", async () => {
    await using world = await startSharingWorld();
    const processes = Array.from({ length: 20 }, () => world.process());
    const all = await Promise.all(processes.map(({ provider }) => provider()));
    expect(world.calls()).toBe(1);
    expect(new Set(all.map(({ accessKeyId }) => accessKeyId)).size).toBe(1);
    const sources = processes.map(({ provider }) => provider.status().source);
    expect(sources.filter((source) => source === "sts")).toHaveLength(1);
    expect(sources.filter((source) => source === "store")).toHaveLength(19);
  });

  test("adopt the stored credentials, and report that", async () => {
    await using world = await startSharingWorld();
    const first = world.process();
    const got = await first.provider();
    await first.provider[Symbol.asyncDispose]();
    const second = world.process();
    const adopted = await second.provider();
    expect(adopted).toMatchObject({
      accessKeyId: got.accessKeyId,
      secretAccessKey: got.secretAccessKey,
      sessionToken: got.sessionToken,
    });
    expect(adopted.expiration?.getTime()).toBeLessThanOrEqual(got.expiration?.getTime() ?? 0);
    expect(second.provider.status()).toMatchObject({
      source: "store",
      region: REGION,
      store: { name: "memory", unusedBecause: undefined, openUntil: undefined },
    });
    const [refreshed] = second.events.filter(({ type }) => type === "credentials.refreshed");
    expect(refreshed).toMatchObject({ source: "store", attempts: 0, region: REGION });
    expect(typesOf(second.events)).toEqual(["token.loaded", "credentials.refreshed"]);
    expect(world.calls()).toBe(1);
  });

  test("refresh once for all when a refresh is due, in the background", async () => {
    await using world = await startSharingWorld();
    world.sts.configure({ credentialLifetimeSeconds: 3 });
    const processes = Array.from({ length: 5 }, () => world.process());
    const all = () => Promise.all(processes.map(({ provider }) => provider()));
    const seen = new Set<string | undefined>();
    while (seen.size < 4) {
      const now = Date.now();
      for (const { accessKeyId, expiration } of await all()) {
        seen.add(accessKeyId);
        expect(expiration?.getTime()).toBeGreaterThan(now);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(world.calls()).toBe(seen.size);
    for (const { events } of processes) expect(typesOf(events)).not.toContain("refresh.failed");
  });

  test("share a permanent refusal for some seconds", async () => {
    await using world = await startSharingWorld();
    world.sts.setFault("access-denied");
    const first = world.process();
    const refusal = await rejection(first.provider());
    await first.provider[Symbol.asyncDispose]();
    const others = Array.from({ length: 5 }, () => world.process());
    const reasons = await Promise.all(others.map(({ provider }) => rejection(provider())));
    for (const reason of reasons) expect(reason).toMatchObject({ code: "ERR_ACCESS_DENIED" });
    expect(refusal).toMatchObject({ code: "ERR_ACCESS_DENIED" });
    expect(world.calls()).toBe(1);
    world.sts.clearFaults();
    // Asked for by force, or by a process that waits for a new role to work.
    expect(await world.process().provider({ forceRefresh: true })).toHaveProperty("accessKeyId");
    const patient = world.process({ retryAccessDenied: true });
    expect(await patient.provider()).toHaveProperty("accessKeyId");
  });

  test("do not share a temporary failure: the next one calls STS", async () => {
    await using world = await startSharingWorld();
    world.sts.setFault("throttled");
    const first = world.process({ retry: { maxAttempts: 1 } });
    await rejection(first.provider());
    await first.provider[Symbol.asyncDispose]();
    world.sts.clearFaults();
    expect(await world.process().provider()).toHaveProperty("accessKeyId");
    expect(world.calls()).toBe(2);
  });

  test("ignore the stored credentials in a forced refresh, and store the new ones", async () => {
    await using world = await startSharingWorld();
    const [first, second] = [world.process(), world.process()];
    const old = await first.provider();
    await second.provider();
    const forced = await second.provider({ forceRefresh: true });
    await second.provider[Symbol.asyncDispose]();
    expect(forced.accessKeyId).not.toBe(old.accessKeyId);
    expect(world.calls()).toBe(2);
  });

  test("remove credentials that a service rejected from the store, and never adopt them again", async () => {
    await using world = await startSharingWorld();
    const { provider, store } = world.process();
    const rejected = await provider();
    await until(() => world.memory.values.size === 1);
    const [[key = ""] = []] = [...world.memory.values.keys()].map((name) => [name.split(" ")[1]]);
    expect((await store.read(key)).credentials?.accessKeyId).toBe(rejected.accessKeyId);
    provider.invalidate("ASIAOTHER");
    expect((await store.read(key)).credentials?.accessKeyId).toBe(rejected.accessKeyId);
    const kept = new Map(world.memory.values);
    provider.invalidate(rejected.accessKeyId);
    await until(() => world.memory.values.size === 0);
    // Another process, or an attacker, puts it back.
    for (const [name, value] of kept) world.memory.values.set(name, value);
    expect((await provider()).accessKeyId).not.toBe(rejected.accessKeyId);
    expect(world.calls()).toBe(2);
  });

  test.each<[string, WebIdentityInit, object]>([
    ["subject", {}, { subject: "another" }],
    ["policy", { policy: '{"Version":"2012-10-17","Statement":[]}' }, {}],
    ["duration", { durationSeconds: 1_800 }, {}],
    ["session name", { roleSessionName: "own-name" }, {}],
  ])("do not share with another %s", async (_, init, token) => {
    await using world = await startSharingWorld();
    const [one, other] = [world.process(), world.process(init, token)];
    const first = await one.provider();
    await one.provider[Symbol.asyncDispose]();
    expect((await other.provider()).accessKeyId).not.toBe(first.accessKeyId);
    expect(world.calls()).toBe(2);
  });

  test("do not share credentials that a token of another subject got in a later attempt", async () => {
    await using world = await startSharingWorld();
    const subjects = ["first", "second"];
    const changing = {
      get subject() {
        return subjects.shift() ?? "second";
      },
    };
    world.sts.failNext("throttled");
    const { provider } = world.process({ retry: { baseDelayMs: 1 } }, changing);
    const got = await provider();
    await provider[Symbol.asyncDispose]();
    const first = world.process({}, { subject: "first" });
    expect((await first.provider()).accessKeyId).not.toBe(got.accessKeyId);
    expect(world.calls()).toBe(3);
  });

  test.each<[string, WebIdentityInit, RegExp]>([
    [
      "a plugin of the STS client",
      { clientPlugins: [{ applyToStack: () => {} }] },
      /clientPlugins/,
    ],
    ["a token that is not checked", { validateToken: false }, /validateToken/],
  ])("do not share with %s, and the status says why", async (_, init, why) => {
    await using world = await startSharingWorld();
    const { provider } = world.process(init);
    await provider();
    expect(world.memory.values.size).toBe(0);
    expect(provider.status().store?.unusedBecause).toMatch(why);
  });
});

describe("a process with an unusable store", () => {
  const never = () => new Promise<never>(() => {});
  const fail = () => Promise.reject(new Error("ECONNREFUSED"));
  const broken = (act: () => Promise<never>): CredentialStore => ({
    ...{ name: "broken", read: act, claim: act, extend: act },
    ...{ publish: act, release: act, remove: act },
  });

  test.each([
    ["silent", never, "timeout"],
    ["failing", fail, "error"],
  ] as const)("calls STS itself when it is %s, after one operation", async (_, act, reason) => {
    await using world = await startSharingWorld();
    const { provider, events } = world.process({ store: broken(act) });
    expect(await provider()).toHaveProperty("accessKeyId");
    const failed = events.filter(({ type }) => type === "store.failed");
    expect(failed).toMatchObject([{ store: "broken", operation: "read", reason }]);
    expect(provider.status()).toMatchObject({ source: "sts", store: { name: "broken" } });
    expect(provider.status().store?.openUntil).toBeGreaterThan(Date.now() + 25_000);
    expect(typesOf(events)).not.toContain("attempt.failed");
  });

  test.each([
    ["null", null],
    ["a number", 7],
    ["nothing of a value", { isLeased: false, credentials: { kind: "credentials" } }],
    ["a lease and an array", { isLeased: false, credentials: [] }],
  ])("calls STS itself when it reads %s", async (_, entry) => {
    await using world = await startSharingWorld();
    const store = { ...memoryStore(world.memory), read: async () => entry as never };
    const { provider } = world.process({ store });
    expect(await provider()).toHaveProperty("accessKeyId");
    expect(world.calls()).toBe(1);
  });

  test("has a status, and gets credentials, when the store's name can't be read later", async () => {
    await using world = await startSharingWorld();
    let isGone = false;
    const store = Object.defineProperty({ ...memoryStore(world.memory) }, "name", {
      get() {
        if (isGone) throw new Error("the name is gone");
        return "fickle";
      },
    });
    const { provider, events } = world.process({ store });
    isGone = true;
    expect(provider.status().store).toMatchObject({ name: "fickle" });
    await provider();
    expect(provider.status()).toMatchObject({ source: "sts", store: { name: "fickle" } });
    expect(typesOf(events)).not.toContain("attempt.failed");
  });

  test.each([null, false])(
    "calls STS itself when the lease is %s, and does not release it",
    async (none) => {
      await using world = await startSharingWorld();
      const memory = memoryStore(world.memory);
      const release = vi.fn(memory.release);
      const store = { ...memory, claim: async () => none as never, release };
      const { provider } = world.process({ store });
      await provider({ forceRefresh: true });
      await provider[Symbol.asyncDispose]();
      expect(world.calls()).toBe(1);
      expect(world.memory.values.size).toBe(1);
      expect(release).not.toHaveBeenCalled();
    },
  );

  test("calls STS itself when no request can be signed with the stored credentials, and reports that", async () => {
    await using world = await startSharingWorld();
    const second = world.process();
    await second.provider();
    await until(() => world.memory.values.size === 1);
    for (const [name, stored] of world.memory.values) {
      const value = { ...stored.value, sessionToken: "session\r\ntoken" };
      world.memory.values.set(name, { ...stored, value });
    }
    const { provider, events } = world.process();
    expect((await provider()).sessionToken).toMatch(/^\S+$/);
    expect(provider.status().source).toBe("sts");
    const failed = events.filter(({ type }) => type === "store.failed");
    expect(failed).toMatchObject([
      { reason: "bad-value", message: expect.stringContaining("sessionToken can't be used") },
    ]);
  });

  test("calls STS itself when the value is another role's, and reports that", async () => {
    await using world = await startSharingWorld();
    const second = world.process();
    await second.provider();
    await until(() => world.memory.values.size === 1);
    for (const [name, stored] of world.memory.values) {
      const value = { ...stored.value, roleArn: `${ROLE_ARN}-other` };
      world.memory.values.set(name, { ...stored, value });
    }
    const third = world.process();
    await third.provider();
    expect(third.provider.status().source).toBe("sts");
    const failed = third.events.filter(({ type }) => type === "store.failed");
    expect(failed).toMatchObject([
      {
        operation: "read",
        reason: "bad-value",
        message: expect.stringMatching(/another workload/),
      },
    ]);
  });
});
