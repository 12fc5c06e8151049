import type { Options } from "p-retry";
import { sleep } from "../src/runtime/abort.js";
import { startLocalIdp } from "../src/testing/index.js";
import type { GetCredentials } from "./in-process.js";
import { figure, type PartResult } from "./report.js";
import { median, quantile } from "./sampling.js";
import { seededRandom } from "./support/seeded-random.js";
import { createVirtualWorld, timersOf, type VirtualWorld } from "./virtual-world.js";

const OUTAGES_S = [3, 10, 30, 120];
const RUNS = 40;
/** The time between two requests of a service, which sends one at a time while it has no credentials. */
const REQUEST_EVERY_MS = 1_000;

/** Options that a developer would choose who expects this outage. */
export const TUNED: Options = {
  retries: 19,
  minTimeout: 500,
  maxTimeout: 5_000,
  randomize: true,
};

const CONTENDERS: Readonly<Record<string, (world: VirtualWorld) => GetCredentials>> = {
  ours: (world) => world.ours(),
  stock: (world) => world.stock(),
  "stock + p-retry (its defaults)": (world) => world.stockWithRetry(),
  "stock + p-retry (tuned)": (world) => world.stockWithRetry(TUNED),
};

interface Run {
  readonly afterMs: number;
  readonly calls: number;
  readonly failedRequests: number;
}

/** A service that starts as an outage of its identity provider begins. */
export async function recoveryPart(): Promise<PartResult> {
  await using idp = await startLocalIdp({ algorithm: "ES256" });
  const token = await idp.issueToken({ expiresInSeconds: 86_400 });
  const rows: string[][] = [];
  for (const outageS of OUTAGES_S) {
    for (const [name, make] of Object.entries(CONTENDERS)) {
      const runs: Run[] = [];
      for (let run = 0; run < RUNS; run += 1) {
        const world = createVirtualWorld(token, Date.now(), seededRandom(run + 1));
        runs.push(await once(world, make(world), outageS * 1000));
      }
      const seconds = runs.map(({ afterMs }) => afterMs / 1000);
      rows.push([
        `${outageS} s  ${name}`,
        figure(median(seconds), "s"),
        figure(quantile(seconds, 0.95), "s"),
        figure(median(runs.map(({ calls }) => calls))),
        figure(median(runs.map(({ failedRequests }) => failedRequests))),
      ]);
    }
    rows.push([`${outageS} s  floor`, "0.05 s", "0.05 s", "1", "0"]);
  }
  return {
    tables: [
      {
        title: "Recovery: credentials after the end of an outage (verification-key errors)",
        note: `${RUNS} runs each in virtual time; the service requests credentials every second while it has none.`,
        columns: ["outage", "after its end, median", "p95", "STS calls", "failed requests"],
        rows,
      },
    ],
  };
}

async function once(
  world: VirtualWorld,
  getCredentials: GetCredentials,
  outageMs: number,
): Promise<Run> {
  const { clock } = world;
  using _ = timersOf(clock);
  const { signal } = new AbortController();
  world.fault = () => (clock.monotonic() < outageMs ? "verification-key" : "none");
  let failedRequests = 0;
  const service = async () => {
    for (;;) {
      const calledAt = clock.monotonic();
      try {
        return await getCredentials();
      } catch {
        failedRequests += 1;
        const tookMs = clock.monotonic() - calledAt;
        await sleep(clock, Math.max(0, REQUEST_EVERY_MS - tookMs), signal);
      }
    }
  };
  await clock.run(service());
  return { afterMs: clock.monotonic() - outageMs, calls: world.calls, failedRequests };
}
