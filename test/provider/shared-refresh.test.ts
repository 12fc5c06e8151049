import { describe, expect, test } from "vitest";
import { type SharingMember, sharingMember } from "../../bench/research/sharing-member.js";
import { Memory, memoryStore } from "../../bench/support/memory-store.js";
import { seededRandom } from "../../bench/support/seeded-random.js";
import type { CredentialStore } from "../../src/model/credential-store.js";
import type { EventBody } from "../../src/model/events.js";
import { sleep } from "../../src/runtime/clock.js";
import type { AttributedCredentials } from "../../src/sts/credentials.js";
import { type Chaos, chaosStore } from "../support/chaos-store.js";
import { FakeClock } from "../support/fake-clock.js";

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

  /** Why credentials are wrong for a role now; nothing if they are right. */
  fault(role: string, credentials: AttributedCredentials): string | undefined {
    const { accessKeyId, secretAccessKey, expiration } = credentials;
    const issued = this.issued.get(accessKeyId);
    if (issued?.role !== role) return `${accessKeyId} was not issued for ${role}`;
    if (secretAccessKey !== `secret of ${accessKeyId}`) return "the secret is another one's";
    if (issued.expiresAt <= this.clock.now()) return `${accessKeyId} has expired`;
    if ((expiration?.getTime() ?? 0) > issued.expiresAt) return "the expiration is too late";
    return undefined;
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

describe("a fleet with a sound store", () => {
  test("of a hundred processes of two roles asks STS twice, and once a refresh for each role", async () => {
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

  test("replaces a holder that was killed before callers stop waiting, by one process", async () => {
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

  test("waits five seconds at most for a holder that gets no answer", async () => {
    const fleet = new Fleet(3);
    const { holding } = await startSilentHolder(fleet);
    const other = fleet.member({ role: "a", store: fleet.store() });
    const { ms } = await timed(fleet, () => other.get());
    expect(ms).toBeGreaterThanOrEqual(4_500);
    expect(ms).toBeLessThan(5_200);
    await fleet.clock.run(holding);
  });

  test("adopts what the first process that stopped waiting for a silent holder got", async () => {
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

/** A process that holds the lease while its call to STS gets no answer for 40 s. */
async function startSilentHolder(fleet: Fleet) {
  fleet.stsMs = 40_000;
  const holder = fleet.member({ role: "a", store: fleet.store() });
  const holding = holder.get();
  await fleet.clock.advance(100);
  fleet.stsMs = 100;
  return { holding };
}

describe("a fleet with a store of chaos", () => {
  const CHAOS: Chaos = { errors: 0.3, delays: 0.3, lies: 0.1 };
  const MINUTES = 150;

  test("has right credentials at any time, in 300 worlds", { timeout: 180_000 }, async () => {
    const faults: string[] = [];
    let calls = 0;
    for (let seed = 1; seed <= 300; seed += 1) {
      const fleet = new Fleet(seed);
      const { clock, random } = fleet;
      fleet.lifetimeMs = 900_000 + random() * 2_700_000;
      const members = ["a", "b", "a", "b"].map((role) => {
        const store = chaosStore(fleet.store(), { clock, random, chaos: CHAOS });
        return { role, cache: fleet.member({ role, store }) };
      });
      const ask = async (isCold: boolean) => {
        for (const { role, cache } of members) {
          const start = clock.monotonic();
          const credentials = await clock.run(cache.get());
          const fault = fleet.fault(role, credentials);
          const waitedMs = clock.monotonic() - start;
          if (fault !== undefined) faults.push(`world ${seed}: ${fault}`);
          // Patience of 100 ms while they are valid; a wait for the holder, and STS, when not.
          const limitMs = isCold ? 5_000 + 1_000 : 100;
          if (waitedMs > limitMs) faults.push(`world ${seed}: a caller waited ${waitedMs} ms`);
        }
      };
      await ask(true);
      for (let minute = 0; minute < MINUTES; minute += 5) {
        await clock.advance(300_000 * random());
        await ask(false);
      }
      for (const { cache } of members) cache.close(new Error("the world ends"));
      calls += fleet.calls;
    }
    expect(faults).toEqual([]);
    expect(calls).toBeGreaterThan(0);
  });
});
