import { startLocalIdp } from "../src/testing/index.js";
import { lineChart } from "./chart.js";
import type { GetCredentials } from "./in-process.js";
import { TUNED } from "./recovery.js";
import { figure, type PartResult } from "./report.js";
import { median } from "./sampling.js";
import { seededRandom } from "./support/seeded-random.js";
import { createVirtualWorld, timersOf, type VirtualWorld } from "./virtual-world.js";

const RATES = [10, 20, 30, 40, 50, 60, 70, 80, 90];
const STARTS = 200;

const CONTENDERS: Readonly<Record<string, (world: VirtualWorld) => GetCredentials>> = {
  ours: (world) => world.ours(),
  stock: (world) => world.stock(),
  "stock + p-retry (its defaults)": (world) => world.stockWithRetry(),
  "stock + p-retry (tuned)": (world) => world.stockWithRetry(TUNED),
};

interface Weathered {
  /** Share of the starts that got credentials, in percent. */
  readonly served: number;
  readonly callsEach: number;
  readonly medianMs: number;
}

/** Services that start while a share of all STS responses are verification-key errors. */
export async function stormPart(): Promise<PartResult> {
  await using idp = await startLocalIdp({ algorithm: "ES256" });
  const token = await idp.issueToken({ expiresInSeconds: 86_400 });
  const names = Object.keys(CONTENDERS);
  const results = new Map<string, Weathered[]>(names.map((name) => [name, []]));
  for (const rate of RATES) {
    for (const name of names) results.get(name)?.push(await weather(token, name, rate / 100));
  }
  const of = (name: string) => results.get(name) ?? [];
  return {
    tables: [
      {
        title: "Partial outage: starts that get credentials, by the share of STS calls that fail",
        note: `${STARTS} starts each in virtual time: % with credentials, and for those the median time in s / calls.`,
        columns: ["", ...RATES.map((rate) => `${rate} %`)],
        rows: [
          ...names.map((name) => [
            name,
            ...of(name).map(
              ({ served, medianMs, callsEach }) =>
                `${figure(Math.round(served))}: ${(medianMs / 1000).toFixed(1)}/${callsEach.toFixed(1)}`,
            ),
          ]),
          ["floor", ...RATES.map((rate) => `100: 0.1/${(100 / (100 - rate)).toFixed(1)}`)],
        ],
      },
    ],
    charts: {
      "storm.svg": lineChart(
        {
          title: "Starts that get credentials in a partial outage",
          xName: "% of the STS calls fail",
          yName: "% of the starts served",
        },
        names.map((name) => ({
          name,
          points: of(name).map(({ served }, index) => [RATES[index] ?? 0, served] as const),
        })),
      ),
    },
  };
}

async function weather(token: string, name: string, rate: number): Promise<Weathered> {
  // A separate generator, or the waits would change which calls fail.
  const [luck, jitter] = [seededRandom(1), seededRandom(2)];
  const times: number[] = [];
  let calls = 0;
  for (let start = 0; start < STARTS; start += 1) {
    const world = createVirtualWorld(token, Date.now(), jitter);
    using _ = timersOf(world.clock);
    world.fault = () => (luck() < rate ? "verification-key" : "none");
    const getCredentials = (CONTENDERS[name] as (typeof CONTENDERS)[string])(world);
    const served = await world.clock.run(
      getCredentials().then(
        () => true,
        () => false,
      ),
    );
    if (!served) continue;
    times.push(world.clock.monotonic());
    calls += world.calls;
  }
  return {
    served: (times.length / STARTS) * 100,
    callsEach: calls / times.length,
    medianMs: median(times),
  };
}
