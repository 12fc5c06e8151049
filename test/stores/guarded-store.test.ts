import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, expect, test, vi } from "vitest";
import { Memory, memoryStore } from "../../bench/support/memory-store.js";
import type { CredentialStore, StoreLease } from "../../src/model/credential-store.js";
import { STORE_CHANNEL_NAME } from "../../src/model/events.js";
import { GuardedStore, type StoreFailure } from "../../src/stores/guarded-store.js";
import { FakeClock } from "../support/fake-clock.js";
import { HOSTILE } from "../support/hostile-values.js";

function guarded(changes: Partial<CredentialStore>) {
  const clock = new FakeClock();
  const store = { ...memoryStore(new Memory(), clock.now), ...changes };
  const guard = new GuardedStore(store, { clock, random: () => 0.5 });
  const failures: StoreFailure[] = [];
  const onFailure = (failure: StoreFailure) => failures.push(failure);
  const read = () => guard.run("read", (one) => one.read("key"), { onFailure });
  return { clock, guard, failures, onFailure, read };
}

const never = () => new Promise<never>(() => {});

describe("a guarded store", () => {
  test("returns what the store returns", async () => {
    const { read, failures } = guarded({});
    expect(await read()).toEqual({ isLeased: false });
    expect(failures).toEqual([]);
  });

  test("ends an operation that never settles after 250 ms, and stops using the store", async () => {
    const call = vi.fn(never);
    const { clock, guard, read, failures } = guarded({ read: call });
    const reading = read();
    await clock.advance(249);
    expect(failures).toEqual([]);
    await clock.advance(1);
    expect(await reading).toBeUndefined();
    const openUntil = clock.now() + 45_000;
    const message = "no response in 250 ms";
    expect(failures).toEqual([{ operation: "read", reason: "timeout", message, openUntil }]);
    expect(guard.openUntil).toBe(openUntil);
    await clock.advance(44_999);
    expect(await read()).toBeUndefined();
    expect(call).toHaveBeenCalledTimes(1);
  });

  test("probes the store once after the pause, and uses it again when it responds", async () => {
    let isDown = true;
    const call = vi.fn(async () => (isDown ? never() : { isLeased: true }));
    const { clock, guard, read } = guarded({ read: call });
    await clock.run(read());
    await clock.advance(45_000);
    const probing = read();
    expect(await read()).toBeUndefined();
    await clock.run(probing);
    expect(call).toHaveBeenCalledTimes(2);
    await clock.advance(45_000);
    isDown = false;
    expect(await read()).toEqual({ isLeased: true });
    expect(guard.openUntil).toBeUndefined();
    expect(await Promise.all([read(), read()])).toHaveLength(2);
    expect(call).toHaveBeenCalledTimes(5);
  });

  test("publishes the outcome and the duration of each operation", async () => {
    const messages: unknown[] = [];
    const listen = (message: unknown) => messages.push(message);
    subscribe(STORE_CHANNEL_NAME, listen);
    await guarded({}).read();
    const silent = guarded({ read: never });
    await silent.clock.run(silent.read());
    unsubscribe(STORE_CHANNEL_NAME, listen);
    const read = { store: "memory", operation: "read" };
    expect(messages).toContainEqual({ ...read, outcome: "success", ms: 0 });
    expect(messages).toContainEqual({
      ...read,
      ...{ outcome: "failure", errorType: "timeout", ms: 250 },
    });
  });

  test("does not count the time in which this process stalls, up to a second", async () => {
    const { clock, read, failures } = guarded({ read: never });
    /** Timers fire late, as in a process without CPU time. */
    const stalled = Object.assign(clock, {
      schedule: (ms: number, callback: () => void) =>
        FakeClock.prototype.schedule.call(clock, ms * 3, callback),
    });
    const reading = read();
    await stalled.advance(999);
    expect(failures).toEqual([]);
    await stalled.advance(200);
    expect(await reading).toBeUndefined();
    expect(failures).toHaveLength(1);
  });

  test("reads the store's name once, and shows no token or control character of it", async () => {
    const token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl";
    let reads = 0;
    const named = Object.defineProperty({}, "name", {
      get() {
        reads += 1;
        if (reads > 1) throw new Error("the name is gone");
        return `\u001b[31m${token}`;
      },
    }) as CredentialStore;
    const store = Object.assign(named, { read: async () => ({ isLeased: false }) });
    const guard = new GuardedStore(store, { clock: new FakeClock(), random: () => 0.5 });
    const read = guard.run("read", (one) => one.read("key"), { onFailure: () => {} });
    expect(await read).toEqual({ isLeased: false });
    expect(guard.name).toBe("[31m[redacted]");
  });

  test("leaves no timer after a response", async () => {
    const { clock, read } = guarded({});
    await read();
    expect(clock.pending).toBe(0);
  });

  test("passes on a result that arrives after the limit", async () => {
    let respond = (_: StoreLease | undefined) => {};
    const { clock, guard, onFailure } = guarded({
      claim: () =>
        new Promise((resolve) => {
          respond = resolve;
        }),
    });
    const late = vi.fn();
    await clock.run(guard.run("claim", (store) => store.claim("key", 1), { onFailure, late }));
    const lease = { key: "key", owner: "me", fence: 1 };
    respond(lease);
    await clock.flush();
    expect(late).toHaveBeenCalledExactlyOnceWith(lease);
  });

  test.each(HOSTILE)("continues with a store that throws %s", async (_, thrown) => {
    for (const read of [
      () => {
        throw thrown();
      },
      () => Promise.reject(thrown()),
    ]) {
      const { read: reading, failures } = guarded({ read });
      expect(await reading()).toBeUndefined();
      expect(failures).toMatchObject([{ operation: "read", reason: "error" }]);
    }
  });

  test("ends a pause that begins in the future after the clock was set back", async () => {
    const { clock, guard, read } = guarded({ read: never });
    await clock.run(read());
    clock.setWallClock(clock.now() - 3_600_000);
    expect(guard.openUntil).toBeUndefined();
  });
});
