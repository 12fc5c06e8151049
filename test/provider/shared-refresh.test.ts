import { describe, expect, test } from "vitest";
import { type SharingMember, sharingMember } from "../../bench/research/sharing-member.js";
import { Memory, memoryStore } from "../../bench/support/memory-store.js";
import { seededRandom } from "../../bench/support/seeded-random.js";
import { windowsFor } from "../../src/credentials/refresh-timing.js";
import type { CredentialStore, StoreEntry } from "../../src/model/credential-store.js";
import type { EventBody } from "../../src/model/events.js";
import { sleep } from "../../src/runtime/abort.js";
import type { AttributedCredentials } from "../../src/sts/assume-role.js";
import { FakeClock } from "../support/fake-clock.js";
import { type Chaos, chaosStore } from "./chaos-store.js";

interface MemberOptions {
  readonly role: string;
  readonly store: CredentialStore;
}

/** Processes of several roles that share a store, and an STS that takes 100 ms; in virtual time. */
class Fleet {
  readonly clock = new FakeClock();
  readonly memory = new Memory();
  readonly issued = new Map<string, { readonly role: string; readonly expiresAt: number }>();
  readonly events: EventBody[] = [];
  lifetimeMs = 3_600_000;
  stsMs = 100;
  calls = 0;
  readonly random: () => number;

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  store(): CredentialStore {
    return memoryStore(this.memory, this.clock.now);
  }

  /** One process: the real cache and the real decisions about the store. */
  member({ role, store }: MemberOptions): SharingMember {
    return sharingMember({
      ...{ role, store, clock: this.clock, random: this.random },
      askSts: (signal) => this.#sts(role, signal),
      emit: (event) => this.events.push(event),
    });
  }

  async #sts(role: string, signal: AbortSignal): Promise<AttributedCredentials> {
    this.calls += 1;
    const accessKeyId = `ASIA${role}${this.calls}`;
    await sleep(this.clock, this.stsMs, signal);
    const expiresAt = this.clock.now() + this.lifetimeMs;
    this.issued.set(accessKeyId, { role, expiresAt });
    const secretAccessKey = `secret of ${accessKeyId}`;
    return { accessKeyId, secretAccessKey, expiration: new Date(expiresAt) };
  }

  /** When STS lets credentials end; `undefined` for what is none of them. */
  expirationOf(credentials: AttributedCredentials | string): number | undefined {
    if (typeof credentials === "string") return undefined;
    return this.issued.get(credentials.accessKeyId)?.expiresAt;
  }

  /** Why credentials, or the message of an error, are wrong for a role now; nothing if they are right. */
  fault(role: string, credentials: AttributedCredentials | string): string | undefined {
    if (typeof credentials === "string") return `a caller got an error: ${credentials}`;
    const { accessKeyId, secretAccessKey, expiration } = credentials;
    const issued = this.issued.get(accessKeyId);
    if (issued?.role !== role) return `${accessKeyId} was not issued for ${role}`;
    if (secretAccessKey !== `secret of ${accessKeyId}`) return "the secret is another one's";
    if (issued.expiresAt <= this.clock.now()) return `${accessKeyId} has expired`;
    const lateMs = (expiration?.getTime() ?? 0) - issued.expiresAt;
    return lateMs > 0 ? `the expiration is ${lateMs} ms too late` : undefined;
  }
}

/** Runs work on the fleet's clock and says how long it took there, in milliseconds. */
async function timed<T>(fleet: Fleet, work: () => Promise<T>): Promise<{ value: T; ms: number }> {
  const start = fleet.clock.monotonic();
  let ms = 0;
  const value = await fleet.clock.run(
    work().then((result) => {
      ms = fleet.clock.monotonic() - start;
      return result;
    }),
  );
  return { value, ms };
}

describe("a fleet with a working store", () => {
  test("of a hundred processes of two roles calls STS once for each role and refresh", async () => {
    const fleet = new Fleet(1);
    const members = Array.from({ length: 100 }, (_, number) =>
      fleet.member({ role: number % 2 === 0 ? "a" : "b", store: fleet.store() }),
    );
    const { ms } = await timed(fleet, () => Promise.all(members.map((member) => member.get())));
    expect(fleet.calls).toBe(2);
    expect(ms).toBeLessThan(600);
    for (let hour = 1; hour <= 3; hour += 1) {
      const before = fleet.calls;
      // Refreshes start at 20 min to the end at the latest, whenever they began.
      for (let minute = 0; minute < 50; minute += 1) await fleet.clock.advance(60_000);
      expect(fleet.calls - before).toBeLessThanOrEqual(4);
    }
    for (const [number, member] of members.entries()) {
      const credentials = await member.get();
      expect(fleet.fault(number % 2 === 0 ? "a" : "b", credentials)).toBeUndefined();
    }
  });

  test("has one process replace a killed holder before callers stop waiting", async () => {
    const fleet = new Fleet(2);
    const probe = fleet.member({ role: "a", store: fleet.store() });
    await fleet.clock.run(probe.get());
    await fleet.clock.advance(1_000);
    const key = [...fleet.memory.fences.keys()][0] ?? "";
    fleet.memory.values.clear();
    expect(await fleet.store().claim(key, 4_000)).toBeDefined();
    const members = Array.from({ length: 50 }, () =>
      fleet.member({ role: "a", store: fleet.store() }),
    );
    const { ms } = await timed(fleet, () => Promise.all(members.map((member) => member.get())));
    expect(ms).toBeLessThan(6_000);
    expect(fleet.calls).toBe(2);
  });

  test("waits five seconds at most for a holder to which STS does not respond", async () => {
    const fleet = new Fleet(3);
    const { holding } = await startSilentHolder(fleet);
    const other = fleet.member({ role: "a", store: fleet.store() });
    const { ms } = await timed(fleet, () => other.get());
    expect(ms).toBeGreaterThanOrEqual(4_500);
    expect(ms).toBeLessThan(5_200);
    await fleet.clock.run(holding);
  });

  test("adopts the credentials of the first process that stopped waiting for such a holder", async () => {
    const fleet = new Fleet(4);
    const { holding } = await startSilentHolder(fleet);
    const first = fleet.member({ role: "a", store: fleet.store() });
    const waiting = first.get();
    await fleet.clock.advance(1_000);
    const others = Array.from({ length: 49 }, () =>
      fleet.member({ role: "a", store: fleet.store() }),
    );
    const { ms } = await timed(fleet, () => Promise.all(others.map((member) => member.get())));
    expect(fleet.calls).toBe(2);
    expect(ms).toBeLessThan(5_000);
    const adopted = await Promise.all([waiting, ...others.map((member) => member.get())]);
    expect(new Set(adopted.map(({ accessKeyId }) => accessKeyId)).size).toBe(1);
    // The holder succeeds in the end, and what it has is newer.
    const { accessKeyId } = await fleet.clock.run(holding);
    await fleet.clock.advance(100);
    const late = fleet.member({ role: "a", store: fleet.store() });
    expect((await fleet.clock.run(late.get())).accessKeyId).toBe(accessKeyId);
  });
});

/** A process that holds the lease while its call to STS gets no response for 40 s. */
async function startSilentHolder(fleet: Fleet) {
  fleet.stsMs = 40_000;
  const holder = fleet.member({ role: "a", store: fleet.store() });
  const holding = holder.get();
  await fleet.clock.advance(100);
  fleet.stsMs = 100;
  return { holding };
}

/** Fails so often that it is left alone most of the time. */
const CHAOS: Chaos = { errors: 0.3, delays: 0.3, lies: 0.1 };
/** Is always there, so that its lies are read. */
const LIAR: Chaos = { errors: 0, delays: 0, lies: 0.5 };
const SOUND: Chaos = { errors: 0, delays: 0, lies: 0 };

const WORLDS = 300;
const MINUTES = 150;
const ROLES = ["a", "b", "a", "b", "a", "b"];

interface World {
  /** What went wrong for callers. */
  readonly faults: readonly string[];
  /** STS calls until all had credentials, and in all. */
  readonly coldCalls: number;
  readonly calls: number;
  /** One call for each role and refresh. */
  readonly maxCalls: number;
}

/** One process of a world. */
interface Process {
  readonly role: string;
  cache: SharingMember;
  /** When the last credentials expire. */
  expiresAt: number;
}

/**
 * Six processes of two roles start together and need credentials every few minutes; from time
 * to time one of them starts again with nothing.
 */
async function runWorld(seed: number, chaos: Chaos): Promise<World> {
  const fleet = new Fleet(seed);
  const { clock, random } = fleet;
  const seen: StoreEntry[] = [];
  const faults: string[] = [];
  fleet.lifetimeMs = 900_000 + random() * 2_700_000;
  const start = (role: string): Process => {
    const store = chaosStore(fleet.store(), { clock, random, chaos, seen });
    return { role, cache: fleet.member({ role, store }), expiresAt: 0 };
  };
  const ask = async (caller: Process) => {
    // For whom has none: a wait for the holder of the lease, and one for STS. Else 100 ms of patience.
    const limitMs = caller.expiresAt === 0 ? 6_000 : 100;
    const startedAt = clock.monotonic();
    const credentials = await caller.cache.get().catch((error: Error) => error.message);
    const waitedMs = clock.monotonic() - startedAt;
    const expiresAt = fleet.expirationOf(credentials) ?? caller.expiresAt;
    const fault = fleet.fault(caller.role, credentials);
    if (fault !== undefined) faults.push(`world ${seed}: ${fault}`);
    if (waitedMs > limitMs) faults.push(`world ${seed}: a caller waited ${waitedMs} ms`);
    if (expiresAt < caller.expiresAt)
      faults.push(`world ${seed}: a process went back to older ones`);
    caller.expiresAt = expiresAt;
  };
  const processes = ROLES.map(start);
  await clock.run(Promise.all(processes.map(ask)));
  const coldCalls = fleet.calls;
  for (let minute = 0; minute < MINUTES; minute += 5) {
    await clock.advance(300_000 * random());
    const [again] = processes as [Process, ...Process[]];
    if (random() < 0.3) {
      again.cache.close(new Error("the process ends"));
      processes.push(start(again.role));
      processes.shift();
    }
    for (const each of processes) await clock.run(ask(each));
  }
  for (const { cache } of processes) cache.close(new Error("the world ends"));
  const refreshes = Math.floor(clock.monotonic() / earliestRefreshMs(fleet.lifetimeMs));
  return { faults, coldCalls, calls: fleet.calls, maxCalls: 2 * (1 + refreshes) };
}

/** Up to a third comes on top of the advisory window, unless that is before half of the lifetime. */
function earliestRefreshMs(lifetimeMs: number): number {
  const { advisoryMs } = windowsFor(lifetimeMs, {});
  const earliest = Math.max(lifetimeMs / 2, lifetimeMs - (advisoryMs * 4) / 3);
  return Math.min(lifetimeMs - advisoryMs, earliest);
}

async function runWorlds(chaos: Chaos): Promise<World[]> {
  const worlds: World[] = [];
  for (let seed = 1; seed <= WORLDS; seed += 1) worlds.push(await runWorld(seed, chaos));
  return worlds;
}

const faultsOf = (worlds: readonly World[]) => worlds.flatMap(({ faults }) => faults);

describe("300 seeded worlds of processes that share a store", { timeout: 180_000 }, () => {
  test("always have the right credentials when the store fails, is late and returns wrong values", async () => {
    expect(faultsOf(await runWorlds(CHAOS))).toEqual([]);
  });

  test("always have the right credentials when half of what the store returns is wrong", async () => {
    expect(faultsOf(await runWorlds(LIAR))).toEqual([]);
  });

  test("call STS once for each role and refresh when the store works", async () => {
    const worlds = await runWorlds(SOUND);
    expect(faultsOf(worlds)).toEqual([]);
    expect(worlds.filter(({ coldCalls }) => coldCalls !== 2)).toEqual([]);
    expect(worlds.filter(({ calls, maxCalls }) => calls > maxCalls)).toEqual([]);
  });
});
