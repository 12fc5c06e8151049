import { type GetCredentials, memoizedByClient, startPlace } from "./in-process.js";
import { figure, type PartResult, ratio } from "./report.js";
import { median, quantile, takeTurns } from "./sampling.js";

const ROUNDS = 1_000;
/** Short enough that most rounds are undisturbed on a shared machine. */
const CALLS = 2_000;
const FLOOR = "floor (a resolved promise)";

/** The cost of a call that returns cached credentials. */
export async function cachedCallPart(): Promise<PartResult> {
  await using place = await startPlace();
  const ours = place.ours();
  const memoized = memoizedByClient(place.stock());
  const retried = memoizedByClient(place.stockWithRetry());
  const credentials = await place.stock()();
  const kept = Promise.resolve(credentials);
  const stock = place.stock();
  const contenders = {
    [FLOOR]: () => nanoseconds(() => Promise.resolve(credentials), CALLS),
    "the same promise every time": () => nanoseconds(() => kept, CALLS),
    ours: () => nanoseconds(ours, CALLS),
    "stock, memoised by an SDK client": () => nanoseconds(memoized, CALLS),
    "stock + p-retry, memoised by an SDK client": () => nanoseconds(retried, CALLS),
    "stock as it is (calls STS every time)": () => nanoseconds(stock, 1),
  };
  const samples = await takeTurns(contenders, ROUNDS);
  const floor = samples[FLOOR];
  const byMedian = median(samples.ours) / median(floor);
  const byMin = quantile(samples.ours, 0) / quantile(floor, 0);
  return {
    tables: [
      {
        title: "A cached call",
        note: `${ROUNDS} rounds of ${figure(CALLS)} awaited calls, alternating; ratios to the floor, which creates a promise for each call.`,
        columns: ["", "min", "/ floor", "median", "/ floor"],
        rows: Object.entries(samples).map(([name, values]) => [
          name,
          figure(quantile(values, 0), "ns"),
          ratio(quantile(values, 0), quantile(floor, 0)),
          figure(median(values), "ns"),
          ratio(median(values), median(floor)),
        ]),
      },
    ],
    promises: [
      {
        what: "a cached call",
        limit: "≤ 2× a resolved promise",
        measured: `${byMedian.toFixed(2)}× by median, ${byMin.toFixed(2)}× by minimum`,
        kept: byMedian <= 2,
      },
    ],
  };
}

/** The mean time of an awaited call. */
export async function nanoseconds(getCredentials: GetCredentials, calls: number): Promise<number> {
  const start = process.hrtime.bigint();
  for (let call = 0; call < calls; call += 1) await getCredentials();
  return Number(process.hrtime.bigint() - start) / calls;
}
