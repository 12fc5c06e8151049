import { sleep } from "../src/runtime/abort.js";
import { startLocalIdp } from "../src/testing/index.js";
import type { GetCredentials } from "./in-process.js";
import { figure, type PartResult, type Promised } from "./report.js";
import { seededRandom } from "./support/seeded-random.js";
import {
  createVirtualWorld,
  memoizedInVirtualTime,
  timersOf,
  type VirtualFault,
  type VirtualWorld,
} from "./virtual-world.js";

const MINUTE_MS = 60_000;
/**
 * Credentials are valid for an hour. The first outage begins before any provider refreshes, the second
 * when SDK clients do, and the third covers both and the expiration.
 */
const OUTAGES: readonly Outage[] = [
  { fromMinute: 39, toMinute: 49 },
  { fromMinute: 53, toMinute: 63 },
  { fromMinute: 39, toMinute: 62 },
];
const END_MS = 75 * MINUTE_MS;
const FAULTS: readonly VirtualFault[] = ["verification-key", "reset", "silence"];
const CALL_EVERY_MS = 1_000;
/** No caller waits longer than this for its credentials. */
const CALLER_LIMIT_MS = 30_000;
const MAX_STALL_MS = 150;

const CONTENDERS: Readonly<Record<string, (world: VirtualWorld) => GetCredentials>> = {
  ours: (world) => world.ours(),
  stock: (world) => memoizedInVirtualTime(world.clock, world.stock()),
  "stock + p-retry": (world) => memoizedInVirtualTime(world.clock, world.stockWithRetry()),
};

interface Outage {
  readonly fromMinute: number;
  readonly toMinute: number;
}

interface Survived {
  /** Failed calls while the caller's last credentials were valid. */
  readonly failedWhileValid: number;
  readonly longestStallMs: number;
  readonly failed: number;
  readonly callsInOutage: number;
  /** When the last new credentials arrived, in milliseconds since the start; 0 if none did. */
  readonly renewedAt: number;
}

/** A call every second for 80 minutes of virtual time, with an outage around the refresh. */
export async function longOutagePart(): Promise<PartResult> {
  await using idp = await startLocalIdp({ algorithm: "ES256" });
  const token = await idp.issueToken({ expiresInSeconds: 86_400 });
  const rows: string[][] = [];
  let failedWhileValid = 0;
  let longestStallMs = 0;
  for (const outage of OUTAGES) {
    for (const fault of FAULTS) {
      for (const [name, make] of Object.entries(CONTENDERS)) {
        const world = createVirtualWorld(token, Date.now(), seededRandom(1));
        const survived = await survive(world, make(world), fault, outage);
        if (name === "ours") {
          failedWhileValid += survived.failedWhileValid;
          longestStallMs = Math.max(longestStallMs, survived.longestStallMs);
        }
        const { fromMinute, toMinute } = outage;
        rows.push(toRow(`${fromMinute}–${toMinute} min, ${fault}  ${name}`, survived));
      }
    }
  }
  return {
    tables: [
      {
        title:
          "An outage of ten minutes and more around the refresh of credentials that live for an hour",
        note: "A call every second in virtual time; its caller waits at most 30 s.",
        columns: [
          "outage",
          "failed while valid",
          "longest stall while valid",
          "failed in all",
          "STS calls in the outage",
          "last renewed",
        ],
        rows,
      },
    ],
    promises: [kept(failedWhileValid, longestStallMs)],
  };
}

function kept(failedWhileValid: number, longestStallMs: number): Promised {
  return {
    what: "during an outage while credentials are valid",
    limit: `0 failed calls, no stall over ${MAX_STALL_MS} ms`,
    measured: `${failedWhileValid} failed, longest stall ${figure(longestStallMs, "ms")}`,
    kept: failedWhileValid === 0 && longestStallMs <= MAX_STALL_MS,
  };
}

function toRow(name: string, survived: Survived): string[] {
  return [
    name,
    figure(survived.failedWhileValid),
    figure(survived.longestStallMs, "ms"),
    figure(survived.failed),
    figure(survived.callsInOutage),
    survived.renewedAt === 0 ? "never" : `at ${(survived.renewedAt / MINUTE_MS).toFixed(1)} min`,
  ];
}

async function survive(
  world: VirtualWorld,
  getCredentials: GetCredentials,
  fault: VirtualFault,
  { fromMinute, toMinute }: Outage,
): Promise<Survived> {
  const { clock } = world;
  using _ = timersOf(clock);
  const startMs = fromMinute * MINUTE_MS;
  const endMs = toMinute * MINUTE_MS;
  const isOutage = () => clock.monotonic() >= startMs && clock.monotonic() < endMs;
  world.fault = () => (isOutage() ? fault : "none");
  let last = await clock.run(getCredentials());
  let failed = 0;
  let failedWhileValid = 0;
  let longestStallMs = 0;
  let callsBefore = 0;
  let callsInOutage = 0;
  let renewedAt = 0;
  while (clock.monotonic() < END_MS) {
    if (clock.monotonic() < startMs) callsBefore = world.calls;
    if (isOutage()) callsInOutage = world.calls - callsBefore;
    const calledAt = clock.monotonic();
    const wallAtCall = clock.now();
    const credentials = await clock.run(patiently(clock, getCredentials));
    const isValid = wallAtCall < (last.expiration?.getTime() ?? 0);
    if (credentials === undefined) failed += 1;
    if (credentials === undefined && isValid) failedWhileValid += 1;
    if (isValid) longestStallMs = Math.max(longestStallMs, clock.monotonic() - calledAt);
    if (credentials !== undefined && credentials.accessKeyId !== last.accessKeyId) {
      renewedAt = clock.monotonic();
      last = credentials;
    }
    await clock.advance(Math.max(0, calledAt + CALL_EVERY_MS - clock.monotonic()));
  }
  return { failed, failedWhileValid, longestStallMs, callsInOutage, renewedAt };
}

async function patiently(clock: VirtualWorld["clock"], getCredentials: GetCredentials) {
  const enough = new AbortController();
  const timeIsUp = sleep(clock, CALLER_LIMIT_MS, enough.signal).catch(() => {});
  try {
    return await Promise.race([
      getCredentials().catch(() => undefined),
      timeIsUp.then(() => undefined),
    ]);
  } finally {
    enough.abort();
  }
}
