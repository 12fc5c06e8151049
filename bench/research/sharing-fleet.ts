import type { CredentialStore } from "../../src/model/credential-store.js";
import { AttemptError } from "../../src/model/failure.js";
import { sleep } from "../../src/runtime/abort.js";
import type { Clock } from "../../src/runtime/clock.js";
import type { AttributedCredentials } from "../../src/sts/assume-role.js";
import { FakeClock } from "../support/fake-clock.js";
import { Memory, memoryStore } from "../support/memory-store.js";
import { seededRandom } from "../support/seeded-random.js";
import { IssuerCapacity } from "./issuer-capacity.js";
import { sharingMember } from "./sharing-member.js";
import { ISSUER_PER_SECOND, START_SPREAD_MS } from "./simulate.js";
import { NO_KEY, StsModel } from "./sts-model.js";

export interface SharingFleetOptions {
  readonly workloads: number;
  readonly roles: number;
  /** The duration of one store operation, in milliseconds. */
  readonly storeMs: number;
  /** How long the identity provider refuses every request after the start, in milliseconds. */
  readonly outageMs?: number | undefined;
  /** How many hours to continue after the start, with the refreshes of sessions of one hour. */
  readonly hours?: number | undefined;
  readonly seed?: number | undefined;
}

export interface SharingFleetResult {
  /** When the last workload had its first credentials, in milliseconds. */
  readonly allServedMs: number;
  /** The longest that one workload waited for its first credentials, in milliseconds. */
  readonly longestWaitMs: number;
  /** The load on the identity provider in the busiest second. */
  readonly peakOverCapacity: number;
  readonly calls: number;
  readonly wastedCalls: number;
  /** Store operations, in total and in the busiest second. */
  readonly storeOperations: number;
  readonly storePeakPerSecond: number;
  /** How often a workload had expired credentials at the end of a minute. */
  readonly expired: number;
}

const LIFETIME_MS = 3_600_000;
const MINUTE_MS = 60_000;

/**
 * A fleet that shares a store, in virtual time. Nothing of the library is modelled: each workload is
 * its cache, its retry loop and its decisions about the store.
 */
export async function runSharingFleet(options: SharingFleetOptions): Promise<SharingFleetResult> {
  const { workloads, roles, storeMs, outageMs = 0, hours = 0, seed = 1 } = options;
  const clock = new FakeClock();
  const random = seededRandom(seed);
  const issuer = new IssuerCapacity(ISSUER_PER_SECOND, "refuses");
  const sts = new StsModel(issuer, { holdsJwks: false }, random);
  const operations = new OperationCount();
  const memory = new Memory();
  let issued = 0;
  const askSts = async (signal: AbortSignal): Promise<AttributedCredentials> => {
    const at = clock.monotonic();
    const isIssued = sts.succeeds(at) && at >= outageMs;
    issued += isIssued ? 1 : 0;
    await sleep(clock, sts.tookMs, signal);
    if (!isIssued) throw new AttemptError(NO_KEY);
    const expiration = new Date(clock.now() + LIFETIME_MS);
    return { accessKeyId: `ASIA${sts.calls}`, secretAccessKey: "secret", expiration };
  };
  const members = Array.from({ length: workloads }, (_, number) => {
    const store = distantStore(memoryStore(memory, clock.now), { clock, storeMs, operations });
    return sharingMember({ role: `role-${number % roles}`, store, clock, random, askSts });
  });

  const waits: number[] = [];
  const served = members.map(async (member) => {
    await sleep(clock, random() * START_SPREAD_MS, new AbortController().signal);
    const start = clock.monotonic();
    await member.get();
    waits.push(clock.monotonic() - start);
  });
  let allServedMs = 0;
  await clock.run(
    Promise.all(served).then(() => {
      allServedMs = clock.monotonic();
    }),
  );
  let expired = 0;
  for (let minute = 0; minute < hours * 60; minute += 1) {
    await clock.advance(MINUTE_MS);
    const isExpired = (at?: Date) => at !== undefined && at.getTime() <= clock.now();
    expired += members.filter((member) =>
      isExpired(member.snapshot().entry?.credentials.expiration),
    ).length;
  }
  for (const member of members) member.close(new Error("the simulation ends"));
  return {
    allServedMs,
    longestWaitMs: waits.reduce((longest, wait) => Math.max(longest, wait), 0),
    peakOverCapacity: issuer.peakOverCapacity,
    calls: sts.calls,
    wastedCalls: sts.calls - issued,
    storeOperations: operations.total,
    storePeakPerSecond: operations.busiestSecond,
    expired,
  };
}

const BINS_A_SECOND = 10;

/** How many operations a store has had, and how many in any one second. */
class OperationCount {
  total = 0;
  readonly #bins: number[] = [];

  add(atMs: number): void {
    const bin = Math.floor((atMs * BINS_A_SECOND) / 1000);
    this.total += 1;
    this.#bins[bin] = (this.#bins[bin] ?? 0) + 1;
  }

  get busiestSecond(): number {
    let [peak, inSecond] = [0, 0];
    for (let bin = 0; bin < this.#bins.length; bin += 1) {
      inSecond += (this.#bins[bin] ?? 0) - (this.#bins[bin - BINS_A_SECOND] ?? 0);
      peak = Math.max(peak, inSecond);
    }
    return peak;
  }
}

interface Distance {
  readonly clock: Clock;
  readonly storeMs: number;
  readonly operations: OperationCount;
}

/** The store behind a network. */
function distantStore(
  store: CredentialStore,
  { clock, storeMs, operations }: Distance,
): CredentialStore {
  const { signal } = new AbortController();
  const over = async <T>(operation: () => Promise<T>): Promise<T> => {
    operations.add(clock.monotonic());
    await sleep(clock, storeMs, signal);
    return await operation();
  };
  return {
    name: store.name,
    read: (key) => over(() => store.read(key)),
    claim: (key, leaseMs) => over(() => store.claim(key, leaseMs)),
    extend: (lease, leaseMs) => over(() => store.extend(lease, leaseMs)),
    publish: (value, lease, ttlMs) => over(() => store.publish(value, lease, ttlMs)),
    release: (lease) => over(() => store.release(lease)),
    remove: (key, accessKeyId) => over(() => store.remove(key, accessKeyId)),
  };
}
